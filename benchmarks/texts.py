"""Fine-tuning a language model: sentences a second and accuracy, weigh's loop beside the Hugging Face Trainer.

    WEIGH_TEST_DATA=… python -m benchmarks.texts --rounds 3            speed, in turn within one process
    WEIGH_TEST_DATA=… python -m benchmarks.texts --accuracy            both trained on SST-2, compared on its test sentences

Tokenising is not counted for anybody. All start from the same weights, batch 32, AdamW; a round trains each for one pass over the
same sentences. The Trainer needs `accelerate` (requirements/bench.txt). Results: speed/results/texts.json.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.speed.paired import in_turn, ratios, spread
from benchmarks.speed.records import machine, save
from weigh.data.examples import Examples
from weigh.data.readers import read_and_check
from weigh.heads.network_task import network_task
from weigh.models.address import parse_address
from weigh.models.catalogue import find_packaged
from weigh.models.hf_folder import find_folder
from weigh.models.pretrained import load_model
from weigh.models.processor.layers import speed_up
from weigh.run import RECIPES, Setting
from weigh.spec import DataSpec
from weigh.train.determinism import computing, forked, torch_generator
from weigh.train.device import best_precision
from weigh.train.loop import Loop

TASK, BATCH = "text-classification", 32
TRAINER: dict[str, dict[str, Any]] = {
    "trainer": {},
    "trainer-bf16": {"bf16": True},
    "trainer-bf16-grouped": {"bf16": True, "train_sampling_strategy": "group_by_length"},
    "trainer-padded": {"padding": 128},
}


class Weigh:
    """weigh's loop as the recipe `finetune` enters it."""

    def __init__(
        self, address: str, examples: Examples, training: np.ndarray, *, epochs: int, rate: float, threads: int
    ) -> None:
        precision = best_precision("cpu")
        self.setting = Setting(TASK, examples.classes, "accuracy", threads=threads, precision=precision, offline=True)
        model = load_model(address, pretrained=True, offline=True)
        options = {
            **RECIPES.get("finetune").options["texts"]().model_dump(),
            "batch_size": BATCH,
            "learning_rate": rate,
        }
        preparation = model.configure(options)
        self.task = network_task(TASK)
        self.network = self.task.build(model, examples, torch_generator(1))
        speed_up(self.network, "cpu")
        self.inputs = self.task.inputs(examples, preparation, self.setting, options)
        seeds = {"init": 1, "order": 2, "augmentation": 3, "split": 4}
        self.loop = Loop(self.network, self.inputs, options, self.setting, seeds, epochs, training)
        self.passes = 0

    def train(self) -> float:
        with computing(threads=self.setting.threads), forked(1):
            self.passes += 1
            started = time.perf_counter()
            self.loop.epoch(self.passes)
            return time.perf_counter() - started

    def answers(self, indices: np.ndarray) -> np.ndarray:
        self.network.eval()
        found = np.zeros((len(indices), self.network.outputs), np.float32)
        with torch.inference_mode():
            for positions in self.inputs.cut(indices, 64):
                found[positions] = self.network(self.inputs.batch(indices[positions]).inputs).float().numpy()
        return found


class Theirs:
    """The Hugging Face Trainer on AutoModelForSequenceClassification."""

    def __init__(
        self, folder: Path, examples: Examples, training: np.ndarray, *, epochs: int, rate: float, **options: Any
    ) -> None:
        import transformers as hf

        hf.logging.set_verbosity_error()
        hf.utils.logging.disable_progress_bar()
        self.tokenizer = hf.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        padding = options.pop("padding", None)
        how = (
            {"padding": "max_length", "max_length": padding, "truncation": True}
            if padding
            else {"truncation": True, "max_length": 512}
        )
        assert examples.rows is not None
        self.rows = [
            {**self.tokenizer(row[0], **how), "labels": int(target)}
            for row, target in zip(examples.rows, examples.target, strict=True)
        ]
        hf.set_seed(1)
        model = hf.AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(examples.classes), local_files_only=True, use_safetensors=True
        )
        arguments = hf.TrainingArguments(
            output_dir=tempfile.mkdtemp(), per_device_train_batch_size=BATCH, num_train_epochs=epochs, learning_rate=rate,
            save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True, **options,
        )  # fmt: skip
        self.trainer = hf.Trainer(
            model=model, args=arguments, train_dataset=[self.rows[i] for i in training],
            data_collator=hf.DataCollatorWithPadding(self.tokenizer),
        )  # fmt: skip

    def train(self) -> float:
        return self.trainer.train().metrics["train_runtime"]

    def answers(self, indices: np.ndarray) -> np.ndarray:
        return self.trainer.predict([self.rows[i] for i in indices]).predictions


def read(sentences: int | None) -> tuple[Examples, np.ndarray, np.ndarray]:
    """SST-2: examples, training and test indices."""
    spec = DataSpec(train=str(Path(os.environ["WEIGH_TEST_DATA"]) / "text" / "sst2"))
    examples, _ = read_and_check(spec, TASK, offline=True)
    training = examples.where("train")
    if sentences is not None:
        training = np.sort(np.random.default_rng(0).permutation(training)[:sentences])
    return examples, training, examples.where("test")


def speed(makers: dict[str, Callable[[], Any]], sentences: int, rounds: int) -> None:
    content: dict[str, Any] = {
        "part": "texts",
        "machine": machine(),
        "sentences": sentences,
        "batch": BATCH,
        "rounds": [],
    }
    for number in range(rounds):
        row = {}
        for name in in_turn(list(makers), number):
            row[name] = sentences / makers[name]().train()
            print(f"round {number + 1}: {name}: {row[name]:.1f} sentences/s", flush=True)
        content["rounds"].append(row)
        save("texts", content)
    for name in makers:
        found, speeds = ratios(content["rounds"], "weigh", name), spread([row[name] for row in content["rounds"]])
        assert found is not None
        assert speeds is not None
        print(f"| {name} | {speeds.written(1)} | {found.written()} |")


def accuracy(makers: dict[str, Callable[[], Any]], epochs: int, examples: Examples, test: np.ndarray) -> None:
    """Both trained once with the same rate and passes; the test sentences decide, paired."""
    right = {}
    for name in ("weigh", "trainer-bf16"):
        one = makers[name]()
        for _ in range(epochs if name == "weigh" else 1):
            one.train()
        right[name] = one.answers(test).argmax(axis=1) == examples.target[test]
        print(f"{name}: {right[name].mean():.4f} of {len(test)}", flush=True)
    difference = right["weigh"].astype(float) - right["trainer-bf16"]
    half = 1.96 * difference.std(ddof=1) / np.sqrt(len(test))
    content: dict[str, Any] = {"part": "texts-accuracy", "machine": machine(), "epochs": epochs, "n": len(test)}
    content |= {name: float(answers.mean()) for name, answers in right.items()}
    content["difference"] = [float(difference.mean()), float(difference.mean() - half), float(difference.mean() + half)]
    save("texts-accuracy", content)
    print(
        f"difference {difference.mean():+.4f} [{difference.mean() - half:+.4f}, {difference.mean() + half:+.4f}], paired"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="hf:sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--sentences", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="with --accuracy")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--accuracy", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    examples, training, test = read(None if given.accuracy else given.sentences)
    epochs = given.epochs if given.accuracy else 1
    address = parse_address(given.model)
    folder, _ = find_folder(address, find_packaged(address.written), pretrained=True, offline=True)
    common = {"epochs": epochs, "rate": given.rate}
    makers: dict[str, Callable[[], Any]] = {
        "weigh": lambda: Weigh(given.model, examples, training, threads=given.threads, **common)
    }
    for name, options in TRAINER.items():
        makers[name] = lambda options=options: Theirs(folder, examples, training, **common, **options)
    if given.accuracy:
        accuracy(makers, given.epochs, examples, test)
    else:
        speed(makers, len(training), given.rounds)


if __name__ == "__main__":
    main()
