"""A pretrained network as the rest of the compute wing sees it, whatever its source.

`load_model(address)` resolves weights in this order: an installed package that holds the very weights of the hub; the
hub's local cache; the hub (unless offline or not reachable); an installed package with other weights of the same
architecture, which is then said. Random weights only where the recipe asks for them. After it: `network.py` finds and
replaces the head.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

from weigh.language import text
from weigh.models.address import BUILT_IN, Address, parse_address
from weigh.models.encoder import Encoder
from weigh.models.tokenisation import Tokenisation
from weigh.registry import Registry

__all__ = [
    "MODEL_SOURCES",
    "ModelSource",
    "Preprocessing",
    "Pretrained",
    "Provenance",
    "design_digest",
    "load_model",
    "stamps",
    "weights_digest",
]

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS, "box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING,
}  # fmt: skip
STRIP = 64  # squares: the length of a picture that is scaled whole
REACH = 4  # pixels that the widest filter (lanczos: 3) needs beyond the edge of what it makes


class _Span(NamedTuple):
    """Pixels [first, beyond) of one side of a picture, and where within them the wanted part starts and stops."""

    first: int
    beyond: int
    start: float
    stop: float


def _span(start: int, length: int, scaled: int, real: int) -> _Span:
    """What `length` pixels from `start` on need of a side of `real` pixels that is scaled to `scaled`."""
    step = real / scaled
    reach = REACH * max(1.0, step)
    first = max(0, math.floor(start * step - reach))
    beyond = min(real, math.ceil((start + length) * step + reach))
    return _Span(first, beyond, max(0.0, start * step - first), min((start + length) * step, real) - first)


@dataclass(frozen=True)
class Preprocessing:
    """How the model's pictures were prepared.

    Attributes:
        size: Side of the square input, in pixels.
        resize: Length of the shorter side before the centre crop.
        mean, std: Per channel, of values in [0, 1].
        interpolation: Of the resize ("bicubic", …).
        squash: Both sides are resized to `size`, whatever the shape of the picture; nothing is cut off.
    """

    reads: ClassVar[str] = "pictures"
    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    squash: bool = False

    def configured(self, options: dict[str, Any]) -> Preprocessing:
        """With the recipe's options (`image_size`)."""
        return self.at(options["image_size"]) if options.get("image_size") else self

    def blank(self, n: int, device: str | torch.device = "cpu") -> torch.Tensor:
        """A batch of `n` grey pictures, for timings and shapes."""
        return torch.zeros(n, 3, self.size, self.size, device=device)

    def as_json(self) -> dict[str, Any]:
        """For the configuration of a saved model."""
        return asdict(self)

    def at(self, size: int) -> Preprocessing:
        """The same preparation at another input size (same crop share)."""
        return replace(self, size=size, resize=max(size, round(self.resize * size / self.size)))

    @staticmethod
    def from_json(fields: dict[str, Any]) -> Preprocessing:
        """The preparation whose `asdict` was written as JSON."""
        return Preprocessing(**{**fields, "mean": tuple(fields["mean"]), "std": tuple(fields["std"])})

    @property
    def whole(self) -> Preprocessing:
        """That of the squares from which the evaluation crop and all augmentations are cut."""
        return replace(self, size=self.side)

    @property
    def side(self) -> int:
        """Of these squares: the resize length, or the input itself where pictures are squashed to it."""
        return self.size if self.squash else self.resize

    def crop(self, picture: Image.Image) -> np.ndarray:
        """Resize the shorter side, crop the centre: `(size, size, 3)` uint8.

        Of a strip that is longer than `STRIP` squares only the part that the crop needs is scaled: 1 × 16,000 pixels would become
        four million rows. Both ways agree but for roundings.
        """
        how = RESAMPLING.get(self.interpolation, Image.Resampling.BILINEAR)
        if self.squash:
            return np.asarray(picture.resize((self.size, self.size), how))
        width, height = picture.size
        scale = self.resize / min(width, height)
        if scale == 1:
            wide, high = width, height
        else:
            wide, high = max(self.size, round(width * scale)), max(self.size, round(height * scale))
        left, top = round((wide - self.size) / 2), round((high - self.size) / 2)
        if scale != 1 and max(wide, high) > STRIP * self.resize:
            across, down = _span(left, self.size, wide, width), _span(top, self.size, high, height)
            picture = picture.crop((across.first, down.first, across.beyond, down.beyond))
            box = (across.start, down.start, across.stop, down.stop)
            return np.asarray(picture.resize((self.size, self.size), how, box=box))
        if scale != 1:
            picture = picture.resize((wide, high), how)
        return np.asarray(picture.crop((left, top, left + self.size, top + self.size)))

    def normalise(self, pictures: torch.Tensor) -> torch.Tensor:
        """`(n, size, size, 3)` uint8 to `(n, 3, size, size)` float32, channels last in memory."""
        x = pictures.permute(0, 3, 1, 2).to(torch.float32)
        mean = torch.tensor(self.mean, device=x.device).view(1, 3, 1, 1) * 255
        std = torch.tensor(self.std, device=x.device).view(1, 3, 1, 1) * 255
        return x.sub_(mean).div_(std)


@dataclass(frozen=True)
class Provenance:
    """Where weights came from.

    Attributes:
        source: "hub", "package", "file" or "random".
        name: Repository, package with version, path, or "".
        licence: As stated by the source; "" where unknown.
        note: Why this source was used where another would be expected.
        files: What was read, as it lies on this machine.
    """

    source: Literal["hub", "package", "file", "random"]
    name: str = ""
    licence: str = ""
    note: str = ""
    files: tuple[Path, ...] = ()


@dataclass
class Pretrained:
    """A network with its own head.

    Attributes:
        address: What was asked for.
        module: The network, in eval mode, on the CPU.
        preprocessing: How its pictures, or its texts, are prepared.
        provenance: Where the weights came from.
        classes: Number of outputs of its own head.
        built: Hash of what it computes besides its weights (`design_digest`), as it was loaded.
    """

    address: Address
    module: nn.Module
    preprocessing: Preprocessing | Tokenisation
    provenance: Provenance
    classes: int = 1000
    extra: dict[str, Any] = field(default_factory=dict)
    built: str = field(init=False)

    def __post_init__(self) -> None:
        self.built = design_digest(self.module)

    @property
    def reads(self) -> str:
        """What it is made for, as `media.Medium.reads`."""
        return self.preprocessing.reads

    def configure(self, options: dict[str, Any]) -> Any:
        """Take the recipe's options (input size, length, pooling): sets the module, returns the preparation."""
        if isinstance(self.module, Encoder):
            self.module.configure(options)
        return self.preprocessing.configured(options)

    @cached_property
    def digest(self) -> str:
        """Hash of all weights and buffers."""
        return weights_digest(self.module)

    @cached_property
    def identity(self) -> str:
        """Hash of everything that a run takes from this model's files: its weights (of random ones only names and shapes), its preparation, its
        configuration. Part of a run's key. Other than `built` it stays the same when a library is renewed.
        """
        shapes = [(name, tuple(tensor.shape)) for name, tensor in self.module.state_dict().items()]
        weights = str(shapes) if self.provenance.source == "random" else self.digest
        parts = (weights, str(self.preprocessing), str(self.extra.get("configured_by", "")))
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    def facts(self) -> dict[str, Any]:
        """What a report says about the model."""
        parameters = sum(p.numel() for p in self.module.parameters())
        size = sum(t.numel() * t.element_size() for t in self.module.state_dict().values())
        return {
            "parameters": parameters, "size_bytes": size, "macs": self.macs, "input_size": self.preprocessing.size,
            "weights": self.provenance.source, "weights_name": self.provenance.name, "licence": self.provenance.licence,
            "note": self.provenance.note, "sha256": self.digest,
        }  # fmt: skip

    def known(self) -> dict[str, Any]:
        """What names its features and describes it without loading it again: `Setting.model`."""
        return {
            "facts": self.facts(),
            "preprocessing": self.preprocessing.as_json(),
            "built": self.built,
            "identity": self.identity,
            "files": stamps(self.provenance.files),
        }

    @property
    def pooled(self) -> str:
        """How an encoder of texts makes one vector of many; "" for pictures."""
        module = self.module
        return f"{module.pooling} of {module.layers}" if isinstance(module, Encoder) else ""

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers for one picture, or 32 tokens, counted in one forward pass."""
        counted = [0]

        def count(layer: nn.Module, _inputs, output: torch.Tensor) -> None:
            weight: torch.Tensor = layer.weight  # type: ignore[assignment]
            if isinstance(layer, nn.Linear):
                counted[0] += output.numel() * weight.shape[1]
            else:
                counted[0] += output.numel() * weight[0].numel()

        layers = [m for m in self.module.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))]
        hooks = [layer.register_forward_hook(count) for layer in layers]
        try:
            device = next(self.module.parameters()).device
            with torch.inference_mode():
                self.module(self.preprocessing.blank(1, device))
        finally:
            for hook in hooks:
                hook.remove()
        return counted[0]


class ModelSource(NamedTuple):
    """Where models come from; one file each.

    Attributes:
        load: `(address, *, pretrained, offline) -> Pretrained`; torch's generator is seeded when it is called.
        names: `(pattern) -> names` that match a pattern with * and ?; builds and downloads nothing.
        cached: `(name) -> bool`: its weights lie on this machine since an earlier download.
    """

    load: Callable[..., Pretrained]
    names: Callable[[str], list[str]]
    cached: Callable[[str], bool] = lambda _name: False


MODULES = {"hf": "huggingface"}  # source -> file, where they differ
MODEL_SOURCES: Registry[ModelSource] = Registry(
    text("model source", "模型来源"), modules=tuple(f"weigh.models.{MODULES.get(name, name)}" for name in BUILT_IN)
)


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over names, shapes and bytes of the state dict, in order."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def stamps(files: Iterable[Path]) -> dict[str, list[int] | None]:
    """Size, time of the last change and number of each file: while they stay the same, so does what is in it. None: it is not there."""
    stamp_by_file: dict[str, list[int] | None] = {}
    for path in files:
        try:
            status = Path(path).stat()
            stamp_by_file[str(path)] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        except OSError:
            stamp_by_file[str(path)] = None
    return stamp_by_file


def design_digest(module: nn.Module) -> str:
    """Hash over types and settings of all layers: two networks with the same weights may still compute different things (`quickgelu`)."""
    digest = hashlib.blake2b(digest_size=16)
    for name, layer in module.named_modules():
        settings = {key: _plain(value) for key, value in vars(layer).items() if key[0] != "_" and key != "training"}
        kinds = [(weight, str(tensor.dtype)) for weight, tensor in layer.named_parameters(recurse=False)]
        digest.update(f"{name} {type(layer).__qualname__} {sorted(settings.items())} {kinds}\n".encode())
    return digest.hexdigest()


def _plain(value: Any) -> str:
    """A setting of a layer as text that is the same in every process."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_plain, value))})"
    if isinstance(value, dict):
        return _plain(sorted((str(key), _plain(inner)) for key, inner in value.items()))
    if hasattr(value, "to_json_string"):  # a configuration of transformers
        return value.to_json_string()
    return getattr(value, "__qualname__", type(value).__qualname__)  # a function by its name


def load_model(address: str, *, pretrained: bool, offline: bool, rng_seed: int = 0) -> Pretrained:
    """Load a model by address.

    Args:
        pretrained: False: random weights drawn with `rng_seed` (the `scratch` control, timings).
        offline: No network call at all.

    Raises:
        ModelError: No such model, or a checkpoint that does not fit.
        WeightsUnreachable: No hub, package or file has the weights; says what was tried and what to do.
    """
    parsed = parse_address(address)
    load = MODEL_SOURCES.get(parsed.source).load
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(rng_seed % 2**63)
        found: Pretrained = load(parsed, pretrained=pretrained, offline=offline)
    found.module.eval()
    return found
