"""weigh's own training loop, entered as its recipe `finetune` enters it: the same network, squares, options and loop.

Decoding all pictures to squares is done anew in every turn and stated apart (`also["decode"]`): a recipe does it once and
then trains for many epochs, runs and folds. The epoch holds everything else: drawing, cropping, mirroring,
normalising, both passes, clipping, the step and the schedule.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.work import Contender, Epoch, Work, clock
from tests.arrays import kind_of
from weigh.data.examples import Examples
from weigh.heads.network_task import label_of, network_task
from weigh.inputs.pictures import Pictures, prepare_squares
from weigh.models.pretrained import load_model
from weigh.models.processor.layers import speed_up
from weigh.run import RECIPES, Setting
from weigh.train.determinism import computing, forked, torch_generator
from weigh.train.device import best_precision, resolve_device
from weigh.train.loop import Loop

EPOCHS = 50  # of the schedule: far more than are measured


def read_examples(folder: Path) -> Examples:
    """The pictures of a folder per class, without the checks of a study."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    classes = tuple(sorted({path.parent.name for path in files}))
    return Examples(
        root=folder,
        path=np.array([path.relative_to(folder).as_posix() for path in files]),
        target=np.array([classes.index(path.parent.name) for path in files]),
        classes=classes,
        part=np.array(["train"] * len(files)),
        order=np.arange(len(files)),
        content=np.array([f"{i}" for i in range(len(files))]),
        kind=kind_of(np.array([classes.index(path.parent.name) for path in files])),
    )


def prepare(work: Work, precision: str = "auto") -> Contender:
    device = resolve_device()
    chosen = precision if precision != "auto" else best_precision(device)
    examples = read_examples(Path(work.folder))
    setting = Setting(
        "image-classification", examples.classes, "balanced_accuracy",
        threads=work.threads, precision=chosen, offline=True, cache=None, device=device,
    )  # fmt: skip
    options = {
        **RECIPES.get("finetune").options["pictures"]().model_dump(),
        "batch_size": work.batch,
        "image_size": work.size,
    }
    model = load_model(f"file:{work.weights}@timm:{work.model}", pretrained=True, offline=True)
    preparation = model.preprocessing.at(work.size)
    network = network_task(setting.task).build(model, examples, torch_generator(1))
    network.to(device, memory_format=torch.channels_last)
    speed_up(network, setting.device)
    seeds = {"init": 1, "order": 2, "augmentation": 3, "split": 4}
    state: dict[str, Loop] = {}
    count = [0]

    def epoch() -> Epoch:
        with computing(threads=work.threads), forked(1):
            with clock() as decoding:
                squares = prepare_squares(examples, preparation, folder=None)
            if "loop" not in state:
                training = np.arange(len(examples))
                state["loop"] = Loop(
                    network,
                    Pictures(
                        squares,
                        preparation,
                        options.get("augment", "none"),
                        setting.device,
                        label_of(examples, setting),
                    ),
                    options,
                    setting,
                    seeds,
                    EPOCHS,
                    training,
                )
            count[0] += 1
            with clock() as timed:
                state["loop"].epoch(count[0])
        return Epoch(len(examples), timed.seconds, {"decode": decoding.seconds})

    return epoch
