"""Interrupts while weights are loaded, many in one process: called by `workers.py`.

    python -m benchmarks.torture.trials.interrupted FOLDER TIMES SEED

A checkpoint of 45 MB is loaded for every run; while that goes on, a thread sends SIGINT to this process at a random moment. Safetensors
may turn the interrupt into an error of its own, or swallow it. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

SETTINGS = ["design.folds=2", "design.repeats=1", "design.curve=false", "design.order_check=false", "recipes.finetune.epochs=1",
            "recipes.finetune.image_size=32", "run.offline=true", "run.threads=1", "output.refit=false"]  # fmt: skip


def main(folder: Path, times: int, seed: int) -> dict:
    import timm
    import torch
    from safetensors.torch import save_file

    from tests.conftest import make_photos
    from weigh.models import file
    from weigh.report.json_file import strip_measured
    from weigh.study import Study

    os.environ["WEIGH_CACHE"] = str(folder / "cache")
    rng, fates, wrong, done = random.Random(seed), Counter(), [], 0
    torch.manual_seed(0)
    save_file(timm.create_model("resnet18", pretrained=False).state_dict(), folder / "weights.safetensors")
    address, photos = (
        f"file:{folder / 'weights.safetensors'}@timm:resnet18",
        make_photos(folder / "photos", per_class=8),
    )

    def study(name: str) -> Study:
        return Study.from_data(photos, [address], ["finetune"], settings=SETTINGS, folder=folder / name)

    def findings(study: Study) -> str:
        return json.dumps(
            strip_measured(json.loads((study.folder / "findings.json").read_text("utf-8"))), sort_keys=True
        )

    real, seconds = file.read_checkpoint, [0.05]

    def timed(path: Path):
        started = time.perf_counter()
        state = real(path)
        seconds[0] = time.perf_counter() - started
        return state

    file.read_checkpoint = timed
    expected = findings(study("calm").run())

    def disturbed(path: Path):
        sender = threading.Timer(rng.uniform(0, 1.1 * seconds[0]), os.kill, (os.getpid(), signal.SIGINT))
        sender.start()
        try:
            state = real(path)
        except KeyboardInterrupt:
            fates["came as an interrupt"] += 1
            raise
        except Exception as error:
            fates[f"became {type(error).__name__}"] += 1
            raise
        fates["came later"] += 1
        return state

    name = 0
    while done < times:
        name += 1
        torn = study(f"torn-{name}")
        for at in (0, 1, 0, 1):  # while timing; timing passes, first run; first run; first run passes, second run
            if done >= times:
                break
            loads = iter(range(99))
            file.read_checkpoint = lambda path, at=at, loads=loads: disturbed(path) if next(loads) == at else real(path)
            try:
                torn.run()
                wrong.append(f"study {name}: an interrupt was lost")
            except KeyboardInterrupt:
                pass
            except Exception as error:
                wrong.append(f"study {name}: {type(error).__name__}: {error}"[:200])
            done += 1
            failed = [status for status in torn.ledger().recorded().values() if status != "done"]
            if failed:
                wrong.append(f"study {name}: {len(failed)} failed runs")
        file.read_checkpoint = real
        if findings(torn.run()) != expected:
            wrong.append(f"study {name}: other findings")
    return {"done": done, "wrong": wrong, "fates": ", ".join(f"{n} {fate}" for fate, n in sorted(fates.items()))}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
