"""One word in the forms that sentences in two languages need."""

from __future__ import annotations

from typing import NamedTuple

from weigh.language import Text, text

__all__ = ["Noun"]


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

    def of(self, n: int) -> Text:
        """The word after the number `n`: "1 picture", "2 pictures"."""
        return Text(self.one.en, self.counted.zh) if n == 1 else self.counted

    @classmethod
    def plain(cls, many: str, one: str, zh: str, measure: str) -> Noun:
        """The noun of what is counted by itself, copies too: "texts", "text", "文本", "条"."""
        all_of_it, counted, alone = text(many, zh), text(many, f"{measure}{zh}"), text("", measure)
        return cls(all_of_it, counted, text(one, f"{measure}{zh}"), alone, counted, all_of_it, alone)
