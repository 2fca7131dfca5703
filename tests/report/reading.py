"""What a reader sees of a page: its text by finding, without markup. For tests that compare languages."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

__all__ = ["PageText", "numbers"]

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
VOID = {"meta", "img", "br", "link", "input", "hr"}


def numbers(text: str) -> Counter[str]:
    """Every number of a text, as written."""
    return Counter(_NUMBER.findall(text))


class PageText(HTMLParser):
    """The text of a page, all of it and by `data-finding`; also its attributes, for tests of what must not occur."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[tuple[str, str | None]] = []
        self.findings: dict[str, list[str]] = {}
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.blocks: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.stack.append((tag, dict(attrs).get("data-finding")))
        if tag in self.blocks:
            self.blocks[tag].append("")

    def handle_endtag(self, tag):
        while self.stack and tag not in VOID:
            if self.stack.pop()[0] == tag:
                break

    def handle_data(self, data):
        if self.stack and self.stack[-1][0] in self.blocks:
            self.blocks[self.stack[-1][0]][-1] += data
            return
        self.text.append(data)
        for _, finding in self.stack:
            if finding:
                self.findings.setdefault(finding, []).append(data)
