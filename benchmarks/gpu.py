"""What weigh does on one GPU: fine-tuning, features, a whole study, sameness from run to run, agreement with the processor.

    python -m benchmarks.gpu finetune features study same agree      measure; results go to benchmarks/speed/results/gpu/
    python -m benchmarks.gpu publish                                 docs/benchmarks-gpu.md from what was measured

Networks have random weights (speed does not depend on them); pictures are drawn by the benchmark (`pictures.draw_pictures`).
`agree` trains heads on packaged ImageNet weights where they are installed. Runs on a machine without a GPU too, slowly.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import finetune
from benchmarks.speed.paired import ratios, spread
from benchmarks.speed.pictures import draw_pictures
from benchmarks.speed.records import RESULTS, load, machine, save
from benchmarks.speed.work import clock
from tests.arrays import kind_of

MODELS = {"resnet50": 128, "vit_small_patch16_224": 128, "tf_efficientnet_lite0": 128}  # pictures a step
CONTENDERS = ("bare", "weigh", "textbook")
PICTURES, STUDY_PICTURES, SAME_PICTURES = 4096, 4096, 300
QUIET = [
    "design.order_check=false",
    "design.curve=false",
    "design.cleaned=false",
    "output.refit=false",
    "run.offline=true",
]
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks-gpu.md"


def card() -> dict[str, Any]:
    """The machine, with the name of its GPU."""
    import torch

    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    return {**machine(), "gpu": name, "cuda": torch.version.cuda}


def measure_finetune(folder: Path, rounds: int) -> None:
    """Pictures a second of an epoch: the limit, weigh, the textbook's loop (paired, in turn)."""
    for model, batch in MODELS.items():
        content = finetune.measure(
            "drawn", model, contenders=CONTENDERS, rounds=rounds, pictures=PICTURES, batch=batch, threads=8, folder=folder
        )  # fmt: skip
        if content is not None:
            content["machine"] = card()
            save(f"finetune-drawn-{model}", content, folder)
            finetune.show(content)


def measure_features(folder: Path, rounds: int) -> None:
    """A pass for features through weigh (pictures decoded on the way) beside bare passes on tensors in memory."""
    import torch

    from benchmarks.speed.contenders.ours import read_examples
    from weigh.models.network import make_network
    from weigh.models.pretrained import load_model
    from weigh.run import Setting
    from weigh.train.determinism import computing
    from weigh.train.device import autocast, best_precision, resolve_device
    from weigh.train.features import forward_all

    device, rows = resolve_device(), []
    precision = best_precision(device)
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        draw_pictures(PICTURES, root / "all")
        examples = read_examples(root / "all")
        for name in MODELS:
            address = f"file:{finetune.write_weights(name, root / f'{name}.safetensors')}@timm:{name}"
            model = load_model(address, pretrained=True, offline=True)
            body = make_network(model, 2).body.eval().to(device, memory_format=torch.channels_last)
            setting = Setting(
                "image-classification", examples.classes, "accuracy", threads=8, precision=precision, device=device,
                offline=True, cache=None,
            )  # fmt: skip
            resident = torch.randn(256, 3, 224, 224, device=device).to(memory_format=torch.channels_last)
            for number in range(rounds):
                with computing(threads=8), clock() as ours:
                    forward_all(body, model.preprocessing, examples, setting)
                with computing(threads=8), torch.inference_mode(), autocast(device, precision):
                    body(resident)
                    with clock() as bare:
                        for _ in range(PICTURES // len(resident)):
                            body(resident)
                row = {
                    "model": name,
                    "round": number,
                    "weigh": PICTURES / ours.seconds,
                    "bare": PICTURES / bare.seconds,
                }
                rows.append({**row, "precision": precision})
                print(f"features {name}: weigh {row['weigh']:.0f}, bare {row['bare']:.0f} pictures/s", flush=True)
    save("features", {"part": "features", "machine": card(), "pictures": PICTURES, "rows": rows}, folder)


def measure_study(folder: Path, rounds: int) -> None:
    """75 heads (three networks, five folds, five repeats) and five epochs of fine-tuning in three folds, start to report."""
    from benchmarks.speed.steps import run_noting_stages
    from weigh.study import Study

    rows = []
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        draw_pictures(STUDY_PICTURES, root / "all")
        addresses = [f"file:{finetune.write_weights(n, root / f'{n}.safetensors')}@timm:{n}" for n in MODELS]
        for number in range(rounds):
            os.environ["WEIGH_CACHE"] = str(root / f"cache-{number}")
            row: dict[str, Any] = {}
            for name, models, recipe, folds, repeats in (
                ("heads", addresses, "probe", 5, 5),
                ("networks", addresses[:1], {"name": "finetune", "epochs": 5, "batch_size": 64}, 3, 1),
            ):
                settings = [*QUIET, f"design.folds={folds}", f"design.repeats={repeats}"]
                study = Study.from_data(
                    root / "all", models, [recipe], settings=settings, folder=root / f"{name}{number}"
                )
                with clock() as timed:
                    stages = run_noting_stages(study.spec, study.folder)
                failed = sum(run.status != "done" for run in study.results().records)
                row |= {name: timed.seconds, f"{name}_stages": stages, f"{name}_failed": failed}
                print(f"study {name}: {timed.seconds:.1f} s, {failed} failed, {stages}", flush=True)
            rows.append(row)
    save("study", {"part": "study", "machine": card(), "pictures": STUDY_PICTURES, "rows": rows}, folder)


SAME = """
import hashlib, sys
from weigh.study import Study
data, address, options, folder = sys.argv[1], sys.argv[2], dict(pair.split("=") for pair in sys.argv[3].split(",")), sys.argv[4]
settings = [*sys.argv[5:], "design.folds=3", "design.repeats=1"]
results = Study.from_data(data, [address], [{"name": "finetune", **options}], settings=settings, folder=folder).run().results()
bad = [run.cause for run in results.records if run.status != "done"]
print(bad[0][:200] if bad else hashlib.sha256(results.out_of_fold(results.candidates[0].id).answers.tobytes()).hexdigest())
"""


def measure_same(folder: Path, rounds: int) -> None:
    """The same study in processes of their own: are all predictions the same to the last bit?"""
    rows = []
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        draw_pictures(SAME_PICTURES, root / "pictures")
        _write_texts(root / "texts.csv")
        cases = [
            ("pictures", "resnet50", "epochs=2,batch_size=32,image_size=96"),
            ("pictures", "vit_small_patch16_224", "epochs=2,batch_size=32"),
            ("texts", "BERT, 6 layers of 384", "epochs=2,batch_size=32"),
        ]
        for kind, name, options in cases:
            if kind == "pictures":
                data, address = (
                    root / "pictures",
                    f"file:{finetune.write_weights(name, root / f'{name}.safetensors')}@timm:{name}",
                )
            else:
                data, address = root / "texts.csv", f"hf:{_write_encoder(root / 'bert')}"
            answers = []
            for number in range(max(2, rounds)):
                place = root / f"{kind}-{len(rows)}-{number}"
                command = [sys.executable, "-W", "ignore", "-c", SAME, str(data), address, options, str(place), *QUIET]
                environment = {**os.environ, "WEIGH_CACHE": str(place) + "-cache"}
                done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
                answers.append(done.stdout.strip().splitlines()[-1] if done.returncode == 0 else done.stderr[-300:])
            same = len(set(answers)) == 1 and len(answers[0]) == 64  # a hash, and no message
            rows.append({"kind": kind, "model": name, "processes": len(answers), "same": same})
            print(f"same {kind} {name}: {same} {'' if same else answers}", flush=True)
    save("same", {"part": "same", "machine": card(), "rows": rows}, folder)


def _write_texts(file: Path) -> None:
    rng = np.random.default_rng(0)
    words = {"good": "fine great lovely superb warm", "bad": "poor dull broken cold sour"}
    common = ["the", "a", "soup", "room", "film", "night", "street", "was", "is", "very", "quite", "and", "with", "for"]
    lines = ["text,label"]
    for i in range(300):
        label = ("good", "bad")[i % 2]
        chosen = [*rng.choice(common, rng.integers(4, 30)), *rng.choice(words[label].split(), 2)]
        lines.append(f"{' '.join(rng.permutation(chosen))} {i},{label}")
    file.write_text("\n".join(lines) + "\n", "utf-8")


def _write_encoder(folder: Path) -> Path:
    """A BERT of random weights with a small word list, as a local folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + letter for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=384, num_hidden_layers=6, num_attention_heads=6, intermediate_size=1536
    )
    BertModel(config).save_pretrained(folder)
    return folder


def measure_agree(folder: Path, rounds: int) -> None:
    """Heads on packaged weights: out-of-fold predictions of the GPU beside those of the processor, by our own comparison."""
    from weigh.metrics.base import METRICS
    from weigh.metrics.design import measure_design
    from weigh.stats.comparison import compare
    from weigh.stats.resampling import make_units
    from weigh.study import Study

    data = os.environ.get("WEIGH_TEST_DATA")
    if not data:
        print("agree: skipped, WEIGH_TEST_DATA is not set", flush=True)
        return
    predictions: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        for device, precision in (("auto", "auto"), ("cpu", "fp32")):
            os.environ["WEIGH_CACHE"] = str(Path(made) / f"cache-{device}")
            settings = [
                *QUIET,
                "design.folds=5",
                "design.repeats=5",
                f"run.device={device}",
                f"run.precision={precision}",
            ]
            study = Study.from_data(
                Path(data) / "images" / "ants-bees",
                ["timm:tf_efficientnet_lite0"],
                ["probe"],
                settings=settings,
                folder=Path(made) / device,
            ).run()
            results = study.results()
            predictions[device] = results.out_of_fold(results.candidates[0].id)
    rows = []
    for metric in ("accuracy", "log_loss"):
        measured = {name: measure_design(METRICS.get(metric), oof) for name, oof in predictions.items()}
        pair = compare(
            measured, make_units(kind_of(predictions["cpu"].target), predictions["cpu"].target), rng=np.random.default_rng(0), claim="this_data",
            rope=0.005 if metric == "accuracy" else None,
        ).of("auto", "cpu")  # fmt: skip
        scores = {name: float(np.mean(measured[name].score().repeat)) for name in measured}
        rows.append({"metric": metric, **scores, "difference": pair.estimate.format(4), "relation": pair.relation})
        print(f"agree {rows[-1]}", flush=True)
    save(
        "agree",
        {"part": "agree", "machine": card(), "data": "ants-bees, EfficientNet-Lite0, probe, 5 x 5", "rows": rows},
        folder,
    )


PARTS: dict[str, Callable[[Path, int], None]] = {
    "finetune": measure_finetune,
    "features": measure_features,
    "study": measure_study,
    "same": measure_same,
    "agree": measure_agree,
}


def publish(folder: Path) -> Path:
    """Writes docs/benchmarks-gpu.md from the results."""
    contents = load("*", folder)
    one = next(iter(contents.values()))["machine"]
    versions = ", ".join(
        f"{name} {number}" for name, number in one["versions"].items() if name in ("torch", "torchvision", "timm")
    )
    lines = [
        "# On a GPU",
        "",
        f"Measured on one {one['gpu']} (CUDA {one['cuda']}), {one['cores']} processor cores, {versions}; median and range of rounds, "
        "contenders in turn within a round. Pictures of 400 x 300 px as JPEG, drawn by the benchmark; random weights.",
        "Repeat it with `python -m benchmarks.gpu finetune features study same agree` and `… publish`.",
        "",
    ]
    tuned = {name: content for name, content in contents.items() if content["part"] == "finetune"}
    if tuned:
        lines += [
            "## Fine-tuning, pictures a second",
            "",
            "| model | batch | bare steps | weigh | textbook | weigh / bare | weigh / textbook | weigh, decoding too / textbook |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for content in tuned.values():
            rows = finetune.speeds(content)
            shown = [spread([row[name] for row in rows if name in row]) for name in CONTENDERS]
            over = [
                ratios(rows, "weigh", "bare"),
                ratios(rows, "weigh", "textbook"),
                ratios(rows, "weigh, decoding too", "textbook"),
            ]
            cells = [s.written(0) if s else "-" for s in shown] + [r.written() if r else "-" for r in over]
            lines.append(f"| {content['model']} | {content['batch']} | " + " | ".join(cells) + " |")
        commits = ", ".join(f"{content['model']} at {content['machine']['commit']}" for content in tuned.values())
        lines += [
            "",
            f"Commits: {commits}. "
            "Bare: forward, backward, AdamW on tensors that lie on the GPU, nothing loaded. Textbook: the loop of PyTorch's tutorial in fp32 with two loading processes. weigh decodes once for all epochs, folds and runs; the last column charges all of it to one epoch.",
            "",
        ]
    if "features" in contents:
        lines += [
            "## Features, pictures a second",
            "",
            "| model | arithmetic | weigh, decoding on the way | bare pass |",
            "|---|---|---|---|",
        ]
        rows = contents["features"]["rows"]
        for name in dict.fromkeys(row["model"] for row in rows):
            mine = [row for row in rows if row["model"] == name]
            speeds = [spread([row[key] for row in mine]) for key in ("weigh", "bare")]
            lines.append(f"| {name} | {mine[0]['precision']} | " + " | ".join(s.written(0) for s in speeds if s) + " |")
        lines.append("")
    if "study" in contents:
        content = contents["study"]
        heads, networks = (spread([row[key] for row in content["rows"]]) for key in ("heads", "networks"))
        assert heads is not None
        assert networks is not None
        lines += [
            "## Whole studies, seconds",
            "",
            f"{content['pictures']} pictures, an empty cache, decoding, checks and records included, without the optional runs.",
            "",
            f"- 75 heads on three networks (5 folds x 5 repeats): {heads.written(1)}",
            f"- fine-tuning of ResNet-50, 3 folds x 5 epochs: {networks.written(1)}",
            "",
        ]
    if "same" in contents:
        lines += [
            "## The same numbers again",
            "",
            "| data | model | processes | predictions the same to the last bit |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {row['kind']} | {row['model']} | {row['processes']} | {'yes' if row['same'] else 'no'} |"
            for row in contents["same"]["rows"]
        ]
        lines.append("")
    if "agree" in contents:
        lines += [
            "## GPU and processor",
            "",
            f"{contents['agree']['data']}: the GPU's own arithmetic (bf16) beside the processor in fp32.",
            "",
            "| metric | GPU | processor | difference | relation (region 0.5 points for accuracy) |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {row['metric']} | {row['auto']:.4f} | {row['cpu']:.4f} | {row['difference']} | {row['relation']} |"
            for row in contents["agree"]["rows"]
        ]
        lines.append("")
    notes = folder / "notes.md"
    lines += [notes.read_text("utf-8")] if notes.exists() else []
    PAGE.write_text("\n".join(lines), "utf-8")
    return PAGE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "publish"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=RESULTS / "gpu")
    options = parser.parse_args()
    for part in options.parts:
        started = time.perf_counter()
        if part == "publish":
            print(publish(options.folder))
        else:
            PARTS[part](options.folder, options.rounds)
            print(json.dumps({"part": part, "seconds": round(time.perf_counter() - started, 1)}), flush=True)
