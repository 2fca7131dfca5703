"""Accuracies of text encoders that MTEB publishes, reduced to one table: `python -m benchmarks.choosing.mteb CHECKOUT` writes mteb.csv beside this file.

CHECKOUT is a git directory of embeddings-benchmark/results (CC0-1.0). Kept are models with ten experiments on each of the twelve English
classifications of MTEB: in every experiment a logistic head is fitted to the frozen vectors of a few texts of each class and scored on the whole
test part. The experiments draw the same texts for all models. After it: `texts.py`, `benchmarks/catalogue.py`.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["TASKS", "Encoders", "read_encoders"]

TABLE = Path(__file__).with_name("mteb.csv")
DRAWS = 10
TASKS = (
    "AmazonCounterfactual", "AmazonPolarity", "AmazonReviews", "Banking77", "Emotion", "Imdb", "MTOPDomain", "MTOPIntent", "MassiveIntent",
    "MassiveScenario", "ToxicConversations", "TweetSentimentExtraction",
)  # fmt: skip
FIELDS = ("model", "revision", "parameters", "licence", "date", "task", *(f"accuracy_{k}" for k in range(DRAWS)))


class Encoders(NamedTuple):
    """What is published.

    Attributes:
        names: Of the models.
        parameters: `(models,)`, in millions; nan where it is not stated.
        accuracy: `(models, tasks, draws)`, as shares.
        date: Of the newest results.
    """

    names: tuple[str, ...]
    parameters: np.ndarray
    accuracy: np.ndarray
    date: str


def read_encoders() -> Encoders:
    """The table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = tuple(dict.fromkeys(row["model"] for row in rows))
    of = {(row["model"], row["task"]): row for row in rows}
    accuracy = [[[float(of[n, task][f"accuracy_{k}"]) for k in range(DRAWS)] for task in TASKS] for n in names]
    parameters = [float(of[name, TASKS[0]]["parameters"] or "nan") for name in names]
    return Encoders(names, np.array(parameters), np.array(accuracy), max(row["date"] for row in rows))


def main(checkout: str) -> None:
    date = _git(checkout, "log", "-1", "--format=%cs").strip()
    files = {f"{task}Classification.json": task for task in TASKS}
    paths = [line.partition("\t") for line in _git(checkout, "ls-tree", "-r", "HEAD", "results/").splitlines()]
    wanted = [(meta.split()[2], path) for meta, _, path in paths if path.rpartition("/")[2] in files]
    found: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for path, content in zip([path for _, path in wanted], _blobs(checkout, [blob for blob, _ in wanted]), strict=True):
        folder, _, file = path.rpartition("/")
        if (scores := _experiments(content)) is not None:
            found[folder][files[file]] = scores
    complete = {folder: tasks for folder, tasks in found.items() if len(tasks) == len(TASKS)}
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(FIELDS)
        for folder, tasks in sorted(complete.items()):
            meta = json.loads(_git(checkout, "show", f"HEAD:{folder}/model_meta.json"))
            size = meta.get("n_parameters")
            about = (
                meta["name"],
                folder.rpartition("/")[2][:12],
                f"{size / 1e6:.1f}" if size else "",
                meta.get("license") or "",
                date,
            )
            table.writerows([*about, task, *(f"{score:.5f}" for score in tasks[task])] for task in TASKS)
    print(f"{len(complete)} of {len(found)} models, {TABLE.stat().st_size / 1024:.0f} kB")


def _experiments(content: dict[str, Any]) -> list[float] | None:
    """Accuracies of the ten experiments on the English test part; None where they are not kept singly."""
    for part in content.get("scores", {}).get("test", []):
        experiments = part.get("scores_per_experiment") or []
        if part.get("hf_subset") in ("en", "default") and len(experiments) == DRAWS:
            return [float(one["accuracy"]) for one in experiments]
    return None


def _blobs(checkout: str, names: list[str]) -> list[dict[str, Any]]:
    """Contents of many files of JSON in one call of git."""
    asked = "".join(f"{name}\n" for name in names).encode()
    answer = subprocess.run(
        ["git", "--git-dir", checkout, "cat-file", "--batch"], input=asked, check=True, capture_output=True
    ).stdout
    contents, at = [], 0
    for _ in names:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split()[2])
        contents.append(json.loads(answer[end + 1 : end + 1 + size]))
        at = end + size + 2
    return contents


def _git(checkout: str, *words: str) -> str:
    return subprocess.run(["git", "--git-dir", checkout, *words], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(sys.argv[1])
