"""The parts of the study of 75 heads, each run in a process of its own and answering with one line of JSON.

    python -m benchmarks.speed.steps study '{"folder": …, "cache": …, "repeats": 5, "extras": true, …}'

`study`: what `weigh run` does, through the same functions, with the time of each stage. `limit`: a bare feature pass of each
backbone on tensors in memory, and one decode of all pictures. `sklearn`: heads with LogisticRegressionCV on the same
features, folds and strengths. Seconds of start-up are what the process took beyond what it reports (study75.py).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.work import clock

__all__ = ["STEPS"]

BATCH, RESIDENT = 32, 512
Given = dict[str, Any]


def study_spec(given: Given) -> Any:
    """The demo's pictures and backbones, all pictures for training, `extras` on or off."""
    from weigh.data.pictures.demo import demo_spec
    from weigh.spec_yaml import load_spec

    folder = Path(given["folder"])
    content = demo_spec(folder)
    if given.get("pictures"):  # smoke runs only
        table = Path(content["data"]["train"])
        header, *rows = table.read_text("utf-8").splitlines()
        kept = [rows[i] for i in np.linspace(0, len(rows) - 1, given["pictures"]).round().astype(int)]
        table.write_text("\n".join([header, *kept]) + "\n", "utf-8")
    extras = bool(given.get("extras", True))
    content["models"] = given.get("models") or content["models"]
    content["design"] = {"folds": 5, "repeats": given["repeats"], "order_check": extras, "cleaned": extras}
    content["design"] |= {} if extras else {"curve": False}
    content["run"] |= {"threads": given["threads"]}
    return load_spec(content)


def run_noting_stages(spec: Any, folder: Path) -> dict[str, float]:
    """Runs the study; seconds by stage, as the study itself names its stages."""
    from weigh.execute.driver import run_study
    from weigh.execute.listener import Silent

    marks: list[tuple[str, float]] = []

    class Noting(Silent):
        """Remembers when which stage was first heard of."""

        def stage(self, what) -> None:
            marks.append((what.en, time.perf_counter()))

        def progress(self, what, done, total) -> None:
            if not marks or marks[-1][0] != what:
                marks.append((what, time.perf_counter()))

    run_study(spec, folder, Noting())
    ended = time.perf_counter()
    stages: dict[str, float] = {}
    for (what, since), until in zip(marks, [since for _, since in marks[1:]] + [ended], strict=True):
        stages[what] = stages.get(what, 0.0) + until - since
    return stages


def study(given: Given) -> dict[str, Any]:
    """Run or extend the study in `folder`, then write its report."""
    os.environ["WEIGH_CACHE"] = given["cache"]
    from weigh.study import Study

    spec, folder = study_spec(given), Path(given["folder"])
    with clock() as running:
        stages = run_noting_stages(spec, folder)
    with clock() as reporting:
        opened = Study.open(folder)
        opened.write()
    purposes: dict[str, int] = {}
    for run in opened.results().records:
        purposes[run.purpose] = purposes.get(run.purpose, 0) + 1
    failed = sum(run.status != "done" for run in opened.results().records)
    return {"run": running.seconds, "report": reporting.seconds, "stages": stages, "runs": purposes, "failed": failed}


def limit(given: Given) -> dict[str, Any]:
    """Feature passes on tensors in memory (as the network is, and with folded batch norms), one decode, features kept."""
    import torch

    from weigh.models.fold import fold_batch_norms
    from weigh.models.network import make_network
    from weigh.models.pretrained import load_model
    from weigh.plan.prepare import prepare
    from weigh.train.features import forward_all

    torch.set_num_threads(given["threads"])
    spec = study_spec(given)
    examples = prepare(spec).examples
    found: dict[str, Any] = {"pass": 0.0, "pass_folded": 0.0, "pictures": len(examples)}
    for number, address in enumerate(spec.models):
        model = load_model(address, pretrained=True, offline=True)
        size = model.preprocessing.size
        if number == 0:
            found["decode"] = _decode(examples, model.preprocessing, given["threads"])
        body = make_network(model, 2).body.eval().to(memory_format=torch.channels_last)
        resident = torch.randn(min(RESIDENT, len(examples)), 3, size, size).to(memory_format=torch.channels_last)
        found["pass"] += _pass(body, resident, len(examples))
        body = fold_batch_norms(body, torch.zeros(2, 3, size, size)).eval().to(memory_format=torch.channels_last)
        found["pass_folded"] += _pass(body, resident, len(examples))
        if given.get("keep"):
            setting = _setting(spec, examples, given["threads"])
            np.save(
                Path(given["keep"]) / f"features-{number}.npy",
                forward_all(body, model.preprocessing, examples, setting),
            )
    return found


def _pass(body: Any, resident: Any, n: int) -> float:
    import torch

    with torch.inference_mode():  # in single precision, as features are computed
        body(resident[:BATCH])
        with clock() as timed:
            for start in range(0, n, BATCH):
                first = start % len(resident)
                body(resident[first : min(first + BATCH, first + n - start)])
    return timed.seconds


def _decode(examples: Any, preparation: Any, threads: int) -> float:
    """Open, decode, scale and crop every file once with plain Pillow, on as many threads."""
    from PIL import Image

    def one(path: str) -> int:
        with Image.open(examples.root / path) as picture:
            return preparation.crop(picture.convert("RGB")).size

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, examples.path[:64]))  # files and code are warm, as they are for weigh
        with clock() as timed:
            list(pool.map(one, examples.path))
    return timed.seconds


def _setting(spec: Any, examples: Any, threads: int) -> Any:
    from weigh.run import Setting

    return Setting(
        "image-classification",
        examples.classes,
        spec.metrics.primary,
        threads=threads,
        offline=True,
    )


def sklearn(given: Given) -> dict[str, Any]:
    """A scaler and LogisticRegressionCV for the first `heads_folds` main runs of every backbone, in parallel over runs."""
    from joblib import Parallel, delayed
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from weigh.plan.candidates import cross_candidates
    from weigh.plan.prepare import prepare
    from weigh.plan.runs import plan_runs
    from weigh.train.recipe_defaults import STRENGTHS

    spec = study_spec(given)
    prepared = prepare(spec)
    examples = prepared.examples
    candidates = cross_candidates(prepared.spec)
    plan = plan_runs(examples, prepared.spec, candidates, variants=prepared.variants, copies=prepared.copies)
    main = [run for run in plan.runs if run.purpose == "main"]
    runs = [run for run in main if run.repeat * spec.design.folds + run.fold < given["heads_folds"]]
    features = {
        address: np.load(Path(given["keep"]) / f"features-{number}.npy") for number, address in enumerate(spec.models)
    }

    def fit(run: Any) -> np.ndarray:
        head = LogisticRegressionCV(
            Cs=[1 / (strength * len(run.train)) for strength in STRENGTHS], cv=5, scoring="neg_log_loss", max_iter=1000
        )
        x = features[run.model]
        return make_pipeline(StandardScaler(), head).fit(x[run.train], examples.target[run.train]).predict_proba(x[run.test])  # fmt: skip

    with clock() as timed:
        Parallel(n_jobs=given["threads"])(delayed(fit)(run) for run in runs)
    return {"heads": timed.seconds, "fits": len(runs), "planned": len(main)}


STEPS = {"study": study, "limit": limit, "sklearn": sklearn}

if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with clock() as inside:
        answer = STEPS[sys.argv[1]](json.loads(sys.argv[2]))
    answer |= {"inside": inside.seconds, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    print(json.dumps(answer), file=answers, flush=True)
