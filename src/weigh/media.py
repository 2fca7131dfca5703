"""What examples are made of: pictures, texts, sentences in tokens. One line each; no torch.

How they are read: `data/readers.py`; how they are fed to networks: `inputs/`. Both look a medium up by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weigh.language import Text, text
from weigh.nouns import Noun
from weigh.registry import Registry

__all__ = ["MEDIA", "PICTURES", "SENTENCES", "TEXTS", "Medium", "medium_named"]


PICTURES = Noun(
    text("pictures", "图片"),
    text("pictures", "张图片"),
    text("picture", "张图片"),
    text("", "张"),
    text("files", "个文件"),
    text("files", "文件"),
    text("", "个"),
)
TEXTS = Noun(
    text("texts", "文本"),
    text("texts", "条文本"),
    text("text", "条文本"),
    text("", "条"),
    text("texts", "条文本"),
    text("texts", "文本"),
    text("", "条"),
)
SENTENCES = Noun(
    text("sentences", "句子"),
    text("sentences", "个句子"),
    text("sentence", "个句子"),
    text("", "个"),
    text("sentences", "个句子"),
    text("sentences", "句子"),
    text("", "个"),
)


@dataclass(frozen=True)
class Medium:
    """One medium.

    Attributes:
        name: As tasks name it.
        reads: What models must be made for: "pictures" or "texts".
        noun: What an example is called in a sentence.
        title: What models read, in a message.
        per_token: Every token has an answer of its own, so there is no one vector per example for a head.
    """

    name: str
    reads: str
    noun: Noun
    title: Text
    per_token: bool = False

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return medium_named, (self.name,)


MEDIA: Registry[Medium] = Registry(text("medium", "样本类型"))
for _medium in (
    Medium("pictures", "pictures", PICTURES, text("pictures", "图片")),
    Medium("texts", "texts", TEXTS, text("texts", "文本")),
    Medium("sentences", "texts", SENTENCES, text("texts", "文本"), per_token=True),
):
    MEDIA.register(_medium.name, _medium)


def medium_named(name: str) -> Medium:
    """The medium of that name; also how pickle finds it again in a worker."""
    return MEDIA.get(name)
