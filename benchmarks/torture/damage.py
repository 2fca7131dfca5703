"""Flips, cuts, zeroings and swaps in the files of a cache and of a study: nothing wrong is read without a word.

Of every damaged study a report is made, then the study is run again; of a damaged cache a new study is made. Each time its
findings are those of the undamaged one, or what is wrong is said; and after the run they are the same, or an error says why not.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.torture.rows import Row
from benchmarks.torture.trials.study import Ending, findings, import_all, in_child, make_inputs, run_study

COUNT = 500
PLACES = ("cache", "arrays", "examples.npz", "ledger.sqlite", "ledger.copy.sqlite", "study.yaml", "model")
WEIGHTS = (30, 25, 10, 20, 3, 4, 8)


def run(*, count: int | None, seed: int) -> list[Row]:
    """Two rows: what is read, and what is repaired."""
    rng, started, count = random.Random(seed), time.monotonic(), count or COUNT
    wrong, unrepaired = [], []
    repairs = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        inputs = make_inputs(home)
        whole = in_child(lambda: run_study(inputs, home / "study", home / "cache"))
        assert whole.kind == "done", whole.said
        predicted = in_child(lambda: predict(home / "study", inputs[0]))
        import_all(in_child(lambda: (run_study(inputs, home / "other", home / "cache"), sorted(sys.modules))[1]).found)
        for i in range(count):
            copy = home / "damaged"
            name, read, again = _try(rng, home, copy, inputs)
            expected = (whole.found, predicted.found if " in study/model/" in name else None)
            if read is not None and not harmless(read, expected):
                wrong.append(f"try {i}: {name}: {brief(read)}")
            repairs += again.kind == "done"
            if again.kind == "done" and again.found != expected:
                wrong.append(f"try {i}: {name}: after the run, {brief(again)}")
            if again.kind not in ("done", "told"):
                unrepaired.append(f"try {i}: {name}: {brief(again)}")
            shutil.rmtree(copy)
            if i % 50 == 49:
                print(
                    f"{i + 1}: {repairs} repaired, {len(wrong)} wrong, {len(unrepaired)} with a traceback", flush=True
                )
    command, seconds = f"python -m benchmarks.torture damage --seed {seed}", time.monotonic() - started
    return [
        Row("damage", "damaged files change nothing that is read, or the damage is named", count, count - len(wrong), seconds, command, wrong),
        Row("damage", f"the same command repairs them ({repairs} of {count}) or says why it cannot, without a traceback", count, count - len(unrepaired), 0.0, command, unrepaired),
    ]  # fmt: skip


def _try(rng: random.Random, home: Path, copy: Path, inputs: tuple[Path, str]) -> tuple[str, Ending | None, Ending]:
    """What was damaged; how reading it ended (None where only a run reads it); how running it ended."""
    place = rng.choices(PLACES, WEIGHTS)[0]
    for name in ("study", "cache"):
        shutil.copytree(home / name, copy / name)
    files = places(copy, place)
    path, kind = rng.choice(files), rng.choice(sorted(DAMAGES))
    DAMAGES[kind](path, [other for other in files if other != path], rng)
    study, read = copy / "study", None
    if place == "cache":
        shutil.rmtree(study)
    else:
        read = in_child(lambda: (findings(study), predict(study, inputs[0]) if place == "model" else None))
    again = in_child(
        lambda: (run_study(inputs, study, copy / "cache"), predict(study, inputs[0]) if place == "model" else None)
    )
    return f"{kind} in {path.relative_to(copy)}", read, again


def predict(study: Path, table: Path) -> list[dict[str, Any]]:
    """Of three pictures, by the saved model."""
    from weigh.study import Study

    return Study.open(study).predict(sorted(map(str, table.parent.glob("photos/*/*.png")))[:3])


def places(copy: Path, place: str) -> list[Path]:
    """The files of a kind."""
    root = copy / "cache" if place == "cache" else copy / "study" / place
    return [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())


def harmless(ending: Ending, expected: Any) -> bool:
    """The same findings; or an error of ours; or other findings with a word about it."""
    if ending.kind == "told":
        return True
    return ending.kind == "done" and (ending.found == expected or bool(ending.said) or named(ending.found[0]))


def named(found: dict[str, Any]) -> bool:
    return "missing or damaged" in json.dumps([f for f in found["findings"] if f["kind"] == "progress"])


def brief(ending: Ending) -> str:
    return f"{ending.kind} {' | '.join(ending.said)[-400:]}"


def _flip(path: Path, others: list[Path], rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _flip_many(path: Path, others: list[Path], rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(max(1, len(content) // 100)):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _cut(path: Path, others: list[Path], rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])


def _zero(path: Path, others: list[Path], rng: random.Random) -> None:
    content = path.read_bytes()
    start = rng.randrange(len(content) + 1)
    length = min(rng.choice([16, 512, 4096, len(content)]), len(content) - start)
    path.write_bytes(content[:start] + b"\0" * length + content[start + length :])


def _shuffle(path: Path, others: list[Path], rng: random.Random) -> None:
    content, size = path.read_bytes(), rng.choice([64, 512, 4096])
    blocks = [content[i : i + size] for i in range(0, len(content), size)]
    rng.shuffle(blocks)
    path.write_bytes(b"".join(blocks))


def _swap(path: Path, others: list[Path], rng: random.Random) -> None:
    if not others:
        return _shuffle(path, others, rng)
    other = rng.choice(others)
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)


def _replace(path: Path, others: list[Path], rng: random.Random) -> None:
    path.write_bytes(rng.choice(others).read_bytes() if others else rng.randbytes(len(path.read_bytes())))


def _delete(path: Path, others: list[Path], rng: random.Random) -> None:
    path.unlink()


def _lengthen(path: Path, others: list[Path], rng: random.Random) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.choice([1, 100, 5000])))


DAMAGES: dict[str, Callable[[Path, list[Path], random.Random], None]] = {
    "a flipped bit": _flip,
    "flipped bits in one byte of a hundred": _flip_many,
    "a cut": _cut,
    "zeros": _zero,
    "shuffled blocks": _shuffle,
    "two files exchanged": _swap,
    "another file's content": _replace,
    "a deletion": _delete,
    "bytes appended": _lengthen,
}
