"""Which scripts a data set is written in, coarsely: a model that never saw Han characters cannot read Chinese.

Before it: texts. After it: a note among the problems. Scripts are told from code points; languages are not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from weigh.data.examples import Examples
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["WORDS", "find_scripts", "main_script"]

SCRIPTS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("Han", ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0xF900, 0xFAFF), (0x20000, 0x323AF))),
    ("Kana", ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))),
    ("Hangul", ((0xAC00, 0xD7AF), (0x1100, 0x11FF), (0x3130, 0x318F))),
    ("Latin", ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x24F), (0x1E00, 0x1EFF))),
    ("Greek", ((0x370, 0x3FF), (0x1F00, 0x1FFF))),
    ("Cyrillic", ((0x400, 0x52F),)),
    ("Hebrew", ((0x590, 0x5FF),)),
    ("Arabic", ((0x600, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF))),
    ("Devanagari", ((0x900, 0x97F),)),
    ("Bengali", ((0x980, 0x9FF),)),
    ("Tamil", ((0xB80, 0xBFF),)),
    ("Thai", ((0xE00, 0xE7F),)),
)
WORDS = {
    "Han": text("Han (Chinese)", "汉字"),
    "Kana": text("kana (Japanese)", "假名（日文）"),
    "Hangul": text("Hangul (Korean)", "谚文（韩文）"),
    "Latin": text("Latin", "拉丁字母"),
    "Greek": text("Greek", "希腊字母"),
    "Cyrillic": text("Cyrillic", "西里尔字母"),
    "Hebrew": text("Hebrew", "希伯来字母"),
    "Arabic": text("Arabic", "阿拉伯字母"),
    "Devanagari": text("Devanagari", "天城文"),
    "Bengali": text("Bengali", "孟加拉文"),
    "Tamil": text("Tamil", "泰米尔文"),
    "Thai": text("Thai", "泰文"),
    "other": text("another script", "其他文字"),
    "none": text("no letters", "没有字母"),
}
READ = 1_000  # characters of a text that decide
RARE = 0.01  # scripts of fewer texts than this share are counted, but not named in the sentence


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in ranges) + "]") for name, ranges in SCRIPTS}


def main_script(written: str) -> str:
    """The script of most letters: a key of `WORDS`. Japanese is told by any share of kana above a tenth."""
    written = written[:READ]
    if written.isascii():
        return "Latin" if any(map(str.isalpha, written)) else "none"
    counts = {name: len(pattern.findall(written)) for name, pattern in _patterns().items()}
    best = max(counts, key=lambda name: counts[name])
    if not counts[best]:
        return "other" if any(map(str.isalpha, written)) else "none"
    if best == "Han" and counts["Kana"] * 10 > counts["Han"]:
        return "Kana"
    return best


def find_scripts(examples: Examples, rows: Sequence[tuple[str, ...]]) -> list[Problem]:
    """One note: how many texts are mainly written in which script, by part."""
    counts: dict[str, dict[str, int]] = {}
    for row, part in zip(rows, examples.part.tolist(), strict=True):
        name = main_script(" ".join(row))
        counts.setdefault(name, {})
        counts[name][part] = counts[name].get(part, 0) + 1
    total = {name: sum(by_part.values()) for name, by_part in counts.items()}
    named = sorted((name for name in total if total[name] >= RARE * len(rows)), key=lambda name: -total[name])
    words = Text(
        ", ".join(f"{WORDS[name].en}: {total[name]}" for name in named),
        "，".join(f"{WORDS[name].zh}：{total[name]}" for name in named),
    )
    noun = examples.medium.noun
    return [
        Problem(
            "script",
            text(
                "Scripts of the {n} {m}: {w}.", "{n} {m}所用的文字：{w}。", n=len(rows), m=noun.of(len(rows)), w=words
            ),
            severity="note",
            numbers={"n": len(rows), **{name: total[name] for name in named}},
            details=tuple(
                {"script": name, "part": part, "examples": n}
                for name in sorted(total, key=lambda name: -total[name])
                for part, n in sorted(counts[name].items())
            ),
        )
    ]
