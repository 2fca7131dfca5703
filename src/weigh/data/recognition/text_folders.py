"""Whether a folder, or a saved dataset, holds texts with labels, pairs with a similarity, or tagged sentences: told from a first look.

Before it: `tasks.py`, after it has excluded pictures. After it: the readers of texts and tokens, which look again, at everything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weigh.data.recognition.looks import TextTask, look_at, looks_like_packed_files, looks_like_texts, looks_like_tokens
from weigh.data.rows.listing import natural_key
from weigh.data.rows.part_files import part_of, text_files
from weigh.data.sentences.objects import TAGS
from weigh.data.tables.roles import Roles, guess_roles
from weigh.data.texts.sources import has_text_classes
from weigh.errors import DataError
from weigh.files import read_json
from weigh.language import text
from weigh.spec import ColumnsSpec
from weigh.tasks import TEXT_CLASSIFICATION, TEXT_REGRESSION, TOKEN_CLASSIFICATION

__all__ = ["read_description", "recognise_features", "recognise_text_folder"]


def recognise_text_folder(folder: Path, columns: ColumnsSpec, encoding: str | None = None) -> TextTask | None:
    """The task of a folder of text files: one per part, or one folder of them per class."""
    every = set(text_files(folder))
    standoff = next(
        (p for p in sorted(every) if p.suffix.casefold() == ".ann" and p.with_suffix(".txt") in every), None
    )
    if standoff is not None:
        return TextTask(
            None,
            text(
                "{f} is an annotation of brat beside its text, which is not read here.",
                "{f} 是 brat 的标注（与文本分开存放），此处不读取。",
                f=standoff.name,
            ),
            text(
                'Write a line of JSON for each text: {"text": "Anna left", "entities": [[0, 4, "PER"]]}',
                '请为每个文本写一行 JSON：{"text": "Anna left", "entities": [[0, 4, "PER"]]}',
            ),
        )
    files = sorted(every, key=lambda p: (part_of(p.name) != "train", natural_key(p.name)))[:20]
    looks, error = [], None
    for path in files:
        try:
            looks.append(look_at(path, columns, encoding))
        except DataError as problem:
            error = error or problem
    for look in looks:
        packed = looks_like_packed_files(look, look.path.parent)
        if packed is not None:
            return packed
        task = looks_like_tokens(look)
        if task is not None:
            return TextTask(task.task, text("{f}: {r}", "{f}：{r}", f=look.path.name, r=task.reason))
    if has_text_classes(folder):
        return TextTask(TEXT_CLASSIFICATION, text("One folder of texts per class.", "每个类别一个文本文件夹。"))
    unclear: TextTask | None = None
    for look in looks:
        try:
            task = looks_like_texts(look)
        except DataError as problem:
            error = error or problem
            continue
        if task is not None and task.task is not None:
            return task
        unclear = unclear or task
    if error is not None and unclear is None and len(files) <= 2:
        raise error
    return unclear


def recognise_features(features: dict[str, Any]) -> TextTask | None:
    """The task of a saved dataset, from the features that its description lists."""
    lists = {name: inner for name, f in features.items() if (inner := _inner(f)) is not None}
    named = [name for name, inner in lists.items() if inner.get("_type") == "ClassLabel"]
    words = [name for name, inner in lists.items() if inner.get("dtype") == "string" and inner.get("_type") == "Value"]
    if words and (named or [name for name in lists if name in TAGS and name not in words[:1]]):
        return TextTask(
            TOKEN_CLASSIFICATION, text("A saved dataset of tagged tokens.", "保存在本地的数据集，带有标记的词。")
        )
    columns: dict[str, list[str | None]] = {
        name: [] for name, f in features.items() if isinstance(f, dict) and f.get("_type") in ("Value", "ClassLabel")
    }
    roles: Roles = guess_roles(columns)
    classes = [n for n, f in features.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"]
    label = roles.label or (classes[0] if len(classes) == 1 else named[0] if len(named) == 1 else None)
    if not roles.text or label is None:
        return None
    if str(features[label].get("dtype", "")).startswith("float"):
        return TextTask(
            TEXT_REGRESSION, text("A saved dataset of texts with numbers.", "保存在本地的文本数据集，带有数值。")
        )
    return TextTask(TEXT_CLASSIFICATION, text("A saved dataset of texts.", "保存在本地的文本数据集。"))


def _inner(feature: Any) -> dict[str, Any] | None:
    """What a list holds, however the version of the library writes it; None for other features."""
    if isinstance(feature, list) and len(feature) == 1:
        return feature[0] if isinstance(feature[0], dict) else None
    if isinstance(feature, dict) and feature.get("_type") in ("Sequence", "List", "LargeList"):
        inner = feature.get("feature")
        return inner if isinstance(inner, dict) and "_type" in inner else None
    return None


def read_description(folder: Path) -> dict[str, Any]:
    """Features of a saved dataset; empty where its description cannot be read."""
    try:
        features = read_json(folder / "dataset_info.json").get("features")
    except (DataError, AttributeError):
        return {}
    return features if isinstance(features, dict) else {}
