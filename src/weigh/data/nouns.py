"""What the examples of a data set are called in a sentence: pictures, texts, sentences.

Checks and readers are shared by all tasks; only this word, and what it is counted by in Chinese, differs.
"""

from __future__ import annotations

from typing import NamedTuple

from weigh.data.examples import Examples
from weigh.language import Text, text

__all__ = ["ENTITIES", "PICTURES", "SENTENCES", "TEXTS", "Noun", "noun_of"]


class Noun(NamedTuple):
    """One word in its forms.

    Attributes:
        many: "pictures", "图片".
        counted: After a number: "pictures", "张图片".
        one: "picture", "张图片" (after 每, 同一).
        measure: The measure word alone (Chinese): "张".
        unit, units, unit_measure: What copies are counted in: "files", "个文件"; "文件"; "个".
    """

    many: Text
    counted: Text
    one: Text
    measure: Text
    unit: Text
    units: Text
    unit_measure: Text


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
ENTITIES = Noun(
    text("entities", "实体"),
    text("entities", "个实体"),
    text("entity", "个实体"),
    text("", "个"),
    text("entities", "个实体"),
    text("entities", "实体"),
    text("", "个"),
)


def noun_of(examples: Examples) -> Noun:
    """The word for these examples."""
    if examples.tokens is not None:
        return SENTENCES
    return PICTURES if examples.texts is None else TEXTS
