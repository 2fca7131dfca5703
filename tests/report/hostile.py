"""The candidates, classes and hostile names of the example, and its sentences in both languages."""

from __future__ import annotations

from weigh.language import Text, text

__all__ = ["CANDIDATES", "CLASSES", "HOSTILE", "b", "hidden"]

HOSTILE = {
    "img": "<img src=x onerror=alert(1)>",
    "script": "<script>alert(1)</script>",
    "close": "</script><svg onload=alert(1)>",
    "rlo": "invoice\u202egpj.exe",
    "quote": "a\"b'c`d.jpg",
    "formula": '=HYPERLINK("http://x","y")',
    "terminal": "red\x1b[31m\x1b]0;title\x07",
    "template": "{{ 7*7 }}{% raw %}",
    "markdown": "[click](javascript:alert(1)) **bold** | cell",
}
CANDIDATES = [
    ("timm:tf_efficientnet_lite2 × probe", "lite2 probe", "timm:tf_efficientnet_lite2", 0.846, 48.7e6, 0.0121),
    ("timm:tf_efficientnet_lite0 × probe", "lite0 probe", "timm:tf_efficientnet_lite0", 0.842, 18.6e6, 0.0058),
    ("timm:tf_efficientnet_lite1 × probe", "lite1 probe", "timm:tf_efficientnet_lite1", 0.829, 21.7e6, 0.0083),
    ("timm:tf_efficientnet_lite0 × scratch", "lite0 scratch", "timm:tf_efficientnet_lite0", 0.551, 18.6e6, 0.0058),
]
CLASSES = (HOSTILE["img"], HOSTILE["script"])


def b(en: str, zh: str, **values: object) -> Text:
    return text(en, zh, **values)


def hidden(words: str) -> set[str]:
    """Signs that show nothing or turn the writing."""
    return {c for c in words if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E}
