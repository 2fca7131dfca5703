"""Pictures of the first examples of a finding, with what is given and answered drawn where that has a place in the picture.

Before it: `pictures.py` (what may be embedded) and the kind of the targets, which draws (`Kind.panes`). After it: `html.py` and its templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from weigh.findings.model import Finding
from weigh.kinds.shown import Swatch
from weigh.record.results import Results
from weigh.report.pictures import Album
from weigh.report.quantities import quantity
from weigh.report.rows import written_value
from weigh.report.visible import visible_line
from weigh.report.words import say

__all__ = ["PICTURES_SHOWN", "Gallery", "caption_of", "rows_by_path"]

PICTURES_SHOWN = 24
SWATCHES_SHOWN = 40
CAPTIONS = ("given", "predicted", "wrong", "confusion", "mistakes", "suspected")  # of a row, each with words of its own


@dataclass(frozen=True)
class Pane:
    """One of the pictures that show an example."""

    title: str
    uri: str


@dataclass(frozen=True)
class Thumbnail:
    """A picture of an example with what is known about it; `uri` is None where `panes` show it."""

    path: str
    uri: str | None
    alt: str
    caption: str
    panes: tuple[Pane, ...] = ()


class Gallery:
    """The pictures of one page in one language."""

    def __init__(self, results: Results | None, album: Album, language: str) -> None:
        self._results, self._album, self._language = results, album, language
        self._kept: dict[str, dict[int, Any]] = {}
        self._cut: set[str] = set()  # ids of findings

    def thumbnails(self, finding: Finding) -> list[Thumbnail]:
        """Captioned from the finding's rows where these name the file."""
        rows, shown, refused = rows_by_path(finding), [], self._album.refused
        for path in finding.examples[:PICTURES_SHOWN]:
            panes = self._panes(finding, path)
            uri = None if panes else self._album.uri(path)
            if uri is None and not panes:
                continue
            parts = caption_of(rows.get(path, {}), self._language)
            name = say("picture_of", self._language, path=visible_line(path))
            alt = (", " if self._language == "en" else "，").join([name, *parts])
            shown.append(Thumbnail(path, uri, alt, " · ".join(parts), panes))
        if self._album.refused > refused:
            self._cut.add(finding.id)
        return shown

    def cut(self, finding: Finding) -> bool:
        """Whether the page had no room for some of its pictures; known once `thumbnails` was asked."""
        return finding.id in self._cut

    def legend(self, finding: Finding) -> list[Swatch]:
        """The colours of what is drawn beside the pictures of a finding, the largest first."""
        if self._results is None:
            return []
        examples = self._results.examples
        chosen = [self._places[p] for p in finding.examples[:PICTURES_SHOWN] if p in self._places]
        answers = [self._answer(finding, i) for i in chosen]
        drawn = [examples.target[i] for i in chosen] + [answer for answer in answers if answer is not None]
        return examples.kind.legend(drawn, examples.classes)[:SWATCHES_SHOWN]

    def _panes(self, finding: Finding, path: str) -> tuple[Pane, ...]:
        """What is said about mistakes is drawn; other findings show the picture alone."""
        if self._results is None or path not in self._places or not finding.candidates:
            return ()
        at, examples = self._places[path], self._results.examples
        drawn = examples.kind.panes(
            examples.target[at],
            self._answer(finding, at),
            examples.kind.shown_side,
            examples.classes,
            self._album.content(path),
        )
        embedded = [(title.render(self._language), self._album.embed(image)) for title, image in drawn]
        return tuple(Pane(title, uri) for title, uri in embedded if uri is not None)

    def _answer(self, finding: Finding, at: int) -> Any | None:
        """What the first candidate of a finding answered about an example, as it can be drawn."""
        if self._results is None or not finding.candidates:
            return None
        name = finding.candidates[0]
        if name not in self._kept:
            self._kept[name] = self._results.kept_answers(name)
        if at in self._kept[name]:
            return self._kept[name][at]
        recorded, examples = self._results.recorded(name, at), self._results.examples
        return None if recorded is None else examples.kind.answer_of(recorded, examples.target[at])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {} if self._results is None else {str(path): i for i, path in enumerate(self._results.examples.path)}


def caption_of(row: dict[str, Any], language: str) -> list[str]:
    """What a row says about its example, in words."""
    parts = [
        say(f"picture_{key}", language, **{key: visible_line(written_value(key, row[key], language))})
        for key in CAPTIONS
        if row.get(key) not in (None, "")
    ]
    if isinstance(row.get("probability"), (int, float)):
        parts.append(quantity(row["probability"], "score", language))
    return parts


def rows_by_path(finding: Finding) -> dict[str, dict[str, Any]]:
    """What the finding says about each example."""
    rows = [*(finding.figure.rows if finding.figure else []), *finding.table]
    return {str(row["path"]): row for row in rows if "path" in row}
