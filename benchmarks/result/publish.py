"""The tables of docs/benchmarks/result.md from the records; the words around them are written by hand.

Before it: `judge.py`. What was not run stands as "–"; nothing is filled in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.result.contenders import CONTENDERS, OURS
from benchmarks.result.judge import (
    Score,
    Verdict,
    answers_of,
    judge_pair,
    most_frequent,
    ranks,
    read_truth,
    score,
)
from benchmarks.result.kept import processor_of
from benchmarks.result.run import is_late
from benchmarks.result.sets import NEW_SETS, SETS

__all__ = ["Judged", "judge", "merged", "sections", "write_page"]

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "result.md"
START, END = "<!-- tables: written by python -m benchmarks.result publish -->", "<!-- end of tables -->"
DULL = ("For example:", "Read as CSV")  # lines that say nothing of time
LINE = 230
Record = dict[str, Any]


class Judged:
    """All records of one data set with one budget.

    Attributes:
        records: By contender.
        scores: Of what counts: the most frequent class where a contender was late.
        late_scores: Of what came too late, for the reader alone.
        verdicts: `verdicts[ours][theirs]`, for both of weigh's.
        forgiving: The same as if nobody had been late.
    """

    def __init__(self, place: Path, records: Mapping[str, Record]) -> None:
        truth, fallback = read_truth(place), most_frequent(place)
        self.about = json.loads((place / "set.json").read_text("utf-8"))
        self.records = {name: records[name] for name in CONTENDERS if name in records}
        answers = {name: answers_of(record, truth, fallback) for name, record in self.records.items()}
        self.scores = {name: score(one, truth) for name, one in answers.items()}
        self.majority = sum(label == fallback for label in truth.values()) / len(truth)
        self.late_scores: dict[str, float] = {}
        for name, record in self.records.items():
            if is_late(record) and record["predictions"]:
                right = sum(record["predictions"].get(example) == label for example, label in truth.items())
                self.late_scores[name] = right / len(truth)
        self.verdicts = _judge_all(answers, truth)
        late = any(is_late(record) for record in self.records.values())
        given = {name: answers_of(record, truth, fallback, forgiving=True) for name, record in self.records.items()}
        self.forgiving = _judge_all(given, truth) if late else self.verdicts


def _judge_all(answers: Mapping[str, Mapping[str, str]], truth: Mapping[str, str]) -> dict[str, dict[str, Verdict]]:
    return {
        ours: {name: judge_pair(answers[ours], one, truth) for name, one in answers.items() if name not in OURS}
        for ours in OURS
        if ours in answers
    }


def judge(records: Sequence[Record], folder: Path, set_names: Collection[str]) -> dict[float, dict[str, Judged]]:
    """Budget -> data set -> what is said of it; in the order of the sets."""
    budgets = sorted({record["budget"] for record in records if record["set"] in set_names})
    return {
        budget: {
            name: Judged(folder / "sets" / name, some)
            for name in set_names
            if (some := {r["contender"]: r for r in records if r["set"] == name and r["budget"] == budget})
        }
        for budget in budgets
    }


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *lines))


def _score_cell(judged: Judged, name: str) -> str:
    if name not in judged.records:
        return "–"
    if not is_late(judged.records[name]):
        return judged.scores[name].written()
    if name in judged.late_scores:
        return f"late ({judged.late_scores[name]:.3f} after {judged.records[name]['seconds']:.0f} s)"
    return "no model"


def _score_table(by_set: Mapping[str, Judged], names: Sequence[str]) -> str:
    lines = []
    for set_name, judged in by_set.items():
        about = judged.about
        cells = [f"{set_name}", f"{about['training']} / {about['test']}", f"{judged.majority:.3f}"]
        lines.append([*cells, *(_score_cell(judged, name) for name in names)])
    return _table(["data set", "training / test", "most frequent class", *names], lines)


def _verdict_table(by_set: Mapping[str, Judged], names: Sequence[str], ours: str, *, forgiving: bool) -> str:
    others = [name for name in names if name not in OURS]
    lines = []
    for set_name, judged in by_set.items():
        verdicts = (judged.forgiving if forgiving else judged.verdicts).get(ours)
        if verdicts is not None:
            lines.append([set_name, *(verdicts[o].written() if o in verdicts else "–" for o in others)])
    return _table([f"{ours} against", *others], lines)


def _summary_table(by_set: Mapping[str, Judged], names: Sequence[str]) -> str:
    """A contender that is not for all media is ranked among those that ran on its data sets."""
    placed = {set_name: ranks({name: one.value for name, one in j.scores.items()}) for set_name, j in by_set.items()}
    lines = []
    for name in names:
        held = {set_name: judged for set_name, judged in by_set.items() if name in judged.records}
        records = [judged.records[name] for judged in held.values()]
        seconds = [record["seconds"] for record in records if record["seconds"] is not None]
        predicting = [record["predict_seconds"] for record in records if record["predict_seconds"] is not None]
        cells = [name, str(len(held)), f"{mean(placed[set_name][name] for set_name in held):.2f}"]
        cells.append(f"{mean(judged.scores[name].value for judged in held.values()):.3f}")
        for ours in OURS:
            relations = [j.verdicts[ours][name].relation for j in held.values() if name in j.verdicts.get(ours, {})]
            number = {r: relations.count(r) for r in ("better", "equal", "undecided", "worse", "unlearnt")}
            cells.append(", ".join(f"{many} {r}" for r, many in number.items() if many) or "–")
        cells += [f"{median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f})" if seconds else "–"]
        cells += [str(sum(map(is_late, records))), f"{median(predicting):.0f}" if predicting else "–"]
        lines.append(cells)
    header = ["contender", "data sets", "mean rank", "mean accuracy", *(f"{ours} is" for ours in OURS)]
    return _table([*header, "seconds, median (range)", "late", "seconds to predict"], lines)


def _seconds_table(by_set: Mapping[str, Judged], names: Sequence[str]) -> str:
    def cell(judged: Judged, name: str) -> str:
        record = judged.records.get(name)
        if record is None:
            return "–"
        facts = record.get("facts") or {}
        parts = [f"{facts[name]:g} {name}" for name in ("epochs", "steps") if facts.get(name) is not None]
        epochs = "".join(f", {part}" for part in parts)
        share = 100 * record["processor_seconds"] / record["wall_seconds"]
        seconds = "no model" if record["seconds"] is None else f"{record['seconds']:.0f} s"
        return f"{seconds}{epochs} ({share:.0f} %)"

    lines = [[set_name, *(cell(judged, name) for name in names)] for set_name, judged in by_set.items()]
    return _table(["data set", *names], lines)


def _minutes_of_weigh(by_set: Mapping[str, Judged]) -> list[str]:
    """What weigh said while it ran, with the second; what won; and how many runs of which candidate ended."""
    lines = []
    for set_name, judged in by_set.items():
        for ours in OURS:
            record = judged.records.get(ours)
            if record is None:
                continue
            facts = record.get("facts") or {}
            runs = "; ".join(_run_words(name, one) for name, one in facts.get("runs", {}).items())
            heard = [(second, line) for second, line in record["lines"] if not line.startswith(DULL)]
            said = " · ".join(f"{second:.0f} s {_shortened(line)}" for second, line in heard)
            lines.append(f"- **{set_name}, {ours}**: won: {facts.get('winner', '–')}. {said}. Runs: {runs}.")
    return lines


def _shortened(line: str) -> str:
    line = line.rstrip(" ─").replace("No models were named; weigh tries", "tries").split(" Not tried:")[0]
    line = "report" if line.startswith("weigh · ") else line
    return line if len(line) <= LINE else line[:LINE] + "…"


def _run_words(name: str, one: Mapping[str, float]) -> str:
    """How many runs; seconds of features and heads are left out, since runs that are computed together each record those of all."""
    words = f" (words {one['words']:.0f} s)" if one.get("words", 0.0) >= 0.5 else ""
    return f"{name.removesuffix(' done')}: {one['runs']:.0f}{words}"


def _textbook_lines(judged: Mapping[float, Mapping[str, Judged]], set_names: Collection[str]) -> list[list[str]]:
    """The least budget with which weigh is not below what ten epochs of the textbook reached, and both times."""
    lines = []
    for name in set_names:
        full = [
            (by_set[name].records["textbook"]["seconds"], by_set[name].scores["textbook"])
            for by_set in judged.values()
            if name in by_set and _is_whole(by_set[name].records.get("textbook"))
        ]
        if not full:
            continue
        seconds, reached = min(full)
        cells = [name, reached.written(), f"{seconds:.0f} s"]
        for ours in OURS:
            cells.append(_first_not_below(judged, name, ours, reached, seconds))
        lines.append(cells)
    return lines


def _is_whole(record: Record | None) -> bool:
    facts = (record or {}).get("facts") or {}
    return record is not None and not is_late(record) and facts.get("epochs") == facts.get("of_epochs")


def _first_not_below(
    judged: Mapping[float, Mapping[str, Judged]], name: str, ours: str, reached: Score, seconds: float
) -> str:
    tried = []
    for budget, by_set in judged.items():
        if name not in by_set or ours not in by_set[name].records:
            continue
        record = by_set[name].records[ours]
        value = by_set[name].late_scores.get(
            ours, by_set[name].scores[ours].value
        )  # what it reached and when, late or not
        if record["seconds"] is None:
            continue
        if value >= reached.value:
            return f"{record['seconds']:.0f} s ({value:.3f}): {record['seconds'] / seconds:.2f} of its time"
        tried.append(f"{value:.3f} at {budget:.0f} s")
    return f"not reached ({', '.join(tried)})" if tried else "–"


def sections(records: Sequence[Record], folder: Path, set_names: Collection[str], ending: str = "") -> dict[str, str]:
    """Title -> tables, for each kind of processor by itself, since a minute of one is not a minute of another.

    One section for each budget at which weigh and somebody else were run, and one for the time to the textbook's score.

    Args:
        set_names: Data sets that are told together.
        ending: Of the titles, before the processor.
    """
    made: dict[str, str] = {}
    for processor in sorted({processor_of(record["machine"]) for record in records}):
        on_it = [record for record in records if processor_of(record["machine"]) == processor]
        made |= _sections_of(on_it, folder, set_names, f"{ending}, {processor}")
    return made


def _sections_of(records: Sequence[Record], folder: Path, set_names: Collection[str], ending: str) -> dict[str, str]:
    judged, made = judge(records, folder, set_names), dict[str, str]()
    for budget, by_set in judged.items():
        held = {name for one in by_set.values() for name in one.records}
        names = [name for name in CONTENDERS if name in held]
        if held.isdisjoint(OURS) or held.issubset(OURS):
            continue  # the textbook for as long as its ten epochs take, or weigh to know when it is there: for the last section alone
        parts = [
            _machines([r for r in records if r["budget"] == budget and r["set"] in set_names]),
            _summary_table(by_set, names),
            "Accuracy on the test part:",
            _score_table(by_set, names),
            "By `weigh read`, points of accuracy:",
            *(_verdict_table(by_set, names, ours, forgiving=False) for ours in OURS if ours in names),
        ]
        if any(map(is_late, (r for one in by_set.values() for r in one.records.values()))):
            parts.append(
                "The same as if nobody had been late (who was ended counts as the most frequent class all the same):"
            )
            parts += [_verdict_table(by_set, names, ours, forgiving=True) for ours in OURS if ours in names]
        parts += [
            "Seconds until the model was there (share of the core that the processes got until they had predicted):",
            _seconds_table(by_set, names),
            "Where the minutes of weigh went:",
            "\n".join(_minutes_of_weigh(by_set)),
        ]
        made[f"{budget / 60:g} minute{'s' if budget > 60 else ''}, one core{_of_media(by_set)}{ending}"] = "\n\n".join(
            parts
        )
    if not judged:
        return {}
    whole = _textbook_lines(judged, set_names)
    header = ["data set", "ten epochs of the textbook", "its time", *OURS]
    made[
        f"Time to the textbook's score{_of_media({name: one for by_set in judged.values() for name, one in by_set.items()})}{ending}"
    ] = _table(header, whole) if whole else "The textbook's ten epochs ended in none of these budgets."
    return made


def _of_media(by_set: Mapping[str, Judged]) -> str:
    """Words for a title where only one kind of data was measured."""
    media = {judged.about["medium"] for judged in by_set.values()}
    return f", {media.pop()}" if len(media) == 1 else ""


def _machines(records: Sequence[Record]) -> str:
    first = records[0]["machine"]
    commits = ", ".join(sorted({record["machine"]["commit"] for record in records if record["contender"] in OURS}))
    load = [record["machine"]["load_before"] for record in records]
    packages: dict[str, str] = {}
    for record in records:
        packages |= record.get("versions", {})
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    return (
        f"{processor_of(first)}, {first['cores']} cores of which one was used; load before the starts {min(load):.2f} to {max(load):.2f} "
        f"(median {median(load):.2f}). Python {first['python']}, {versions}; weigh at commit {commits or '–'}."
    )


def merged(written: str, made: Mapping[str, str]) -> str:
    """Sections of the page: those that were made now, and as they stand those that were not, in the order of their titles' minutes."""
    former = dict(part.partition("\n\n")[::2] for part in ("\n" + written.strip()).split("\n## ")[1:])
    held = {title: text.strip() for title, text in {**former, **made}.items()}

    def order(title: str) -> tuple[float, str]:
        number = title.split(" ")[0]
        return (float(number) if number.replace(".", "").isdigit() else math.inf, title)

    return "\n\n".join(f"## {title}\n\n{held[title]}" for title in sorted(held, key=order))


def write_page(records: Sequence[Record], folder: Path) -> None:
    """The tables into the page; the words around them stay, and tables of records that are no longer at hand."""
    before, rest = PAGE.read_text("utf-8").split(START)
    written, after = rest.split(END)
    made = sections(records, folder, SETS) | sections(records, folder, NEW_SETS, ", new examples")
    PAGE.write_text(f"{before}{START}\n\n{merged(written, made)}\n\n{END}{after}", "utf-8")
