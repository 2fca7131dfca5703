"""What the examples of a data set are called in a sentence: pictures, texts, sentences.

Checks and readers are shared by all tasks; only this word, and what it is counted by in Chinese, differs.
"""

from __future__ import annotations

from weigh.data.examples import Examples
from weigh.language import text
from weigh.nouns import Noun

__all__ = ["PICTURES", "SENTENCES", "TEXTS", "noun_of"]


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


def noun_of(examples: Examples) -> Noun:
    """The word for these examples."""
    if examples.tokens is not None:
        return SENTENCES
    return PICTURES if examples.texts is None else TEXTS
