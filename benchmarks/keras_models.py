"""Keras beside torch: how exactly translated models compute, how fast they train, and a file of Keras that holds weights of torchvision.

    python -m benchmarks.keras_models families             # ten families and more, random statistics: greatest relative difference
    python -m benchmarks.keras_models write mobilenet.keras # MobileNetV2 of Keras with torchvision's packaged weights, for pictures of 225 pixels
    python -m benchmarks.keras_models steps --rounds 5      # a training step of 16 pictures at 128 px: translated, the like in torch, Keras's own

Needs weigh[keras]. Figures: docs/decisions/keras.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")

FAMILIES = {
    "MobileNet": 64, "MobileNetV2": 64, "MobileNetV3Small": 64, "EfficientNetB0": 64, "EfficientNetV2B0": 64, "ResNet50": 64, "ResNet50V2": 64,
    "DenseNet121": 64, "Xception": 96, "InceptionV3": 96, "InceptionResNetV2": 96, "VGG16": 64, "ConvNeXtTiny": 64,
}  # fmt: skip

LIKE = {  # the same architecture in a library of torch
    "MobileNetV2": "torchvision:mobilenet_v2", "EfficientNetB0": "timm:tf_efficientnet_b0", "DenseNet121": "torchvision:densenet121",
    "ResNet50V2": "timm:resnetv2_50", "VGG16": "torchvision:vgg16", "ConvNeXtTiny": "timm:convnext_tiny",
}  # fmt: skip


def layers_of(model: Any) -> list[Any]:
    """All layers, those of models within it included."""
    return [one for layer in model.layers for one in (layers_of(layer) if hasattr(layer, "layers") else [layer])]


def random_statistics(model: Any, rng: np.random.Generator) -> None:
    """What batch norms have gathered becomes random, as after training."""
    for layer in layers_of(model):
        if type(layer).__name__ == "BatchNormalization":
            own = [
                rng.uniform(0.5, 1.5, weight.shape) if "var" in weight.name or "gamma" in weight.name else rng.normal(0, 0.1, weight.shape)
                for weight in layer.weights
            ]  # fmt: skip
            layer.set_weights(own)


def family(name: str, size: int, folder: Path, **options: Any) -> Path:
    """A `.keras` file of an architecture with ten classes and random statistics."""
    import keras

    keras.utils.set_random_seed(0)
    with torch.no_grad():
        model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10, **options)
        random_statistics(model, np.random.default_rng(0))
        path = folder / f"{name}.keras"
        model.save(path)
    return path


def difference(path: Path) -> float:
    """Of a translated file to Keras, for two pictures of noise, as a share of the greatest number."""
    import keras

    from weigh.models.keras.source import APPLICATIONS, INSIDE
    from weigh.models.pretrained import load_model

    least, most = (
        (0, 255) if APPLICATIONS[path.stem].values == INSIDE else (-1, 1)
    )  # other pictures than it is for only measure rounding
    model = load_model(f"keras:{path}@values={least}..{most}", pretrained=True, offline=True)
    noise = torch.rand(model.preprocessing.blank(2).shape, generator=torch.Generator().manual_seed(1))
    noise = noise * (most - least) + least
    with torch.no_grad():
        reference = keras.saving.load_model(path, compile=False)
        reference.layers[-1].activation = keras.activations.linear
        theirs = torch.from_numpy(np.array(reference(noise.permute(0, 2, 3, 1).numpy(), training=False)))
        ours = model.module(noise)
    return float((ours - theirs).abs().max() / theirs.abs().max())


def fill_from_torch(model: Any, module: nn.Module) -> None:
    """Put the numbers of a torch network into a model of Keras whose layers stand in the same order.

    Keras adds 1e-3 to the variances, torch 1e-5: the scales are changed, so that both give the same.
    """
    kept = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
    sources = [part for part in module.modules() if isinstance(part, kept)]
    targets = [layer for layer in layers_of(model) if layer.weights]
    for source, target in zip(sources, targets, strict=True):
        numbers = {name: tensor.detach().numpy() for name, tensor in source.state_dict().items()}
        if isinstance(source, nn.Linear):
            own = [numbers["weight"].T, numbers["bias"]]
        elif isinstance(source, nn.Conv2d):
            kernel = numbers["weight"].transpose(2, 3, 1, 0)
            own = [kernel.transpose(0, 1, 3, 2) if source.groups > 1 else kernel]
        else:
            variance = numbers["running_var"]
            scale = numbers["weight"] * np.sqrt((variance + target.epsilon) / (variance + source.eps))
            own = [scale, numbers["bias"], numbers["running_mean"], variance]
        target.set_weights(own)


def write_mobilenet(path: Path) -> None:
    """MobileNetV2 of Keras with the weights of torchvision's, which an installed package holds (requirements/weights.txt).

    At an odd size both pad alike; at 224 Keras pads on one side only.
    """
    import keras

    from weigh.models.pretrained import load_model

    with torch.no_grad():
        model = keras.applications.MobileNetV2(weights=None, input_shape=(225, 225, 3), classifier_activation=None)
        fill_from_torch(model, load_model("torchvision:mobilenet_v2", pretrained=True, offline=True).module)
        model.save(path)


def steps(name: str, rounds: int, size: int = 128, batch: int = 16) -> dict[str, list[float]]:
    """Seconds of processor time of a training step, in turns: a model translated, its like in torch, and Keras's own as it is."""
    import keras

    from weigh.models.pretrained import load_model

    translated = load_model(f"keras:{name}@size={size}", pretrained=False, offline=True).module
    like = load_model(LIKE[name], pretrained=False, offline=True).module
    own = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classifier_activation=None)
    pictures, target = torch.randn(batch, 3, size, size), torch.randint(0, 1000, (batch,))

    def prepared(network: nn.Module, forward: Any, inputs: torch.Tensor) -> Any:
        optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 1e-3)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(forward(inputs), target).backward()
            optimizer.step()

        return step

    last = torch.channels_last
    turns = {
        "translated": prepared(translated, translated.train().to(memory_format=last), pictures.to(memory_format=last)),
        LIKE[name]: prepared(like, like.train().to(memory_format=last), pictures.to(memory_format=last)),
        "keras": prepared(own, lambda x: own(x, training=True), pictures.permute(0, 2, 3, 1).contiguous()),
    }
    taken: dict[str, list[float]] = {turn: [] for turn in turns}
    for _ in range(rounds + 1):
        for turn, step in turns.items():
            began = time.process_time()  # other programs do not count
            step()
            taken[turn].append(time.process_time() - began)
    return {turn: seconds[1:] for turn, seconds in taken.items()}  # the first round warms up


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["families", "write", "steps"])
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="*", default=list(LIKE), choices=list(LIKE))
    given = parser.parse_args()
    if given.part == "write":
        write_mobilenet(given.path or Path("mobilenet_v2.keras"))
    elif given.part == "families":
        with tempfile.TemporaryDirectory() as folder:
            for name, size in FAMILIES.items():
                print(f"{name:20} {difference(family(name, size, Path(folder))):.1e}", flush=True)
    else:
        for name in given.models:
            taken = steps(name, given.rounds)
            ours, like, own = (median(seconds) for seconds in taken.values())
            print(f"{name:15} translated {1000 * ours:6.0f} ms, {LIKE[name]} {1000 * like:6.0f} ms (x {ours / like:.2f}), keras {1000 * own:6.0f} ms (x {own / ours:.2f})", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
