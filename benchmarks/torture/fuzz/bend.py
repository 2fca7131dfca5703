"""Values that programs stumble over, and ways to damage a file: each drawn from a generator, so that a seed repeats it."""

from __future__ import annotations

import gzip

import numpy as np

__all__ = ["HARMS", "NASTY", "Draws", "bend_bytes", "chance", "encode", "harmed", "nasty", "pick"]

NASTY = [
    "", " ", "\u00a0", "nan", "NaN", "None", "null", "NA", "inf", "-inf", "1e999", "-0", "-0.0", "0x10", "1_000", "٣", "①", "10²",
    "Ⅷ", "½", "\x00", "\x1b[31mred\x1b[0m", "\x1b]0;t\x07", "\x9b2J", "\u202egpj.exe", "\ufeff", "\u2028", "\u2029", "\x85", "\x0c",
    "\x0b", "\ud800", "x" * 3000, "9" * 400, "9" * 5000, '"', '""', "'", "\\", ",", ";", "\t", "|", "\r", "\n", "\r\n", "=cmd()",
    "../../etc/passwd", "/dev/zero", "/dev/stdin", "C:\\x.png", "http://x/y.png", "file:///etc/passwd", "[1, 2]", "{'a': 1}",
    "['a', 'b']", '["a"]', "B-", "I-", "O", "B-PER", "E-X", "S-", "-DOCSTART-", "# c", "1,5", "1.234,5", "50 %", "50%", "1.0",
    "3000000000", "9223372036854775808", "-1", "1e9", "1E-400", "true", "True", "😀", "👨‍👩‍👧", "e\u0301", "é", "中文", "ﬀ", "ß", "İ",
    "2024-13-45", "12:60:61", "!!python/object:os.system", "&a", "*a", "%", "{0}", "{x!r}", "%s", "$(id)", "`id`", "<b>", "&amp;",
    "p:", "p:a", "label", "text", "example", "model", "run", "set", "fold", "group", "__proto__", "con", "\u200b", "a\u200db",
]  # fmt: skip
ENCODINGS = [
    "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "gb18030", "cp949", "shift_jis", "cp1251", "utf-7",
]  # fmt: skip


# How much of the usual harm an input suffers: a third of them nearly none, or what lies behind the first check would hardly be reached.
HARMS = (0.03, 0.4, 1.0)


class Draws(np.random.Generator):
    """A generator of one input, which knows how much harm that input suffers."""

    harm: float = 1.0


def harmed(rng: np.random.Generator, share: float) -> bool:
    """Like `chance`, of something that damages the input."""
    return chance(rng, share * getattr(rng, "harm", 1.0))


def chance(rng: np.random.Generator, share: float) -> bool:
    return bool(rng.random() < share)


def pick(rng: np.random.Generator, values):
    return values[int(rng.integers(len(values)))]


def nasty(rng: np.random.Generator) -> str:
    """One value to stumble over, sometimes two in one."""
    value = pick(rng, NASTY)
    return value + pick(rng, NASTY) if chance(rng, 0.15) else value


def encode(rng: np.random.Generator, content: str) -> bytes:
    """The text in some encoding; what it cannot say is replaced."""
    name = pick(rng, ENCODINGS) if harmed(rng, 0.35) else "utf-8"
    if name.startswith("utf"):
        return content.encode(name, "surrogatepass") if name != "utf-7" else content.encode(name, "replace")
    return content.encode(name, "replace")


def bend_bytes(rng: np.random.Generator, raw: bytes, *, share: float = 0.25) -> bytes:
    """With chance `share` (less where the input suffers less), one to three wounds: bits flipped, cut short, parts doubled, lost or swapped, packed, other line ends."""
    if not harmed(rng, share):
        return raw
    for _ in range(int(rng.integers(1, 3))):
        raw = _wound(rng, raw)
    return raw


def _wound(rng: np.random.Generator, raw: bytes) -> bytes:
    n = len(raw)
    a, b = sorted(int(x) for x in rng.integers(0, n + 1, 2))
    kind = int(rng.integers(14))
    if kind == 0 and n:
        wounded = bytearray(raw)
        for at in rng.integers(0, n, int(rng.integers(1, 1 + max(1, n // 50)))):
            wounded[int(at)] ^= 1 << int(rng.integers(8))
        return bytes(wounded)
    if kind == 1:
        return raw[:b]
    if kind == 2:
        return raw[:a] + raw[b:]
    if kind == 3:
        return raw[:b] + raw[a:b] * int(rng.integers(1, 20)) + raw[b:]
    if kind == 4:
        return raw[:a] + nasty(rng).encode("utf-8", "surrogatepass") + raw[a:]
    if kind == 5:
        return raw[a:] + raw[:a]
    if kind == 6:
        return raw.replace(b"\n", pick(rng, [b"\r\n", b"\r", b"\n\n", b"\x0b", b"\xe2\x80\xa8", b"\0"]))
    if kind == 7:
        packed = gzip.compress(raw)
        return packed[: int(rng.integers(len(packed)))] if chance(rng, 0.4) else packed
    if kind == 8:
        return raw[:a] + b"\0" * int(rng.integers(1, 200)) + raw[a:]
    if kind == 9:
        return raw + raw
    if kind == 10:
        return pick(
            rng,
            [b"", b"\n", b"\0", b"\xff\xfe", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"{", b"[", b'"', b"\xef\xbb\xbf"],
        )
    if kind == 11:
        return raw[:a] + rng.bytes(int(rng.integers(1, 60))) + raw[a:]
    if kind == 12:
        return raw.replace(
            pick(rng, [b",", b"\t", b":", b'"', b"-", b"0", b"a"]),
            pick(rng, [b";", b"\t", b"", b'"', b"'", b" ", b"\\"]),
        )
    return raw.rstrip(b"\n")
