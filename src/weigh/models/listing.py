"""What `weigh models` lists: addresses, and where their weights can be had from. Nothing is built or downloaded."""

from __future__ import annotations

from typing import NamedTuple

from weigh.language import detect_language, text
from weigh.models.catalogue import find_packaged
from weigh.models.pretrained import MODEL_SOURCES

__all__ = ["Listed", "list_models"]


class Listed(NamedTuple):
    """One row: an address, and a word on its weights."""

    address: str
    weights: str


def list_models(pattern: str, *, offline: bool = False, language: str | None = None) -> list[Listed]:
    """Models whose address matches a pattern with * and ?; a pattern without a source matches names of all sources."""
    import fnmatch

    source, colon, name = pattern.partition(":")
    sources = [s for s in MODEL_SOURCES if (not colon or fnmatch.fnmatchcase(s, source))]
    rows, spoken = [], detect_language(language)
    for source in sources:
        for found in MODEL_SOURCES.get(source).names(name if colon else pattern):
            address = f"{source}:{found}"
            packaged = find_packaged(address)
            if packaged is not None and packaged.locate():
                where = text("installed ({p})", "已安装（{p}）", p=packaged.package)
            elif MODEL_SOURCES.get(source).cached(found):
                where = text("in the local cache", "在本地缓存中")
            elif packaged is not None:
                where = text("hub, or {i}", "模型库，或 {i}", i=packaged.install)
            else:
                where = text("not within reach (offline)", "不可用（离线）") if offline else text("hub", "模型库")
            rows.append(Listed(address, where.render(spoken)))
    return rows
