"""What the examples of a data set are called in a sentence: pictures, texts, sentences.

Checks and readers are shared by all tasks; only this word, and what it is counted by in Chinese, differs.
"""

from __future__ import annotations

from typing import NamedTuple

from weigh.data.examples import Examples
from weigh.language import Text, text

__all__ = ["PICTURES", "SENTENCES", "TEXTS", "Noun", "noun_of"]


class Noun(NamedTuple):
    """One word in its forms.

    Attributes:
        many: "pictures", "图片".
        counted: After a number: "pictures", "张图片".
        one: "picture", "张图片" (after 每, 同一).
        unit: What copies are counted in: "files", "个文件".
    """

    many: Text
    counted: Text
    one: Text
    unit: Text


PICTURES = Noun(
    text("pictures", "图片"), text("pictures", "张图片"), text("picture", "张图片"), text("files", "个文件")
)
TEXTS = Noun(text("texts", "文本"), text("texts", "条文本"), text("text", "条文本"), text("texts", "条文本"))
SENTENCES = Noun(
    text("sentences", "句子"), text("sentences", "个句子"), text("sentence", "个句子"), text("sentences", "个句子")
)


def noun_of(examples: Examples) -> Noun:
    """The word for these examples."""
    if examples.tokens is not None:
        return SENTENCES
    return PICTURES if examples.texts is None else TEXTS
