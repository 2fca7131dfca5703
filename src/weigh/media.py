"""What examples are made of: pictures, texts, sentences in tokens. One line each; no torch.

How they are read: `data/readers.py`; how they are fed to networks: `inputs/`. Both look a medium up by its name.
"""

from __future__ import annotations

from dataclasses import dataclass

from weigh.language import text
from weigh.registry import Registry

__all__ = ["MEDIA", "Medium"]


@dataclass(frozen=True)
class Medium:
    """One medium.

    Attributes:
        name: As tasks name it.
        reads: What models must be made for: "pictures" or "texts".
        per_token: Every token has an answer of its own, so there is no one vector per example for a head.
    """

    name: str
    reads: str
    per_token: bool = False


MEDIA: Registry[Medium] = Registry(text("medium", "样本类型"))
for _medium in (Medium("pictures", "pictures"), Medium("texts", "texts"), Medium("sentences", "texts", per_token=True)):
    MEDIA.register(_medium.name, _medium)
