"""`make bench`, part by part.

python -m benchmarks.speed finetune --data cells --models resnet18 --rounds 3
python -m benchmarks.speed study75 --rounds 3
python -m benchmarks.speed statistics
python -m benchmarks.growth
python -m benchmarks.speed publish                    docs/benchmarks.md from what was measured
"""

from __future__ import annotations

import argparse

from benchmarks.speed.contenders import CONTENDERS
from benchmarks.speed.finetune import MODELS, measure, show
from benchmarks.speed.study75 import PARTS
from benchmarks.speed.study75 import measure as measure_study


def words(given: str) -> list[str]:
    return [word for word in given.split(",") if word]


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("part", choices=["finetune", "study75", "statistics", "publish"])
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--data", type=words, default=["cells", "photos"], help="finetune: cells,photos,drawn")
parser.add_argument("--models", type=words, default=list(MODELS), help=f"finetune: {','.join(MODELS)}")
parser.add_argument("--contenders", type=words, default=list(CONTENDERS), help=f"finetune: {','.join(CONTENDERS)}")
parser.add_argument("--pictures", type=int, default=None, help="finetune: pictures of an epoch (default: by model)")
parser.add_argument("--batch", type=int, default=None, help="finetune: default 32, ResNet-50 16")
parser.add_argument("--parts", type=words, default=list(PARTS), help=f"study75: {','.join(PARTS)}")
parser.add_argument("--heads-folds", type=int, default=5, help="study75: runs that scikit-learn fits, of 25 a backbone")

if __name__ == "__main__":
    given = parser.parse_args()
    if given.part == "finetune":
        for data in given.data:
            for model in given.models:
                found = measure(
                    data, model, contenders=given.contenders, rounds=given.rounds, pictures=given.pictures,
                    batch=given.batch, threads=given.threads,
                )  # fmt: skip
                if found is not None:
                    show(found)
    elif given.part == "study75":
        measure_study(rounds=given.rounds, threads=given.threads, heads_folds=given.heads_folds, parts=given.parts)
    elif given.part == "statistics":
        from benchmarks import statistics
        from benchmarks.speed.records import machine, save

        content = {"part": "statistics", "machine": machine(), "rows": []}
        for timing in statistics.measure():
            print(timing.written(), flush=True)
            content["rows"].append(timing._asdict())
            save("statistics", content)
    else:
        from benchmarks.speed.publish import publish

        print(publish())
