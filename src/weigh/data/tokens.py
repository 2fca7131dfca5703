"""The index of a data set of tagged sentences: named entities and other labels of tokens.

Before it: `spec.DataSpec`, `token_files.py`, `part_files.py`. After it: `text_checks.py` (a sentence is a text), then folds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from weigh.data.assembly import assemble
from weigh.data.contents import fingerprint, text_hashes
from weigh.data.encoding import encoding_problem
from weigh.data.examples import Examples, Problem
from weigh.data.listing import Listing, natural_key, set_aside
from weigh.data.nouns import SENTENCES
from weigh.data.part_files import Candidate, choose_versions, family, part_within, text_files
from weigh.data.paths import no_such_path
from weigh.data.tags import joined_tokens
from weigh.data.token_files import Sentence, TokenFile, read_token_file
from weigh.errors import DataError
from weigh.files import check_texts
from weigh.language import text
from weigh.spec import ColumnsSpec, DataSpec

__all__ = ["read_tokens"]

Progress = Callable[[str, int, int], None]


def read_tokens(
    spec: DataSpec,
    *,
    offline: bool = False,  # noqa: ARG001 - every reader is called alike
    progress: Progress | None = None,  # noqa: ARG001
) -> tuple[Examples, list[Problem]]:
    """Sentences with their tokens and entities, training and test together, and everything that was set aside or repaired.

    Args:
        spec: A file of CoNLL columns or JSON lines, or a folder with one for each part. `data.text` and `data.label` may give the numbers
            of the columns; default: the first and the last.

    Returns:
        Examples whose `target` holds entities, whatever scheme marked them, and whose `classes` are their types.

    Raises:
        DataError: Nothing usable; says what is wrong and what to do.
    """
    examples, problems = assemble(spec, lambda given: _list(given, spec.columns), SENTENCES, "entities")
    assert examples.tokens is not None
    check_texts(examples.tokens, lambda i: str(examples.path[i]))
    examples = replace(examples, content=text_hashes(examples.tokens))
    return replace(examples, fingerprint=fingerprint(examples)), problems


def _list(given: str, columns: ColumnsSpec) -> Listing:
    path = Path(given).expanduser()
    if not path.exists():
        raise no_such_path(path)
    path = Path(os.path.abspath(path))
    if not path.is_dir():
        return _from_files([_candidate(path, "train", columns)], path.parent, [])
    candidates: list[Candidate] = []
    untagged: list[str] = []
    error: DataError | None = None
    for file in text_files(path):
        try:
            candidates.append(_candidate(file, part_within(file, path), columns))
        except DataError as problem:
            error = error or problem
            untagged.append(file.relative_to(path).as_posix())
    if not candidates:
        raise error or DataError(text("{f} holds no files of text.", "{f} 中没有文本文件。", f=path))
    kept, problems = choose_versions(candidates, path)
    if untagged:
        problems.append(
            set_aside(
                "unlabelled",
                text(
                    "Files without labels: {n} ({f}); not used.",
                    "有 {n} 个文件没有标签（{f}），未使用。",
                    n=len(untagged),
                    f=", ".join(untagged[:5]),
                ),
                untagged,
                severity="note",
            )
        )
    return _from_files(kept, path, problems)


def _candidate(path: Path, part: str | None, columns: ColumnsSpec) -> Candidate:
    file = read_token_file(path, columns)
    return Candidate(path, part, [s.tokens for s in file.sentences], file.flaws, file)


def _from_files(files: list[Candidate], root: Path, problems: list[Problem]) -> Listing:
    listing = Listing(root=root, order_source="table", texts=[], tokens=[], spans=[], problems=problems)
    listing.problems += encoding_problem({c.path.name: c.content.encoding for c in files})
    several = len({family(c.path.name) for c in files}) > 1 and len({c.part for c in files}) < len(files)
    if several:
        listing.columns["file"] = []
    texts, tokens, spans = listing.texts, listing.tokens, listing.spans
    assert texts is not None
    assert tokens is not None
    assert spans is not None
    for candidate in files:
        name = candidate.path.relative_to(root).as_posix()
        for sentence in candidate.content.sentences:
            listing.path.append(f"{name}:{sentence.line}")
            listing.label.append("")
            listing.part.append(candidate.part or "train")
            listing.order.append((natural_key(name) if candidate.part == "train" else (), len(listing.order)))
            texts.append((joined_tokens(sentence.tokens),))
            tokens.append(sentence.tokens)
            spans.append(sentence.decoded.spans)
            if several:
                listing.columns["file"].append(family(candidate.path.name))
    listing.problems += [*_bad_lines(files, root), *_repairs(files, root), _scheme_note(files)]
    return listing


def _bad_lines(files: list[Candidate], root: Path) -> list[Problem]:
    lines = [(f"{c.path.relative_to(root).as_posix()}:{n}", what) for c in files for n, what in c.content.bad.items()]
    if not lines:
        return []
    sentences = sum(len(c.content.left_out) for c in files)
    return [
        set_aside(
            "broken-row",
            text(
                "Lines that are no token with a tag: {n} (first: {f}); the {k} sentences they stand in are set aside.",
                "有 {n} 行不是“词加标记”（第一行：{f}），所在的 {k} 个句子已搁置。",
                n=len(lines),
                f=lines[0][0],
                k=sentences,
            ),
            [where for where, _ in lines],
            text("Correct these lines.", "请更正这些行。"),
            more={"sentences": sentences},
            details=tuple({"path": where, "line": what} for where, what in lines),
        )
    ]


def _repairs(files: list[Candidate], root: Path) -> list[Problem]:
    """Tags that break the scheme, each with its line; they were repaired."""
    found: dict[str, list[tuple[str, Sentence, int]]] = {"orphan": [], "unclosed": []}
    for c in files:
        name = c.path.relative_to(root).as_posix()
        for sentence in c.content.sentences:
            for position, kind in sentence.decoded.repairs:
                found[kind].append((f"{name}:{sentence.lines[position]}", sentence, position))
    words = {
        "orphan": text(
            "Tags that continue an entity where none began: {n}, in {k} sentences; each was read as a beginning.",
            "有 {n} 个标记延续了并未开始的实体（涉及 {k} 个句子），均按实体开头读取。",
            n=len(found["orphan"]),
            k=len({id(s) for _, s, _ in found["orphan"]}),
        ),
        "unclosed": text(
            "Entities whose end is not marked: {n}, in {k} sentences; each was read as ending there.",
            "有 {n} 个实体没有标出结尾（涉及 {k} 个句子），均按在该处结束读取。",
            n=len(found["unclosed"]),
            k=len({id(s) for _, s, _ in found["unclosed"]}),
        ),
    }
    return [
        set_aside(
            f"{kind}-tag",
            words[kind],
            [where for where, _, _ in rows],
            text("Look at these lines; a wrong tag is a wrong label.", "请查看这些行；标记错误即标签错误。"),
            more={"sentences": len({id(s) for _, s, _ in rows})},
            details=tuple(
                {
                    "path": where,
                    "token": sentence.tokens[i],
                    "tag": sentence.tags[i],
                    "tag before": sentence.tags[i - 1] if i else "",
                }
                for where, sentence, i in rows
            ),
        )
        for kind, rows in found.items()
        if rows
    ]


def _scheme_note(files: list[Candidate]) -> Problem:
    contents: list[TokenFile] = [c.content for c in files]
    schemes = Counter(file.scheme for file in contents)
    tokens = sum(len(s.tokens) for file in contents for s in file.sentences)
    entities = sum(len(s.decoded.spans) for file in contents for s in file.sentences)
    sentence = text(
        "Read as {s}: {t} tokens, {e} entities.",
        "按 {s} 读取：{t} 个词，{e} 个实体。",
        s=", ".join(schemes),
        t=tokens,
        e=entities,
    )
    if any(file.positions for file in contents):
        sentence = sentence + text(
            "The digit after each character (its place in the word) was taken off.",
            "每个字后面的数字（词内位置）已去除。",
        )
    return Problem("columns", sentence, severity="note", numbers={"tokens": tokens, "entities": entities})
