"""Has a change of the house changed a finding? Nine small studies, run twice: with the code before and with the code after.

    python -m benchmarks.unchanged make FOLDER BEFORE       with the old code (another checkout on PYTHONPATH)
    python -m benchmarks.unchanged make FOLDER AFTER        with the new code
    python -m benchmarks.unchanged compare FOLDER BEFORE AFTER

Inputs, models and texts follow from fixed seeds and lie in FOLDER/inputs, so that both runs read the same paths. What is compared are the
bytes of findings.json without `measured`, the Markdown report in both languages without times, and what `predict` writes.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

FAST = ["design.folds=3", "design.repeats=2", "design.test=0.25", "run.offline=true", "run.threads=1"]
EPOCHS = ["recipes.finetune.epochs=3"]


def make_inputs(folder: Path) -> dict[str, str]:
    """Data and models of all studies; addresses by name."""
    from tests.conftest import make_photos
    from tests.text_models import save_tiny_encoder, write_entities, write_reviews, write_similarity

    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "tiny.safetensors"
    if not weights.exists():
        import timm
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), weights)
        save_tiny_encoder(folder / "encoder")
        photos = make_photos(folder / "photos")
        write_reviews(folder / "reviews.csv")
        write_similarity(folder / "similarity.tsv")
        write_entities(folder / "entities.conll")
        rng = np.random.default_rng(0)
        rows = ["path,label"]
        for path in sorted(photos.rglob("*.png")):
            several = [path.parent.name, *(["odd"] if rng.random() < 0.4 else [])]
            rows.append(f"photos/{path.relative_to(photos)},{';'.join(several)}")
        (folder / "several.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        truth = rng.integers(0, 3, 240)
        table = ["example,model,label,p:a,p:b,p:c"]
        for model, skill in (("good", 2.0), ("fair", 1.0)):
            logits = rng.normal(size=(240, 3)) + skill * np.eye(3)[truth]
            shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            table += [
                f"e{i},{model},{'abc'[truth[i]]},{','.join(f'{p:.6f}' for p in shares[i])}" for i in range(len(truth))
            ]
        (folder / "answers.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    return {"picture": f"file:{weights}@timm:test_resnet", "text": f"hf:{folder / 'encoder'}"}


def studies(inputs: Path, models: dict[str, str]) -> dict[str, tuple]:
    """Name -> data, model, recipes, settings, new examples for `predict`."""
    photos, picture, encoder = inputs / "photos", models["picture"], models["text"]
    weak = {"name": "probe", "label": "weak", "strengths": [1e4]}
    small = ["recipes.finetune.image_size=32"]
    return {
        "pictures-probe": (photos, picture, ["probe", weak], FAST, photos / "circle"),
        "pictures-finetune": (photos, picture, ["probe", "finetune"], [*FAST, *EPOCHS, *small], photos / "stripe"),
        "pictures-last-stage": (
            photos,
            picture,
            ["probe", "last-stage"],
            [*FAST, "recipes.last-stage.epochs=3"],
            photos / "circle",
        ),
        "texts-probe": (inputs / "reviews.csv", encoder, ["probe", weak], FAST, inputs / "reviews.csv"),
        "texts-finetune": (
            inputs / "reviews.csv",
            encoder,
            ["probe", "finetune"],
            [*FAST, *EPOCHS],
            inputs / "reviews.csv",
        ),
        "several-labels": (inputs / "several.csv", picture, ["probe", weak], FAST, photos / "circle"),
        "numbers": (inputs / "similarity.tsv", encoder, ["probe", "finetune"], [*FAST, *EPOCHS], None),
        "entities": (
            inputs / "entities.conll",
            encoder,
            [{"name": "finetune", "epochs": 12}, {"name": "finetune", "label": "short", "epochs": 4}],
            [*FAST, "recipes.finetune.learning_rate=0.005", "recipes.finetune.patience=12"],
            inputs / "entities.conll",
        ),
    }


def make(folder: Path, name: str, only: list[str]) -> None:
    """Run all studies into FOLDER/work and keep what they said in FOLDER/NAME."""
    import weigh
    from weigh.report.json_file import strip_measured
    from weigh.study import Study

    print("code:", Path(weigh.__file__).parent, file=sys.stderr)
    models = make_inputs(folder / "inputs")
    os.environ["WEIGH_CACHE"] = str(folder / f"cache-{name}")
    kept, work = folder / name, folder / "work"
    kept.mkdir(exist_ok=True)
    os.chdir(folder)

    def keep(title: str, findings: str, report: Callable[[str], str]) -> None:
        told = json.dumps(strip_measured(json.loads(findings)), indent=1, sort_keys=True, ensure_ascii=False)
        (kept / f"{title}.json").write_text(told + "\n", encoding="utf-8")
        for language in ("en", "zh"):
            (kept / f"{title}.{language}.md").write_text(report(language), encoding="utf-8")

    for title, (data, model, recipes, settings, new) in studies(folder / "inputs", models).items():
        if only and title not in only:
            continue
        shutil.rmtree(work, ignore_errors=True)
        study = Study.from_data(data, [model], recipes, settings=settings, folder=work)
        study.run()
        keep(
            title,
            (work / "findings.json").read_text("utf-8"),
            lambda language, study=study: study.report("md", language),
        )
        if new is not None:
            rows = study.predict(new)
            (kept / f"{title}.predict.json").write_text(json.dumps(rows, indent=0, default=str), encoding="utf-8")
    if not only or "read" in only:
        reading = weigh.read_predictions(folder / "inputs" / "answers.csv")
        keep("read", reading.report("json"), lambda language: reading.report("md", language))
    shutil.rmtree(work, ignore_errors=True)


def compare(folder: Path, before: str, after: str) -> int:
    """Print what differs; the number of files that do."""
    differing = 0
    names = {path.name for part in (before, after) for path in (folder / part).iterdir()}
    for name in sorted(names):
        texts = [p.read_text("utf-8") if (p := folder / part / name).exists() else "" for part in (before, after)]
        if texts[0] != texts[1]:
            differing += 1
            lines = list(difflib.unified_diff(*(t.splitlines() for t in texts), before, after, lineterm="", n=0))
            print(f"{name}: {sum(line[:1] in '+-' for line in lines) - 2} lines differ")
            print("\n".join(line[:220] for line in lines[:30]))
    print(f"{len(names) - differing} of {len(names)} files are the same byte for byte")
    return differing


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("make", "compare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", help="make: NAME [STUDY …]; compare: BEFORE AFTER")
    options = parser.parse_args()
    if options.action == "make":
        make(options.folder.resolve(), options.names[0], options.names[1:])
    else:
        raise SystemExit(1 if compare(options.folder, *options.names) else 0)
