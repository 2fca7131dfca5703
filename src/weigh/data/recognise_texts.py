"""Whether a file or a folder holds texts with labels, pairs with a similarity, or tagged sentences: told from a first look.

Before it: `recognise.py`, after it has excluded pictures. After it: the readers of texts and tokens, which look again, at everything.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from weigh.data.encoding import read_text, split_lines
from weigh.data.part_files import part_of, text_files
from weigh.data.records import parse_json_lines
from weigh.data.tags import parse_tag
from weigh.data.text_roles import Roles, are_numbers, guess_roles
from weigh.data.text_sources import has_text_classes
from weigh.data.text_tables import read_text_table
from weigh.data.token_files import SPANS, TAGS, TOKENS
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.spec import ColumnsSpec

__all__ = ["TextTask", "read_description", "recognise_features", "recognise_text_file", "recognise_text_folder"]

LOOK = 300_000  # bytes


class TextTask(NamedTuple):
    """A task, and why."""

    task: str
    reason: Text


def recognise_text_file(path: Path, columns: ColumnsSpec) -> TextTask | None:
    """The task of one file, or None where it holds no texts with labels."""
    if is_tagged(path):
        return TextTask("token-classification", text("A token and a tag per line.", "每行一个词和一个标记。"))
    if path.suffix.casefold() in (".jsonl", ".ndjson") and _has_tagged_rows(path):
        return TextTask("token-classification", text("Rows of tagged tokens.", "每行是带标记的词。"))
    try:
        table = read_text_table(path, columns, limit=None if path.suffix.casefold() == ".json" else LOOK)
    except DataError:
        return None
    if table.roles.label is None:
        return None
    where = ", ".join(table.roles.text)
    if are_numbers(table.columns[table.roles.label]):
        return TextTask(
            "text-regression",
            text("Texts ({c}) with numbers ({l}).", "文本（{c}）带有数值（{l}）。", c=where, l=table.roles.label),
        )
    return TextTask(
        "text-classification",
        text("Texts ({c}) with labels ({l}).", "文本（{c}）带有标签（{l}）。", c=where, l=table.roles.label),
    )


def recognise_text_folder(folder: Path, columns: ColumnsSpec) -> TextTask | None:
    """The task of a folder of text files: one per part, or one folder of them per class."""
    files = sorted(text_files(folder), key=lambda p: part_of(p.name) != "train")[:20]
    for path in files:
        if is_tagged(path):
            return TextTask(
                "token-classification",
                text("{f} has a token and a tag per line.", "{f} 每行一个词和一个标记。", f=path.name),
            )
    if has_text_classes(folder):
        return TextTask("text-classification", text("One folder of texts per class.", "每个类别一个文本文件夹。"))
    for path in files:
        found = recognise_text_file(path, columns)
        if found is not None:
            return found
    return None


def recognise_features(features: dict[str, Any]) -> TextTask | None:
    """The task of a saved dataset, from the features that its description lists."""
    columns: dict[str, list[str | None]] = {
        name: [] for name, f in features.items() if isinstance(f, dict) and f.get("_type") in ("Value", "ClassLabel")
    }
    roles: Roles = guess_roles(columns)
    classes = [n for n, f in features.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"]
    label = roles.label or (classes[0] if len(classes) == 1 else None)
    if not roles.text or label is None:
        return None
    if str(features[label].get("dtype", "")).startswith("float"):
        return TextTask(
            "text-regression", text("A saved dataset of texts with numbers.", "保存在本地的文本数据集，带有数值。")
        )
    return TextTask("text-classification", text("A saved dataset of texts.", "保存在本地的文本数据集。"))


def is_tagged(path: Path) -> bool:
    """Whether at least 9 of 10 of the first lines are a token and a tag, and some tag is not O."""
    if path.suffix.casefold() in (".csv", ".jsonl", ".ndjson", ".parquet", ".pq", ".json"):
        return False
    try:
        content, _ = read_text(path, limit=64_000)
    except DataError:
        return False
    filled = [line.rstrip() for line in split_lines(content) if line.strip() and not line.startswith("-DOCSTART-")]
    last = [re.split(r"[\t ]", line)[-1] for line in filled if re.match(r"\S.*[\t ]\S+$", line)]
    tags = [
        parsed
        for tag in last
        if (parsed := parse_tag(tag)) is not None and (parsed[0] == "O" or "-" in tag or "_" in tag)
    ]
    return len(filled) >= 3 and len(tags) * 10 >= 9 * len(filled) and any(letter != "O" for letter, _ in tags)


def _has_tagged_rows(path: Path) -> bool:
    try:
        content, _ = read_text(path, limit=64_000)
    except DataError:
        return False
    rows = [row for _, row in parse_json_lines(content)][:50]

    def tagged(row: dict | None) -> bool:
        if row is None:
            return False
        tokens = any(isinstance(row.get(k), list) for k in TOKENS) and any(isinstance(row.get(k), list) for k in TAGS)
        spans = [row[k] for k in SPANS if isinstance(row.get(k), list)]
        return tokens or (isinstance(row.get("text"), str) and any(_is_span(s[0]) for s in spans if s))

    return bool(rows) and sum(map(tagged, rows)) * 2 > len(rows)


def _is_span(span: Any) -> bool:
    if isinstance(span, dict):
        return bool({"start", "start_offset"} & span.keys())
    return isinstance(span, list) and len(span) == 3 and isinstance(span[0], int) and isinstance(span[1], int)


def read_description(folder: Path) -> dict[str, Any]:
    """Features of a saved dataset; empty where its description cannot be read."""
    try:
        features = json.loads((folder / "dataset_info.json").read_text("utf-8")).get("features")
    except (OSError, ValueError, AttributeError):
        return {}
    return features if isinstance(features, dict) else {}
