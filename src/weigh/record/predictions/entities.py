"""Entities that others' systems found, as the `Results` that findings read: files of tagged tokens beside the gold file.

    weigh read --gold test.conll submissions/
    weigh read --gold test.conll one.conll two.conll

Every file holds the sentences of the gold file, in its order, token by token; tags may follow any scheme (`data/sentences/tags.py`). A file is
one system, named like the file. What is concluded speaks about exactly these outputs. Before it: files of strangers. After it:
`findings/`, as for the predictions of `results.py`.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weigh.data.examples import Examples
from weigh.data.names import compose
from weigh.data.rows.listing import natural_key
from weigh.data.rows.part_files import text_files
from weigh.data.sentences.blocks import Blocks, Sentence
from weigh.data.sentences.files import TokenFile, read_token_file
from weigh.data.sentences.span_words import UNFIT, counting_notes, doubted_spans, span_problems
from weigh.data.tables.text_encoding import encoding_problem
from weigh.errors import DataError
from weigh.kinds.base import rows_of
from weigh.kinds.spans import SPANS
from weigh.kinds.tags import code_spans, pack_tags
from weigh.language import first_names, text
from weigh.media import medium_named
from weigh.problem import Problem
from weigh.record.predictions.checks import copied_models
from weigh.record.predictions.folder import names_of_files
from weigh.record.predictions.results import require_metrics, results_of_models
from weigh.record.predictions.words import ALIGN, in_common_words, misfit, repaired_tags, same_text
from weigh.record.results import Results
from weigh.spec import ColumnsSpec, StudySpec
from weigh.tasks import TOKEN_CLASSIFICATION

__all__ = ["read_entities"]

OTHERWISE = 0.5  # share of tokens that may be written otherwise (normalised spelling, another encoding)
LISTED = 8
PLAIN = (
    ".txt",
    ".conll",
    ".tsv",
    ".iob",
    ".iob2",
    ".bio",
    ".jsonl",
    ".json",
    ".tags",
)  # endings that are no part of a system's name
CHECKED = text(
    "sentences and tokens against the gold file, lines that are no token with a tag, types that the gold file does not have, systems with the same entities or with none",
    "句子和词与标准答案是否一致、不是“词加标记”的行、标准答案中没有的类型、实体完全相同或一个实体都没有的系统",
)


class Aligned(NamedTuple):
    """One file set beside the gold file.

    Attributes:
        sentences: One per sentence of the gold file that is used.
        encoding: What the file was read as.
        blocks: What was seen of its entities where they are given as spans of a text.
        respelt: Lines on which a token is written otherwise: (line of the gold file, line of this file, token there, token here).
    """

    name: str
    path: Path
    encoding: str
    sentences: list[Sentence]
    blocks: Blocks
    respelt: list[tuple[int, int, str, str]]


def read_entities(gold: Path, paths: Sequence[Path], spec: StudySpec) -> Results:
    """The records of submissions.

    Args:
        gold: The file with the right tags.
        paths: Files of tags, or folders of such files.
        spec: Its sections `design` (level, seed) and `metrics` count; the rest is filled in.

    Raises:
        DataError: A file that cannot be read or does not hold the sentences of the gold file; says where.
        SpecError: A primary metric that is not one of entities.
    """
    metric = require_metrics(spec.model_copy(update={"task": TOKEN_CLASSIFICATION}), SPANS)
    columns, encoding = spec.data.columns, spec.data.encoding
    truth = read_token_file(gold, columns, encoding=encoding)
    files = [file for path in paths for file in (text_files(path, whole=True) if path.is_dir() else [path])]
    files = [file for file in files if not _same(file, gold)]
    if not files:
        raise DataError(
            text("There is no file beside the gold file.", "除标准答案文件外没有其他文件。"),
            do=text(
                "Name the files of tags: weigh read --gold {g} SUBMISSION …",
                "请给出标记文件：weigh read --gold {g} 提交文件 …",
                g=shlex.quote(str(gold)),
            ),
        )
    names = names_of_files(files, [file.name if file.suffix.casefold() not in PLAIN else file.stem for file in files])
    answers = [_align(name, file, truth, columns, encoding) for name, file in zip(names, files, strict=True)]
    truth, answers = _in_the_same_words(truth, answers)
    examples = _examples(truth, answers)
    logits = {answer.name: _pack(answer, examples) for answer in answers}
    problems, name = _problems(truth, answers), gold.name.partition(".")[0] or gold.name
    return results_of_models(name, spec, TOKEN_CLASSIFICATION, metric.name, examples, logits, problems, CHECKED)


def _same(file: Path, gold: Path) -> bool:
    """A folder of submissions may hold the gold file as well."""
    return file.exists() and gold.exists() and file.samefile(gold)


def _blocks(file: TokenFile) -> list[int]:
    """First lines of all sentences, those that were set aside included, in the order of the file."""
    return sorted([*(s.line for s in file.sentences), *file.left_out])


def _align(name: str, path: Path, truth: TokenFile, columns: ColumnsSpec, encoding: str | None) -> Aligned:
    """The sentences of a submission that stand beside those of the gold file.

    Raises:
        DataError: Sentences are missing, or one has other tokens.
    """
    file = read_token_file(path, columns, tagged=False, encoding=encoding)
    _check_readable(file)
    kept, respelt = [], []
    theirs, ours = file.sentences, _blocks(truth)
    used = {s.line: s for s in truth.sentences}
    lengths = {s.line: len(s.tokens) for s in truth.sentences}
    of_spans = truth.scheme == file.scheme == "spans"
    for line, sentence in zip(ours, theirs, strict=False):
        if of_spans and line in used and same_text(sentence, used[line]):
            kept.append(sentence)
            continue
        if line in used and len(sentence.tokens) != lengths[line]:
            raise misfit(path, truth.path, line, sentence, used[line])
        if line in used:
            kept.append(sentence)
            respelt += [
                (a_line, b_line, a, b)
                for a_line, b_line, a, b in zip(
                    used[line].lines, sentence.lines, used[line].tokens, sentence.tokens, strict=True
                )
                if compose(a) != compose(b)
            ]
    _check_counterparts(path, truth, theirs, ours)
    _check_spelling(path, truth, respelt)
    return Aligned(name, path, file.encoding, kept, file.blocks, respelt)


def _check_readable(file: TokenFile) -> None:
    """Every line is a token with a tag, and every text can be used; else a DataError."""
    path = file.path
    if file.bad:
        line, content = next(iter(file.bad.items()))
        raise DataError(
            text(
                "{p}: {n} {n:|line is|lines are} no token with a tag (first: line {l}: {f}).",
                "{p}：有 {n} 行不是“词加标记”（第一处：第 {l} 行：{f}）。",
                p=path,
                n=len(file.bad),
                l=line,
                f=content,
            ),
            do=text("Correct these lines.", "请更正这些行。"),
        )
    if file.blocks.unfit:
        line, word = next(iter(file.blocks.unfit.items()))
        raise DataError(
            text(
                "{p}: {n} {n:|text|texts} cannot be used (first: row {l}): {w}.",
                "{p}：有 {n} 个文本不能使用（第一处：第 {l} 行）：{w}。",
                p=path,
                n=len(file.blocks.unfit),
                l=line,
                w=UNFIT[word].what,
            ),
            do=UNFIT[word].do,
        )


def _check_counterparts(path: Path, truth: TokenFile, theirs: Sequence[Sentence], ours: Sequence[int]) -> None:
    """There are as many sentences as in the gold file; `ours` are the first lines of those; else a DataError."""
    if len(theirs) != len(ours):
        more = len(theirs) > len(ours)
        at = theirs[len(ours)].line if more else ours[len(theirs)]
        raise DataError(
            text(
                "{p} has {a} {a:|sentence|sentences}, the gold file {g} has {b}. The first without a counterpart begins on line {l} of {w}.",
                "{p} 有 {a} 个句子，标准答案 {g} 有 {b} 个。第一个没有对应的句子始于 {w} 的第 {l} 行。",
                p=path,
                a=len(theirs),
                g=truth.path.name,
                b=len(ours),
                l=at,
                w=(path if more else truth.path).name,
            ),
            do=ALIGN,
        )


def _check_spelling(path: Path, truth: TokenFile, respelt: Sequence[tuple[int, int, str, str]]) -> None:
    """Hardly any token is another than in the gold file; else a DataError."""
    tokens = sum(len(s.tokens) for s in truth.sentences)
    if len(respelt) > OTHERWISE * tokens:
        a_line, b_line, a, b = respelt[0]
        raise DataError(
            text(
                "{p} holds another text: {n} of {t} tokens {n:|differs|differ} from the gold file (first: line {l}, '{b}' where line {k} of {g} has '{a}').",
                "{p} 是另一份文本：{t} 个词中有 {n} 个与标准答案不同（第一处：第 {l} 行的“{b}”，{g} 第 {k} 行为“{a}”）。",
                p=path,
                n=len(respelt),
                t=tokens,
                l=b_line,
                b=b,
                k=a_line,
                a=a,
                g=truth.path.name,
            ),
            do=ALIGN,
        )


def _in_the_same_words(truth: TokenFile, answers: Sequence[Aligned]) -> tuple[TokenFile, list[Aligned]]:
    """All files with sentences of the same words, where entities that cover parts of words made others of them.

    Raises:
        DataError: A sentence is cut otherwise in one file, and spelt otherwise in another.
    """
    rows = []
    for own, *others in zip(truth.sentences, *(answer.sentences for answer in answers), strict=True):
        if all(same_text(own, other) for other in others):
            rows.append(in_common_words([own, *others]))
            continue
        for answer, other in zip(answers, others, strict=True):
            if other.tokens != own.tokens and same_text(other, own):
                raise misfit(answer.path, truth.path, own.line, other, own)
        rows.append([own, *others])
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return truth, list(answers)
    aligned = [answer._replace(sentences=column) for answer, column in zip(answers, columns[1:], strict=True)]
    return replace(truth, sentences=columns[0]), aligned


def _examples(truth: TokenFile, answers: Sequence[Aligned]) -> Examples:
    sentences = truth.sentences
    true_types = {name for s in sentences for *_, name in s.decoded.spans}
    predicted_types = {name for answer in answers for s in answer.sentences for *_, name in s.decoded.spans}
    classes = tuple(sorted(true_types | predicted_types, key=natural_key))
    target = rows_of([_indexed(s, classes) for s in sentences])
    paths = np.array([f"{truth.path.name}:{s.line}" for s in sentences])
    hashed = hashlib.blake2b(digest_size=16)
    for sentence in sentences:
        hashed.update(repr((sentence.tokens, sentence.decoded.spans)).encode("utf-8", "surrogatepass"))
    n = len(sentences)
    return Examples(
        root=Path("."),
        path=paths,
        target=target,
        kind=SPANS,
        classes=classes,
        part=np.full(n, "train"),
        order=np.arange(n),
        content=np.full(n, ""),
        order_source="table",
        fingerprint=hashed.hexdigest(),
        rows=rows_of([s.tokens for s in sentences]),
        medium=medium_named("sentences"),
    )


def _indexed(sentence: Sentence, classes: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    return tuple((a, b, classes.index(kind)) for a, b, kind in sentence.decoded.spans)


def _pack(answer: Aligned, examples: Examples) -> np.ndarray:
    """The tags as a run records them; without probabilities each counts as certain."""
    codes = [code_spans(_indexed(s, examples.classes), len(s.tokens)) for s in answer.sentences]
    return pack_tags(codes, [np.zeros(len(row)) for row in codes], max(map(len, examples.rows)))


def _problems(truth: TokenFile, answers: Sequence[Aligned]) -> list[Problem]:
    """What a person should know before anything is concluded."""
    torn = len(set(truth.left_out) - set(truth.blocks.unfit))
    problems = encoding_problem({str(file.path.name): file.encoding for file in (truth, *answers)})
    if truth.bad:
        problems.append(
            Problem(
                "broken-row",
                text(
                    "Lines of the gold file that are no token with a tag: {n} (first: line {l}); the {k} {k:|sentence|sentences} they stand in "
                    "{k:|is|are} set aside for all systems.",
                    "标准答案中有 {n} 行不是“词加标记”（第一处：第 {l} 行），所在的 {k} 个句子对所有系统都不计入。",
                    n=len(truth.bad),
                    l=next(iter(truth.bad)),
                    k=torn,
                ),
                paths=tuple(f"{truth.path.name}:{line}" for line in truth.bad),
                numbers={"lines": len(truth.bad), "first": next(iter(truth.bad)), "sentences": torn},
                do=text("Correct these lines.", "请更正这些行。"),
                details=tuple({"path": f"{truth.path.name}:{at}", "line": what} for at, what in truth.bad.items()),
            )
        )
    problems += span_problems([(truth.path.name, truth.blocks)])
    problems += counting_notes([(answer.path.name, answer.blocks.counting) for answer in answers])
    problems += repaired_tags(truth.path.name, truth.sentences)
    for answer in answers:
        shifted = [(f"{answer.path.name}:{row}", seen) for row, seen in answer.blocks.other_texts]
        problems += doubted_spans(answer.blocks.entities, [], shifted, [])
        problems += _respelt(truth, answer)
        problems += repaired_tags(answer.name, answer.sentences)
    return [*problems, *_unknown_types(truth, answers), *_copies(answers), *_silent(answers)]


def _respelt(truth: TokenFile, answer: Aligned) -> list[Problem]:
    """The note on tokens that a submission writes otherwise than the gold file."""
    problems = []
    if answer.respelt:
        _, b_line, a, b = answer.respelt[0]
        problems.append(
            Problem(
                "other-tokens",
                text(
                    "{m} writes {n} {n:|token|tokens} otherwise than the gold file (first: line {l}, '{b}' for '{a}'); {n:|it was|they were} taken for the same.",
                    "{m} 有 {n} 个词的写法与标准答案不同（第一处：第 {l} 行，“{b}”对应“{a}”），按同一个词处理。",
                    m=answer.name,
                    n=len(answer.respelt),
                    l=b_line,
                    b=b,
                    a=a,
                ),
                severity="note",
                numbers={"tokens": len(answer.respelt), "line": b_line},
                details=tuple(
                    {"path": f"{truth.path.name}:{x}", "line": y, "token": p, "token here": q}
                    for x, y, p, q in answer.respelt
                ),
            )
        )
    return problems


def _unknown_types(truth: TokenFile, answers: Sequence[Aligned]) -> list[Problem]:
    """Types of entities that only submissions have."""
    problems = []
    true_types = {name for s in truth.sentences for *_, name in s.decoded.spans}
    for answer in answers:
        strange = sorted({name for s in answer.sentences for *_, name in s.decoded.spans} - true_types, key=natural_key)
        if strange:
            problems.append(
                Problem(
                    "unlabelled-class",
                    text(
                        "{m} finds entities of types that the gold file does not have: {t}. None of these can be right.",
                        "{m} 找出了标准答案中没有的实体类型：{t}。这些都不可能算对。",
                        m=answer.name,
                        t=first_names(strange, LISTED),
                    ),
                    do=text("If these are other names of the same types, rename them.", "若只是名称不同，请统一名称。"),
                )
            )
    return problems


def _copies(answers: Sequence[Aligned]) -> list[Problem]:
    """Systems with exactly the same entities; those without a single one are named by `_silent`."""
    spans_by_sentence = ((answer.name, tuple(tuple(s.decoded.spans) for s in answer.sentences)) for answer in answers)
    with_entities = ((name, spans) for name, spans in spans_by_sentence if any(spans))
    return copied_models(with_entities, text("Exactly the same entities", "找出的实体完全相同"))


def _silent(answers: Sequence[Aligned]) -> list[Problem]:
    """Systems without a single entity."""
    names = [answer.name for answer in answers if not any(s.decoded.spans for s in answer.sentences)]
    if not names:
        return []
    return [
        Problem(
            "constant-answer",
            text(
                "No entity at all: {m}. Nothing was learnt, or the tags were written wrongly.",
                "一个实体都没有：{m}。可能什么都没学到，也可能标记写错了。",
                m=first_names(names, LISTED),
            ),
            do=text("Check how these tags were written.", "请检查这些标记是如何写出的。"),
        )
    ]
