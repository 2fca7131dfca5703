"""The report as one page that opens from disk: no network, no dependency, a strict security policy.

Before it: `findings/` (the findings), `story.py` (their order), `figures.py` (drawings). After it: a browser.
Everything that a user wrote passes `visible` and Jinja's escaping; the policy in the page allows one style sheet and one
script by their hashes and pictures from the page itself, so even a name that slipped through could not act.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from weigh.findings.amounts import written_level
from weigh.findings.model import Finding, FindingsFile
from weigh.record.results import Results
from weigh.report import words
from weigh.report.columns import COLUMNS
from weigh.report.figures import draw_figure, figure_numbers
from weigh.report.gallery import PICTURES_SHOWN, Gallery, caption_of, rows_by_path
from weigh.report.methods import method_in_words
from weigh.report.pictures import Album
from weigh.report.quantities import number, quantity, show_estimate
from weigh.report.quotes import Quotation, Quotes
from weigh.report.rows import cell, estimate_title, field_title, isolated, setting_in_words, table_of
from weigh.report.runs import run_rows
from weigh.report.story import HELD_BACK, Story, answer_of, main_estimate, subject, tell
from weigh.report.visible import visible, visible_line
from weigh.run import ASKED_WORDS

__all__ = ["page_style", "render_html"]

TEMPLATES = Path(__file__).parent / "templates"
FILES_LISTED = 5000  # names of files per finding; findings.json has no limit
RUNS_LISTED = 5000
ROWS_UNFOLDED, COLUMNS_UNFOLDED = 8, 6  # larger tables are folded


def render_html(
    file: FindingsFile,
    results: Results | None,
    *,
    language: str,
    picture: Callable[[str], bytes | None] | None,
) -> str:
    """The page.

    Args:
        results: Records for the table of every run; None leaves the table out.
        language: "en" or "zh".
        picture: Gives a small JPEG, WebP or PNG of a path in `examples`, or None; None shows no pictures.
    """
    page = Page(file, tell(file), results, language, Album(picture))
    return _environment().get_template("report.html.j2").render(page=page, **page.context())


def page_style(selector: str) -> Markup:
    """The page's rules, in force only inside `selector` (nested rules); the page's own frame and paper are left out."""
    return Markup(
        "@scope ({}) {{ :scope {{ background: var(--paper); color: var(--ink); padding: .5rem; }} {} }}"
    ).format(
        Markup(selector), Markup(str(_asset("report.css")).replace(":root", ":scope").replace("body {", ":scope {"))
    )


@dataclass(frozen=True)
class Quote:
    """The texts of an example with what is known about it."""

    path: str
    texts: tuple[Quotation, ...]
    caption: str
    effects: str  # which words mattered, in a sentence; "" where this was not measured


class Page:
    """What the templates ask: words, drawings and lists for one report in one language."""

    def __init__(self, file: FindingsFile, story: Story, results: Results | None, language: str, album: Album) -> None:
        self.file, self.story, self.results, self.language, self.album = file, story, results, language, album
        self.study: dict[str, Any] = file.study
        self.quoted, self.gallery = Quotes(results), Gallery(results, album, language)
        self.anchors = {finding.id: f"f{at}" for at, finding in enumerate(file.findings, 1)}

    def context(self) -> dict[str, Any]:
        """Names that the templates use without `page.`."""
        return {
            "say": self.say,
            "asked": ASKED_WORDS,
            "t": self.translate,
            "words": words,
            "language": self.language,
            "new_files": "FILES" if self.results is None else self.results.examples.medium.new_files,
            "lang": "zh-CN" if self.language == "zh" else "en",
        }

    def say(self, key: str, **values: object) -> str:
        return words.say(key, self.language, **values)

    def translate(self, source: Any) -> str:
        """A `Text`, or one as a dictionary {en, zh}, in the page's language."""
        if source is None:
            return ""
        if isinstance(source, dict):
            return str(source.get(self.language) or source.get("en") or "")
        return source.render(self.language)

    @property
    def style(self) -> Markup:
        return _asset("report.css")

    @property
    def script(self) -> Markup:
        return _asset("report.js")

    @property
    def policy(self) -> str:
        """The page's Content-Security-Policy."""
        return (
            f"default-src 'none'; img-src data:; style-src '{_hash(self.style)}'; script-src '{_hash(self.script)}'; "
            "base-uri 'none'; form-action 'none'"
        )

    def anchor(self, finding: Finding) -> str:
        return self.anchors.get(finding.id, "f0")

    def answer(self, finding: Finding) -> str:
        return answer_of(finding, self.language)

    def estimate(self, estimate: Any) -> str:
        return show_estimate(estimate, self.language)

    def level(self, estimate: Any) -> str:
        return self.say("interval", level=f"{written_level(estimate.level)} %")

    def counted(self, estimate: Any) -> str:
        """`2099 examples`."""
        unit = visible(words.unit_word(estimate.n_unit, str(estimate.n), self.language))
        return f"{estimate.n} {unit}" if estimate.n else ""

    def method(self, estimate: Any) -> str:
        return method_in_words(estimate.method, self.language)

    def value_only(self, estimate: Any) -> str:
        return quantity(estimate.value, estimate.unit, self.language)

    def interval_only(self, estimate: Any) -> str:
        shown = show_estimate(estimate, self.language)
        return shown[shown.index("[") :] if "[" in shown else ""

    def figure(self, finding: Finding) -> Markup:
        return draw_figure(finding.figure, self.language, finding.measured) if finding.figure else Markup("")

    def figure_numbers(self, finding: Finding) -> Markup:
        return figure_numbers(finding.figure, self.language, finding.measured) if finding.figure else Markup("")

    def tabulated(self, finding: Finding) -> str:
        """Whether the finding has a table of its own (not the rows that its figure shows already): short, long or none."""
        if not finding.table or (finding.figure is not None and finding.figure.rows == finding.table):
            return "none"
        wide = (
            max(len(row) for row in finding.table) > COLUMNS_UNFOLDED or "path" in finding.table[0]
        )  # pictures show it
        return "long" if wide or len(finding.table) > ROWS_UNFOLDED else "short"

    def table(self, finding: Finding) -> Markup:
        if not finding.table:
            return Markup("")
        return table_of(finding.table, self.language, caption=self.translate(finding.question), figure=finding.figure)

    def estimate_title(self, finding: Finding, key: str) -> str:
        return estimate_title(key, self.language)

    def measured_sentence(self, finding: Finding) -> str:
        """What the finding says about this machine, where it says something."""
        sentence = finding.measured.get("sentence")
        return self.translate(sentence) if isinstance(sentence, dict) else ""

    def measured_facts(self, finding: Finding) -> list[tuple[str, str]]:
        """Single numbers that change from run to run."""
        plain = {
            key: value for key, value in finding.measured.items() if key != "sentence" and not isinstance(value, list)
        }
        return [(estimate_title(key, self.language), _written(value)) for key, value in sorted(plain.items())]

    def other_of(self, finding: Finding) -> str:
        """The candidate that a comparison sets against the winner, by its label."""
        name = next((c for c in finding.candidates if c != self.winner()["id"]), "")
        labels = {c.get("id"): c.get("label") for c in self.study.get("candidates", []) if isinstance(c, dict)}
        return str(labels.get(name) or name)

    def held_back(self, finding: Finding) -> list[str]:
        """The outcomes that limit the conclusion, the worst first, each once."""
        present = {assumption.outcome for assumption in finding.assumptions}
        return [outcome for outcome in reversed(HELD_BACK) if outcome in present]

    def quotes(self, finding: Finding) -> list[Quote]:
        """Texts of the first examples, captioned like pictures."""
        rows = rows_by_path(finding)
        quoted = [(path, self.quoted.of(path)) for path in finding.examples[:PICTURES_SHOWN]]
        return [
            Quote(
                path,
                texts,
                " · ".join(caption_of(rows.get(path, {}), self.language)),
                self.quoted.in_words(path, self.language),
            )
            for path, texts in quoted
            if texts
        ]

    def files(self, finding: Finding) -> tuple[list[str], int]:
        """Names of files, and how many more there are."""
        return finding.examples[:FILES_LISTED], max(len(finding.examples) - FILES_LISTED, 0)

    def winner(self) -> dict[str, Any]:
        """The candidate that the headline names: {id, label, model, recipe}; only an id where the study says no more."""
        headline = self.story.headline
        name = (headline.candidates[0] if headline and headline.candidates else None) or self.study.get("winner")
        for candidate in self.study.get("candidates", []):
            if isinstance(candidate, dict) and candidate.get("id") == name:
                return {
                    "id": name,
                    "label": candidate.get("label", name),
                    "model": candidate.get("model"),
                    "recipe": candidate.get("recipe"),
                }
        return {"id": name, "label": name, "model": None, "recipe": None}

    def main_estimate(self, finding: Finding) -> Any:
        return main_estimate(finding)

    def facts(self) -> list[tuple[str, str]]:
        """What identifies the study: shown in the box for citing and reproducing."""
        design = self.study.get("design") or {}
        shown = [
            ("weigh", self.study.get("weigh")),
            (self.say("data"), self.study.get("data")),
            (self.say("primary"), field_title(None, str(self.study.get("primary") or ""), self.language)),
            (
                self.say("design"),
                _written(
                    {
                        self.translate(words.DESIGN[key]): setting_in_words(design[key], self.language)
                        for key in ("folds", "repeats", "test", "group_by", "purpose", "vary")
                        if design.get(key) is not None
                    }
                ),
            ),
            (self.translate(COLUMNS["folds_run"]), self._folds_run(design.get("folds"))),
            (self.say("seed"), design.get("seed")),
            (self.say("test_looks"), self.study.get("test_looks")),
        ]
        return [(name, _written(value)) for name, value in shown if value not in (None, "", {})]

    def _folds_run(self, folds: int | None) -> dict[str, str]:
        """Label of each candidate that ran in some folds only -> "1 / 5"; the design above is what was to be run."""
        if self.study.get("origin") != "study" or not folds:
            return {}
        candidates = [one for one in self.study.get("candidates", []) if isinstance(one, dict)]
        return {
            one.get("label", one.get("id")): f"{one['folds_run']} / {folds}"
            for one in candidates
            if 0 < one.get("folds_run", folds) < folds
        }

    def environment(self) -> list[tuple[str, str]]:
        return [
            (visible_line(key), _written(value)) for key, value in sorted((self.study.get("environment") or {}).items())
        ]

    def provenance(self) -> Markup:
        """Facts on each model: weights, licence, size."""
        rows = [
            {"model": address, **{k: v for k, v in facts.items() if not isinstance(v, dict)}}
            for address, facts in (self.study.get("models") or {}).items()
        ]
        return table_of(rows, self.language, caption=self.say("models")) if rows else Markup("")

    def citation(self) -> str:
        year = str(self.file.measured.get("started") or "")[:4]
        described = [f"{self.say('data')} {self.study.get('data') or '–'}", *([year] if year.isdigit() else [])]
        return self.say(
            "citation",
            version=self.study.get("weigh", ""),
            name=visible_line(self.study.get("name", "")),
            data=self.say("comma").join(described),
        )

    def command(self) -> str:
        """What to type for the same report of others' predictions, quoted for a shell."""
        return visible_line(shlex.join(map(str, self.study.get("command") or ("weigh", "read", "TABLE"))))

    def runs(self) -> Markup:
        """Every run as a table."""
        rows = self.results.once(run_rows) if self.results is not None else []
        return (
            table_of(rows, self.language, caption=self.say("runs_caption"), limit=RUNS_LISTED) if rows else Markup("")
        )

    def counts(self) -> tuple[int, int]:
        """Runs that failed, and all runs."""
        runs = self.study.get("runs") or {}
        failed, done = int(runs.get("failed", 0)), int(runs.get("done", 0))
        return failed, failed + done

    def skipped(self) -> list[tuple[str, str]]:
        skipped = self.study.get("skipped") or {}
        return [(subject(key, self.language), self.translate(value)) for key, value in skipped.items()]


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return " · ".join(f"{visible_line(key)}: {_written(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_written(entry) for entry in value)
    if isinstance(value, float):  # no power of ten for the seconds of three hours
        return f"{value or 0.0:.4g}" if abs(value) < 9999.5 else number(value)
    return visible_line(value)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # every expression of every template passes here, so no text reaches the page with hidden characters
        finalize=lambda value: (
            value if isinstance(value, Markup) else visible(value) if isinstance(value, str) else value
        ),
    )
    environment.filters["bdi"] = isolated
    environment.globals["cell"] = cell
    return environment


@lru_cache(maxsize=4)
def _asset(name: str) -> Markup:
    return Markup("\n" + (TEMPLATES / name).read_text(encoding="utf-8"))


def _hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
