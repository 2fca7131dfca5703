"""The index of a data set of tagged sentences: named entities and other labels of tokens.

Before it: `spec.DataSpec`, `files.py`, `rows/part_files.py`. After it: `texts/checks.py` (a sentence is a text), then folds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weigh.data.contents import identified
from weigh.data.examples import Examples
from weigh.data.rows.assembly import assemble
from weigh.data.rows.columns import repeated_headers, split_note
from weigh.data.rows.hub import empty_split_problems, hub_name, is_saved, load_raw, read_saved, refuse_split
from weigh.data.rows.listing import Listing, natural_key, nothing_usable, set_aside, set_aside_if_any
from weigh.data.rows.part_files import ReadFile, choose_versions, family, part_of, part_within, text_files
from weigh.data.rows.paths import no_such_path
from weigh.data.sentences.blocks import Block, Blocks, Sentence
from weigh.data.sentences.files import TokenFile, decode_blocks, read_token_file
from weigh.data.sentences.objects import asked_names
from weigh.data.sentences.span_words import span_problems
from weigh.data.tables.text_encoding import encoding_problem
from weigh.data.written import SPANS as SPANS_LAYOUT
from weigh.data.written import Written
from weigh.errors import ColumnMissing, DataError
from weigh.files import refuse_long_texts
from weigh.kinds.base import Kind
from weigh.kinds.spans import SPANS
from weigh.language import text
from weigh.media import medium_named
from weigh.notices import Progress
from weigh.problem import Problem
from weigh.settings import user_path
from weigh.spec import ColumnsSpec, DataSpec

__all__ = ["read_tokens"]


def read_tokens(
    spec: DataSpec,
    kinds: Sequence[Kind] = (SPANS,),
    *,
    offline: bool = False,
    progress: Progress | None = None,  # noqa: ARG001 - every reader is called alike
) -> tuple[Examples, list[Problem]]:
    """Sentences with their tokens and entities, training and test together, and everything that was set aside or repaired.

    Args:
        spec: A file of CoNLL columns, JSON or a table, a folder with one for each part, or a saved dataset. `data.text` and `data.label`
            may name the columns, or number them; default: told from what they hold.

    Returns:
        Examples whose `target` holds entities, whatever scheme marked them, and whose `classes` are their types.

    Raises:
        DataError: Nothing usable; says what is wrong and what to do.
    """
    examples, problems = assemble(
        spec, lambda address: _list(address, spec, offline=offline), medium_named("sentences"), kinds
    )
    refuse_long_texts(examples.rows, lambda i: str(examples.path[i]))
    return identified(examples, problems)


def _list(address: str, spec: DataSpec, *, offline: bool) -> Listing:
    if (name := hub_name(address)) is not None:
        return _from_datasets(load_raw(name, offline=offline), Path.cwd(), spec)
    path = user_path(address)
    if not path.exists():
        raise no_such_path(path)
    path = Path(os.path.abspath(path))
    if not path.is_dir():
        return _from_files([_read_file(path, "train", spec)], path.parent, [], spec)
    if is_saved(path):
        return _from_datasets(read_saved(path), path, spec)
    read_files: list[ReadFile] = []
    untagged: list[str] = []
    error: DataError | None = None
    misnamed: list[tuple[Path, ColumnMissing]] = []
    for file in text_files(path, whole=True):
        try:
            read_files.append(_read_file(file, part_within(file, path), spec))
        except DataError as problem:
            error = error or problem
            if isinstance(problem, ColumnMissing):
                misnamed.append((file, problem))
            untagged.append(file.relative_to(path).as_posix())
    if not read_files:
        raise error or DataError(text("{f} holds no files of text.", "{f} 中没有文本文件。", f=path))
    _require_names(misnamed, read_files, spec)
    kept, problems = choose_versions(read_files, path)
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
    return _from_files(kept, path, problems, spec)


def _require_names(misnamed: Sequence[tuple[Path, ColumnMissing]], read: Sequence[ReadFile], spec: DataSpec) -> None:
    """Nothing, or the error that a file lacks a column which the user named, though it holds sentences with labels that no other file has.

    Raises:
        ColumnMissing: It does.
    """
    for file, problem in misnamed:
        try:
            unnamed = read_token_file(file, ColumnsSpec(tag_names=spec.columns.tag_names), encoding=spec.encoding)
        except DataError:  # no sentences with labels, whatever they are called
            continue
        rows = {s.tokens for s in unnamed.sentences}
        if all(len(rows & {*one.keys}) * 2 < len(rows) for one in read):  # no other version of a file that was read
            raise problem


def _from_datasets(loaded: Any, root: Path, spec: DataSpec) -> Listing:
    """The splits of a dataset as the `datasets` library loads it: numbers of tags have their names there."""
    from weigh.data.sentences.saved import sequences

    refuse_split(spec.columns.split)
    read_files = []
    for split, rows in sequences(loaded, spec.columns).items():
        blocks = Blocks()
        for n, (tokens, tags) in enumerate(rows.rows, 1):
            if len(tokens) != len(tags):
                blocks.bad[n] = f"{len(tokens)} ≠ {len(tags)}"
                blocks.left_out.append(n)
            elif tokens:
                blocks.blocks.append(Block([n] * len(tokens), tokens, tags))
        file = decode_blocks(root / split, blocks, "UTF-8", rows.names or spec.columns.tag_names)
        read_files.append(ReadFile(root / split, part_of(split), [s.tokens for s in file.sentences], 0, file))
    kept, problems = choose_versions(read_files, root)
    return _from_files(kept, root, [*problems, *empty_split_problems(root)], spec)


def _read_file(path: Path, part: str | None, spec: DataSpec) -> ReadFile:
    file = read_token_file(path, spec.columns, encoding=spec.encoding)
    return ReadFile(path, part, [s.tokens for s in file.sentences], file.flaws, file)


def _from_files(files: list[ReadFile], root: Path, problems: list[Problem], spec: DataSpec) -> Listing:
    listing = Listing(root=root, order_source="table", rows=[], problems=problems)
    listing.problems += encoding_problem({c.path.name: c.content.encoding for c in files})
    several = len({family(c.path.name) for c in files}) > 1 and len({c.part for c in files}) < len(files)
    if several:
        listing.columns["file"] = []
    listing.written = _written_as(files, spec)
    listing.targets = spans = []
    unknown: list[str] = []
    for read_file in files:
        name = read_file.path.relative_to(root).as_posix()
        blocks: Blocks = read_file.content.blocks
        for sentence in read_file.content.sentences:
            where, part = f"{name}:{sentence.line}", read_file.part or "train"
            if blocks.parted_by is not None:
                if sentence.line not in blocks.parts:
                    unknown.append(where)
                    continue
                part = blocks.parts[sentence.line]
            order = (natural_key(name) if read_file.part == "train" else (), len(listing))
            listing.add(where, "", part=part, order=order, row=sentence.tokens)
            spans.append(sentence.decoded.spans)
            if several:
                listing.columns["file"].append(family(read_file.path.name))
    listing.problems += _unknown_parts(unknown, len(listing))
    for name in dict.fromkeys(c.content.blocks.parted_by for c in files):
        listing.problems += split_note(name, spec.columns)
    if not listing.path:
        raise nothing_usable(files[0].path, listing.problems)
    if len(listing) == 1 and not unknown:
        raise _one_sentence(files[0].content)
    listing.problems += [
        *_bad_lines(files, root),
        *_repeated(files, root),
        *span_problems([(c.path.relative_to(root).as_posix(), c.content.blocks) for c in files]),
        *_repairs(files, root),
    ]
    listing.problems.append(_scheme_note(files))
    return listing


def _written_as(files: list[ReadFile], spec: DataSpec) -> Written | None:
    """What new sentences are read by: the column that the user named, and whether these are texts that are cut here; None where neither is so."""
    asked, label = asked_names(spec.columns)
    layout = SPANS_LAYOUT if all(c.content.scheme == "spans" for c in files) else ""
    if asked is None:
        return Written(layout) if layout else None
    return Written(layout, named=not asked.isdecimal(), text=(asked,), labels=() if label is None else (label,))


def _unknown_parts(unknown: list[str], kept: int) -> list[Problem]:
    """Sentences of which a column says no part that is known."""
    template = text(
        "Sentences whose part is neither train, val nor test: {n} of {r}; set aside.",
        "{r} 个句子中有 {n} 个所属的部分不是 train、val 或 test，已搁置。",
    )
    return set_aside_if_any("split", template, unknown, rows=kept + len(unknown))


def _one_sentence(file: TokenFile) -> DataError:
    return DataError(
        text(
            "{p} holds a single sentence of {n} {n:|token|tokens}: nothing parts sentences.",
            "{p} 只有一个含 {n} 个词的句子：没有任何内容用来分隔句子。",
            p=file.path,
            n=len(file.sentences[0].tokens),
        ),
        text("Training and test sentences are chosen among whole sentences.", "训练与测试句子以整句为单位划分。"),
        text(
            "Put a blank line after each sentence, or a column that numbers the sentences (sentence_id) into a table.",
            "请在每个句子后加一个空行，或使用带句子编号列（sentence_id）的表格。",
        ),
    )


def _bad_lines(files: list[ReadFile], root: Path) -> list[Problem]:
    lines = [(f"{c.path.relative_to(root).as_posix()}:{n}", what) for c in files for n, what in c.content.bad.items()]
    if not lines:
        return []
    sentences = sum(len(set(c.content.left_out) - set(c.content.blocks.unfit)) for c in files)
    return [
        set_aside(
            "broken-row",
            text(
                "Lines that are no token with a tag: {n} (first: {f}); the {k} {k:|sentence|sentences} they stand in {k:|is|are} set aside.",
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


def _repeated(files: list[ReadFile], root: Path) -> list[Problem]:
    """Lines in the middle that repeat the header."""
    return repeated_headers(
        [f"{c.path.relative_to(root).as_posix()}:{n}" for c in files for n in c.content.blocks.repeated]
    )


def _repairs(files: list[ReadFile], root: Path) -> list[Problem]:
    """Tags that break the scheme, each with its line; they were repaired."""
    repairs: dict[str, list[tuple[str, Sentence, int]]] = {"orphan": [], "unclosed": []}
    for c in files:
        name = c.path.relative_to(root).as_posix()
        for sentence in c.content.sentences:
            for position, repair in sentence.decoded.repairs:
                repairs[repair].append((f"{name}:{sentence.lines[position]}", sentence, position))
    words = {
        "orphan": text(
            "Tags that continue an entity where none began: {n}, in {k} {k:|sentence|sentences}; each was read as a beginning.",
            "有 {n} 个标记延续了并未开始的实体（涉及 {k} 个句子），均按实体开头读取。",
            n=len(repairs["orphan"]),
            k=len({id(s) for _, s, _ in repairs["orphan"]}),
        ),
        "unclosed": text(
            "Entities whose end is not marked: {n}, in {k} {k:|sentence|sentences}; each was read as ending there.",
            "有 {n} 个实体没有标出结尾（涉及 {k} 个句子），均按在该处结束读取。",
            n=len(repairs["unclosed"]),
            k=len({id(s) for _, s, _ in repairs["unclosed"]}),
        ),
    }
    return [
        set_aside(
            f"{repair}-tag",
            words[repair],
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
        for repair, rows in repairs.items()
        if rows
    ]


def _scheme_note(files: list[ReadFile]) -> Problem:
    contents: list[TokenFile] = [c.content for c in files]
    schemes = Counter(file.scheme for file in contents)
    tokens = sum(len(s.tokens) for file in contents for s in file.sentences)
    entities = sum(len(s.decoded.spans) for file in contents for s in file.sentences)
    sentence = text(
        "Read as {s}: {t} {t:|token|tokens}, {e} {e:|entity|entities}.",
        "按 {s} 读取：{t} 个词，{e} 个实体。",
        s=", ".join(schemes),
        t=tokens,
        e=entities,
    )
    if "IO" in schemes:
        sentence = sentence + text(
            "Nothing marks where an entity begins: two of one type side by side are read as one.",
            "没有标记表示实体的开头：同类型的两个相邻实体按一个读取。",
        )
    if columns := next((file.columns for file in contents if file.columns), ()):
        sentence = sentence + text(
            "Tokens: column {t}; tags: column {l}.", "词所在的列：{t}；标记所在的列：{l}。", t=columns[0], l=columns[1]
        )
    if any(file.positions for file in contents):
        sentence = sentence + text(
            "The digit after each character (its place in the word) was taken off.",
            "每个字后面的数字（词内位置）已去除。",
        )
    return Problem("columns", sentence, severity="note", numbers={"tokens": tokens, "entities": entities})
