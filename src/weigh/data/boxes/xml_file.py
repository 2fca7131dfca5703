"""XML of strangers as a small tree with line numbers: no document types, no entities, nothing is fetched and nothing grows.

Before it: a file. After it: `voc.py` looks for objects and boxes. The encoding is told from the bytes as for every other text; what the file
declares about itself counts where its bytes allow it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from weigh.data.tables.text_encoding import Decoded, decode
from weigh.errors import DataError
from weigh.files import read_file
from weigh.language import Text, text

__all__ = ["Element", "read_xml"]

LONGEST = 50_000_000  # bytes of one annotation
DEEPEST = 100  # elements within one another
MOST_LETTERS = 100_000  # of the text of an element; what stands there is a name or a number
DECLARED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([\w.:-]+)["']""")


@dataclass
class Element:
    """An element; names are without namespace and in small letters.

    Attributes:
        line: Where it begins, from 1.
    """

    name: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        """The elements of this name directly inside."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Element | None:
        """The first of them."""
        return next(iter(self.all(name)), None)

    def value(self, name: str) -> str:
        """The text of the first of them, "" where there is none."""
        inner = self.first(name)
        return "" if inner is None else inner.text.strip()


class _Refused(Exception):
    """The file holds what is never read; `reason` says it."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason


def read_xml(path: Path, encoding: str | None = None) -> tuple[Element, str]:
    """The outermost element, and what the file was read as ("UTF-8", "Windows-1252").

    Args:
        encoding: What the user says that it is written in.

    Raises:
        DataError: It cannot be read, is no XML, or defines entities; the message has the line.
    """
    raw = read_file(path, head=LONGEST + 1)
    if not raw.strip():
        raise DataError(text("{p} is empty.", "{p} 是空文件。", p=path))
    if len(raw) > LONGEST:
        raise DataError(text("{p} has more than {n} bytes.", "{p} 超过 {n} 字节。", p=path, n=f"{LONGEST:,}"))
    parser = expat.ParserCreate("utf-8")
    top = Element("", 0)
    stack = [top]

    def start(name: str, _: dict[str, str]) -> None:
        if len(stack) > DEEPEST:
            raise _Refused(text("elements are nested too deeply", "元素嵌套过深"))
        element = Element(name.rpartition(":")[2].casefold(), parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def characters(written: str) -> None:
        own = stack[-1]
        if own.children and not written.strip():
            return  # between elements
        if len(own.text) + len(written) > MOST_LETTERS:
            raise _Refused(text("the text of an element is too long", "元素中的文本过长"))
        own.text += written

    def refuse(*_: object) -> None:
        raise _Refused(text("it defines a document type or entities", "其中定义了文档类型或实体"))

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = lambda *_: 0
    parser.buffer_text = True
    try:
        decoded = _decoded(raw, encoding)
        parser.Parse(decoded.content.lstrip("\ufeff").encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        reason = text("line {n} is no valid XML", "第 {n} 行不是有效的 XML", n=error.lineno)
        raise _unreadable(path, reason) from None
    except _Refused as refused:
        raise _unreadable(path, refused.reason) from None
    return top.children[0], decoded.encoding


def _decoded(raw: bytes, encoding: str | None) -> Decoded:
    """The characters, as the user or the file says where the bytes allow it, else by the bytes."""
    declared = DECLARED.match(raw.lstrip())
    for codec in (encoding, declared[1].decode("ascii") if declared else None):
        if codec is not None:
            try:
                return Decoded(raw.decode(codec), "as told")  # refuses what packs instead of encodes
            except (LookupError, ValueError):
                pass
    return decode(raw) or Decoded("", "UTF-8")


def _unreadable(path: Path, reason: Text) -> DataError:
    return DataError(text("{p} cannot be read: {r}.", "无法读取 {p}：{r}。", p=path, r=reason))
