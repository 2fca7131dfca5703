"""docs/benchmarks.md and docs/benchmarks/growth.svg, from results/*.json alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.contenders import CONTENDERS
from benchmarks.speed.draw import Line, Panel, panels
from benchmarks.speed.finetune import speeds
from benchmarks.speed.paired import ratios, spread
from benchmarks.speed.pictures import DATA
from benchmarks.speed.records import load
from benchmarks.speed.study75 import quantities
from benchmarks.statistics import Timing

__all__ = ["publish"]

DOCS = Path("docs")
HEAD = """# How fast

Written by `make bench` (`python -m benchmarks.speed publish`) from the figures in `benchmarks/speed/results/`; do not edit by hand.
Contenders are measured in turn within a round, each in a process of its own with the same number of threads, the order turned from
round to round. A ratio is formed within each round, so a drift of the machine cancels; what stands here is the median over rounds
and, in brackets, the smallest and the largest."""
AXIS = {
    "pictures": "pictures",
    "folds": "folds",
    "repeats": "repeats",
    "candidates": "candidates",
    "classes": "classes",
}


def publish(folder: Path | None = None, docs: Path = DOCS) -> Path:
    """Write the page and its picture; parts that were not measured are said to be missing."""
    page = [HEAD, *_finetune(folder), *_texts(folder), *_study(folder), *_statistics(folder), *_growth(folder, docs)]
    docs.mkdir(parents=True, exist_ok=True)
    file = docs / "benchmarks.md"
    file.write_text("\n\n".join(page) + "\n", "utf-8")
    return file


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] + ["---:"] * (len(header) - 1), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _measured_on(content: dict[str, Any]) -> str:
    """One line on the machine."""
    on = content["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in on["versions"].items())
    known = f" ({', '.join(on['instructions'])})" if on.get("instructions") else ""
    return (
        f"Measured on {on['processor']}{known}, {on['cores']} cores, load before the start {on['load_before']}; Python "
        f"{on['python']}, {versions}; commit {on['commit']}."
    )


def _finetune(folder: Path | None) -> list[str]:
    found = load("finetune-*", folder)
    out = ["## Fine-tuning: pictures a second"]
    if not found:
        return [*out, "Not measured yet."]
    out.append(
        "One whole epoch over real files at 224 pixels. All contenders start from the same weights and may use two loading "
        "processes (Hugging Face's default would be none). `weigh` decodes all pictures once, before training; the row "
        "“decoding too” counts that as if a single epoch were trained. Frameworks with callbacks are timed from the begin to the end of "
        "the epoch, without their start-up. “weigh / it” above 1 means that weigh is faster."
    )
    for content in found.values():
        rows = speeds(content)
        title = (
            f"### {content['model']}, {DATA.get(content['data'], content['data'])}, {content['machine']['processor']}"
        )
        sizes = f"{content['pictures']} pictures, batch {content['batch']}, {content['threads']} threads, {len(rows)} rounds."
        lines = []
        for name in dict.fromkeys(name for row in rows for name in row):
            speed, ratio = spread([row[name] for row in rows if name in row]), ratios(rows, "weigh", name)
            peaks = [row[name]["peak_bytes"] for row in content["rounds"] if name in row]
            memory = f"{max(peaks) / 1e6:.0f} MB" if peaks else ""
            lines.append([name, speed.written(1) if speed else "–", ratio.written() if ratio else "–", memory])
        order = [*CONTENDERS]
        lines.sort(key=lambda line: order.index(line[0].split(",")[0]) if line[0].split(",")[0] in order else 99)
        decode = [row["weigh"]["decode"] for row in content["rounds"] if "weigh" in row]
        decoding = spread(decode)
        table = _table(["contender", "pictures/s", "weigh / it", "peak memory"], lines)
        said = f"Decoding all pictures to squares took {decoding.written(1, ' s')}." if decoding else ""
        out += [title, f"{sizes} {said} {_measured_on(content)}".replace("  ", " "), table]
    out += ["### Who is who", _contenders(found)]
    return out


def _contenders(found: dict[str, dict[str, Any]]) -> str:
    versions: dict[str, dict[str, str]] = {}
    absent: dict[str, str] = {}
    for content in found.values():
        versions |= content["versions"]
        absent |= content["absent"]
    lines = []
    for name, named in CONTENDERS.items():
        if name in versions:
            lines.append(f"- `{name}`: {named.what} ({', '.join(f'{k} {v}' for k, v in versions[name].items())}).")
    lines += [f"- Not in the table: {name}: {why}" for name, why in absent.items()]
    return "\n".join(lines)


TRAINERS = {
    "weigh": "weigh's loop, as the recipe finetune enters it",
    "trainer": "Hugging Face Trainer, defaults",
    "trainer-bf16": "the same with bf16=True",
    "trainer-bf16-grouped": "the same with bf16=True and batches grouped by length",
    "trainer-padded": "defaults, all padded to 128 tokens, as many tutorials do",
}


def _texts(folder: Path | None) -> list[str]:
    out = ["## Fine-tuning: sentences a second"]
    content = load("texts", folder).get("texts")
    if content is None:
        return [*out, "Not measured yet: `python -m benchmarks.texts`."]
    rows = content["rounds"]
    out.append(
        f"One pass over {content['sentences']:,} sentences of SST-2 with MiniLM-L6, batch {content['batch']}, {len(rows)} rounds; tokenising is not counted for "
        "anybody. weigh drops nothing in attention and draws its dropout from bytes. " + _measured_on(content)
    )  # fmt: skip
    lines = []
    for name, what in TRAINERS.items():
        speed, found = spread([row[name] for row in rows if name in row]), ratios(rows, "weigh", name)
        if speed is not None and found is not None:
            lines.append([what, speed.written(1), found.written()])
    out.append(_table(["who", "sentences/s", "weigh / it"], lines))
    trained = load("texts-accuracy", folder).get("texts-accuracy")
    if trained is not None:
        mean, low, high = (100 * value for value in trained["difference"])
        out.append(
            f"Trained once each for {trained['epochs']} passes at the same rate, {trained['n']:,} test sentences: weigh {trained['weigh']:.3f}, Trainer with bf16 "
            f"{trained['trainer-bf16']:.3f}; difference {mean:+.1f} points [{low:+.1f}, {high:+.1f}], paired, about these two trained models alone."
        )  # fmt: skip
    return out


def _study(folder: Path | None) -> list[str]:
    out = ["## A study of 75 heads"]
    content = load("study75", folder).get("study75")
    if content is None:
        return [*out, "Not measured yet."]
    rows = quantities(content)
    first = content["rounds"][0]
    out.append(
        "Three backbones (EfficientNet-Lite 0 to 2) × 5 folds × 5 repeats on all solar cells, each head's strength chosen among seven inside the "
        "training folds; fresh cache. “Default” has the extras that a study has unless they are switched off: order check, learning "
        "curve, the leaders without suspects; “plain” has none of them. The refit of the winner is in both. `run` is everything from reading the data to "
        "the saved model; start-up and report are counted only where the name says so. " + _measured_on(content)
    )
    shown = {"default": "default extras", "plain": "extras off"}
    lines = []
    for name in dict.fromkeys(name for row in rows for name in row):
        found = spread([row[name] for row in rows if name in row])
        if found is not None:
            lines.append([_named(name, content), found.written(1)])
    out.append(_table(["what", "seconds"], lines))
    wanted: list[tuple[str, str, str, str]] = []
    for part, called in shown.items():
        wanted += [
            (f"{called}: run / limit (feature passes + one decode)", part, "limit", "≤ 1.2"),
            (f"{called}: run / limit with folded batch norms, as weigh folds them", part, "limit, folded", ""),
            (f"{called}: start-up, run and report / one textbook epoch (ResNet-18, fp32)", f"{part}, all", "textbook", "< 1"),
            (f"{called}: four more repeats / first run", f"{part}, more", part, "≤ 0.05"),
            (f"{called}: four more repeats with start-up and report / the same of the first", f"{part}, more, all", f"{part}, all", ""),
        ]  # fmt: skip
    wanted.append(("scikit-learn's 75 heads / weigh's 75 heads (extras off)", "sklearn", "plain, heads", "> 1"))
    lines = []
    for called, over, under, aim in wanted:
        found = ratios(rows, over, under)
        if found is not None:
            lines.append([called, found.written(3), aim])
    out.append(_table(["ratio within a round", "median (range)", "aim"], lines))
    for part, called in shown.items():
        if part in first:
            runs = ", ".join(f"{count} {purpose}" for purpose, count in first[part]["runs"].items())
            said = f"{called.capitalize()}, stages of the first round: {_stages(first[part])}. Runs: {runs}."
            out.append(f"{said} Stages of the four more repeats: {_stages(first[part]['more'])}.")
    return out


def _stages(measured: dict[str, Any]) -> str:
    """Seconds of what is heard while a study runs; a stage lasts until the next one is heard of."""
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in measured.get("stages", {}).items())


def _named(name: str, content: dict[str, Any]) -> str:
    if name == "sklearn":
        one = next(row["sklearn"] for row in content["rounds"] if "sklearn" in row)
        said = (
            "" if one["fits"] == one["planned"] else f" ({one['fits']} of {one['planned']} heads fitted, time scaled)"
        )
        return f"scikit-learn: StandardScaler and LogisticRegressionCV, same features, folds and strengths{said}"
    return {
        "limit": "limit: bare feature pass of each backbone, plus one decode",
        "limit, folded": "limit with folded batch norms, plus one decode",
        "decode": "one decode of all pictures (Pillow, two threads), in the limit",
        "textbook": "one textbook epoch, ResNet-18, fp32, same pictures",
    }.get(name, name.replace("all", "with start-up and report"))


def _statistics(folder: Path | None) -> list[str]:
    out = ["## Statistics and `weigh read`"]
    content = load("statistics", folder).get("statistics")
    if content is None:
        return [*out, "Not measured yet."]
    lines = [Timing(row["name"], tuple(row["seconds"])).written() for row in content["rows"]]
    return [*out, _measured_on(content), "\n".join(["| what | seconds, median | range |", "|---|---:|---:|", *lines])]


def _growth(folder: Path | None, docs: Path) -> list[str]:
    out = ["## Growth"]
    content = load("growth", folder).get("growth")
    if content is None:
        return [*out, "Not measured yet: `python -m benchmarks.growth`."]
    base = ", ".join(f"{value:,} {key}" for key, value in content["base"].items())
    out.append(
        f"One thing grows, the rest stays at {base} (classes: 10,000 pictures, one repeat, one candidate). Pictures are synthetic JPEGs of "
        "64 pixels and the network is tiny, so that what is seen is everything around the network. `peak` is the most memory of the "
        "process with mapped files, `own` without them; of both, what importing takes is in it. "
        + _measured_on(content)
    )
    drawn: list[Panel] = []
    for axis in AXIS:
        rows = [row for row in content["rows"] if row["axis"] == axis]
        if not rows:
            continue
        rows.sort(key=lambda row: row[axis])
        other = sorted({row["processor"] for row in rows if "processor" in row} - {content["machine"]["processor"]})
        elsewhere = [f"Measured on another machine: {', '.join(other)}."] if other else []
        out += [f"### {AXIS[axis].capitalize()}", *elsewhere, _growth_table(axis, rows)]
        done = [row for row in rows if "stopped" not in row]
        if done:
            drawn.append(Panel(AXIS[axis], _lines(axis, done)))
    if drawn:
        (docs / "benchmarks").mkdir(parents=True, exist_ok=True)
        (docs / "benchmarks" / "growth.svg").write_text(
            panels("Seconds and gigabytes of a study, as one thing grows", drawn, ""), "utf-8"
        )
        out.insert(2, "![Seconds and memory against what grows](benchmarks/growth.svg)")
    return out


def _growth_table(axis: str, rows: Sequence[dict[str, Any]]) -> str:
    header = [
        AXIS[axis],
        "runs",
        "run, s",
        "report, s",
        "peak, MB",
        "own, MB",
        "cache, MB",
        "arrays, MB",
        "study folder, MB",
    ]
    lines = []
    for row in rows:
        if "stopped" in row:
            lines.append([f"{row[axis]:,}", "", f"more than {row['stopped']:.0f}", *[""] * 6])
            continue
        megabytes = [
            f"{row[key] / 1e6:.{digits}f}"
            for key, digits in (
                ("peak_bytes", 0),
                ("own_bytes", 0),
                ("cache_bytes", 1),
                ("arrays_bytes", 1),
                ("study_bytes", 1),
            )
        ]
        lines.append([f"{row[axis]:,}", str(row["runs"]), f"{row['run']:.1f}", f"{row['report']:.1f}", *megabytes])
    return _table(header, lines)


def _lines(axis: str, rows: Sequence[dict[str, Any]]) -> list[Line]:
    def line(name: str, value: Callable[[dict[str, Any]], float]) -> Line:
        return Line(name, [(row[axis], value(row)) for row in rows])

    return [
        line("run, seconds", lambda row: row["run"]),
        line("report, seconds", lambda row: row["report"]),
        line("own memory, GB", lambda row: (row["own_bytes"] or row["peak_bytes"]) / 1e9),
    ]
