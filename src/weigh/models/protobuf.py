"""The wire format of protocol buffers, read alone: which numbered fields a message holds. No package, no schema, no code.

Lengths that reach beyond the message, numbers that never end and unknown kinds of fields are errors; nothing is allocated that the file
does not hold. Before it: the bytes of a file. After it: `tensorflow/graph.py`, which knows what the numbers mean.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Message", "ProtobufError", "message_field"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # kinds of fields; 3 and 4 are groups, which nobody writes any more
MOST_FIELDS = 5_000_000  # of one message


class ProtobufError(ValueError):
    """No message, or a damaged one."""


class Field(NamedTuple):
    """One field: its number, its kind, and its value: an unsigned number, or the bytes of a text, a message or a packed list."""

    number: int
    kind: int
    value: int | memoryview


class Message:
    """A message whose fields are read once, when it is made.

    Raises:
        ProtobufError: Damaged or cut off.
    """

    def __init__(self, data: memoryview | bytes) -> None:
        self.data = memoryview(data)
        self.fields: dict[int, list[Field]] = {}
        for field in _fields(self.data):
            self.fields.setdefault(field.number, []).append(field)

    def parts(self, number: int) -> list[memoryview]:
        """The bytes of every field of this number."""
        parts = []
        for field in self.fields.get(number, ()):
            if not isinstance(field.value, memoryview):
                raise ProtobufError(f"field {number} is a number")
            parts.append(field.value)
        return parts

    def messages(self, number: int) -> list[Message]:
        """Every field of this number as a message."""
        return [Message(part) for part in self.parts(number)]

    def message(self, number: int) -> Message:
        """The last field of this number as a message; an empty one where there is none."""
        parts = self.parts(number)
        return Message(parts[-1] if parts else b"")

    def texts(self, number: int) -> list[str]:
        """Every field of this number as text."""
        return [decoded(part) for part in self.parts(number)]

    def text(self, number: int) -> str:
        """The last field of this number as text; "" where there is none."""
        return (self.texts(number) or [""])[-1]

    def number(self, number: int, default: int = 0) -> int:
        """The last field of this number as a signed number."""
        values_of_number = self.fields.get(number)
        if not values_of_number:
            return default
        if isinstance(values_of_number[-1].value, memoryview):
            raise ProtobufError(f"field {number} is no number")
        return signed(values_of_number[-1].value)

    def float(self, number: int) -> float:
        """The last field of this number as a float of 32 bits."""
        (value,) = struct.unpack("<f", (self.number(number) & 0xFFFFFFFF).to_bytes(4, "little"))
        return value

    def varints(self, number: int) -> list[int]:
        """A repeated field of numbers, packed or not."""
        values: list[int] = []
        for field in self.fields.get(number, ()):
            if not isinstance(field.value, memoryview):
                values.append(signed(field.value))
                continue
            at = 0
            while at < len(field.value):
                value, at = _varint(field.value, at)
                values.append(signed(value))
        return values

    def fixed(self, number: int, size: int) -> bytes:
        """A repeated field of numbers of `size` bytes, packed or not, as one run of bytes."""
        parts = []
        for field in self.fields.get(number, ()):
            if isinstance(field.value, int) and field.value >> 8 * size:
                raise ProtobufError(f"field {number} holds a number of more than {size} bytes")
            parts.append(field.value if isinstance(field.value, memoryview) else field.value.to_bytes(size, "little"))
        joined = b"".join(parts)
        if len(joined) % size:
            raise ProtobufError(f"field {number} holds {len(joined)} bytes, no multiple of {size}")
        return joined

    def mapping(self, number: int) -> dict[str, Message]:
        """A map from texts to messages."""
        return {entry.text(1): entry.message(2) for entry in self.messages(number)}


def message_field(number: int, content: bytes | memoryview) -> bytes:
    """A text or a message as a field of another message, written."""
    size, length = bytearray(), len(content)
    while True:
        size.append(length & 127 | (128 if length > 127 else 0))
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + bytes(size) + bytes(content)


def signed(value: int) -> int:
    """A number of 64 bits in two's complement."""
    return value - (1 << 64) if value >> 63 else value


def decoded(part: memoryview) -> str:
    try:
        return bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise ProtobufError("a name is no text") from None


def _fields(data: memoryview) -> Iterator[Field]:
    at = count = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        count += 1
        if not 0 < number < 1 << 29 or count > MOST_FIELDS:
            raise ProtobufError(f"no field can be number {number}" if count <= MOST_FIELDS else "too many fields")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield Field(number, kind, value)
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ProtobufError(f"field {number} is of the unknown kind {kind}")
        if size > len(data) - at:
            raise ProtobufError(f"field {number} promises {size:,} bytes where {len(data) - at:,} are left")
        part = data[at : at + size]
        at += size
        yield Field(number, kind, part if kind == BYTES else int.from_bytes(part, "little"))


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of up to ten bytes at `at`, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError("a number never ends" if shift > 63 else "the file is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
