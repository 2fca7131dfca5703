"""A pretrained network as the rest of the compute wing sees it, whatever its source.

`load_model(address)` resolves weights in this order: an installed package that holds the very weights of the hub; the
hub's local cache; the hub (unless offline or not reachable); an installed package with other weights of the same
architecture, which is then said. Random weights only where the recipe asks for them. After it: `network.py` finds and
replaces the head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from weigh.errors import ModelError, WeighError
from weigh.files import stamps
from weigh.language import Text, join_texts, text
from weigh.models.address import BUILT_IN, Address, check_trust, parse_address
from weigh.models.anatomy import TORCH, Anatomy
from weigh.models.design import design_digest
from weigh.models.maps import Pyramid
from weigh.models.preparation import Preparation
from weigh.models.published import spdx
from weigh.registry import Registry
from weigh.run import RECIPES

__all__ = [
    "MODEL_SOURCES",
    "PORTS",
    "SEVERAL",
    "ModelSource",
    "Pretrained",
    "Provenance",
    "libraries_of",
    "load_from_source",
    "load_model",
    "outline_of",
]

PORTS = {
    "features": text("vector per example", "每个样本的特征向量"),
    "layers": text("vectors of several layers", "多个层的特征向量"),
    "network": text("weights that can be trained", "可训练的权重"),
    "tokens": text("vector per token", "每个词元的特征向量"),
    "maps": text("maps of its pictures", "图片的特征图"),
    "boxes": text("boxes, by a detector of its own", "检测框（由其自带的检测器给出）"),
}

SEVERAL = "several"  # the option `layers`: of a head on several layers (`layers.py`)
TRAINS = {"head": "features", "network": "network"}  # what a recipe trains -> the port that it needs


@dataclass(frozen=True)
class Provenance:
    """Where weights came from.

    Attributes:
        source: "hub", "package", "file", "random" or "none": it has no weights.
        name: Repository, package with version, path, or "".
        licence: As stated by the source; "" where unknown.
        note: Why this source was used where another would be expected.
        files: What was read, as it lies on this machine.
    """

    source: Literal["hub", "package", "file", "random", "none"]
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
        preprocessing: How its examples are prepared.
        provenance: Where the weights came from.
        classes: Number of outputs of its own head.
        anatomy: What its source knows of its inside.
        imagenet: For each output of its own head the class of ImageNet-1k (0 to 999 by sorted synsets), -1 where it is none. None: a head of
            1,000 outputs has them in this order, any other has none. `data/pictures/imagenet.py` finds it from names of outputs.
        extra: "config" for a saved model; "configured_by" and "code": hashes of its configuration and of a user's own code.
        names: Of the classes of its own head, by their index; empty where nobody has said them.
        built: Hash of what it computes besides its weights (`design_digest`), as it was loaded.
    """

    address: Address
    module: nn.Module
    preprocessing: Preparation
    provenance: Provenance
    classes: int = 1000
    extra: dict[str, Any] = field(default_factory=dict)
    anatomy: Anatomy = TORCH
    imagenet: tuple[int, ...] | None = None
    names: tuple[str, ...] = ()
    built: str = field(init=False)
    _width: int | None = field(init=False, default=None)
    _several: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.built = design_digest(self.module) + self.extra.get("code", "")

    @property
    def reads(self) -> str:
        """What it is made for, as `media.Medium.reads`."""
        return self.preprocessing.reads

    def configure(self, options: dict[str, Any]) -> Any:
        """Take the recipe's options (input size, length, pooling, layers): sets the module, returns the preparation."""
        self.anatomy.configure(self.module, options)
        self._several = options.get("layers") == SEVERAL
        return self.preprocessing.configured(options)

    @cached_property
    def digest(self) -> str:
        """Hash of all weights and buffers."""
        return self.anatomy.digest(self.module)

    @cached_property
    def identity(self) -> str:
        """Hash of everything that a run takes from this model's files: its weights (of random ones only names and shapes), its preparation, its
        configuration, its code where that is the user's own. Part of a run's key. Other than `built` it stays the same when a library is renewed.
        """
        shapes = [(name, tuple(tensor.shape)) for name, tensor in self.module.state_dict().items()]
        weights = str(shapes) if self.provenance.source == "random" else self.digest
        parts = (
            weights,
            str(self.preprocessing),
            str(self.extra.get("configured_by", "")) + self.extra.get("code", ""),
        )
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    def facts(self) -> dict[str, Any]:
        """What a report says about the model."""
        counts = {  # what nobody knows of a model is not 0
            "parameters": self.anatomy.parameters(self.module), "size_bytes": self.anatomy.bytes(self.module), "macs": self.macs,
        }  # fmt: skip
        return {
            **{name: count or None for name, count in counts.items()}, "input_size": self.preprocessing.size,
            "weights": self.provenance.source, "weights_name": self.provenance.name, "licence": spdx(self.provenance.licence),
            "note": self.provenance.note, "sha256": self.digest,
        }  # fmt: skip

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates for one example of the usual size (of texts 32 tokens)."""
        device = next(self.module.parameters(), torch.empty(0)).device
        return self.anatomy.operations(self.module, self.preprocessing.blank(1, device))

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
    def settings(self) -> dict[str, Any]:
        """Options with which `configure` makes it as it is."""
        return {**self.anatomy.settings(self.module), **({"layers": SEVERAL} if self._several else {})}

    @property
    def ports(self) -> frozenset[str]:
        """What it offers (`Anatomy.ports`)."""
        return self.anatomy.ports

    def require(self, port: str, task: str | None = None) -> None:
        """Raise an error if the model does not offer a port; the error says what it lacks for the task, and which recipes remain.

        Raises:
            ModelError: It does not offer this port.
        """
        if port in self.ports:
            return
        offered = [name for port, name in PORTS.items() if port in self.ports]
        reason = self.anatomy.lacking.get(port)
        lacking = text("{a} has no {p}.", "{a} 没有{p}。", a=self.address.written, p=PORTS[port])
        if reason is not None:
            lacking = text(
                "{a} has no {p}: {r}.", "{a} 没有{p}：{r}。", a=self.address.written, p=PORTS[port], r=reason
            )
        raise ModelError(
            lacking,
            text(
                "It offers: {o}.",
                "它提供：{o}。",
                o=join_texts(offered, ", ", "、"),
            ),
            self._remaining(task) + (self.anatomy.instead or Text("", "")),
        )

    def require_cut(self, at: str, task: str | None = None) -> None:
        """Raise an error if its network is not cut there; the error names the recipes that remain.

        Args:
            at: `Recipe.frozen`.

        Raises:
            ModelError: A part of it cannot stay frozen.
        """
        if not at or at in self.anatomy.cuts:
            return
        raise ModelError(
            text("{a} is not cut where {c} begins.", "{a} 不能在 {c} 的起点处切分。", a=self.address.written, c=at),
            text(
                "What stands before would stay frozen, and its outputs be kept.",
                "其前面的部分将保持冻结，并保存其输出。",
            ),
            self._remaining(task),
        )

    def _remaining(self, task: str | None) -> Text:
        fit = [(name, recipe) for name, recipe in RECIPES.items() if recipe.options_for(task) is not None]
        remaining = [
            name
            for name, recipe in fit
            if not recipe.model
            and TRAINS[recipe.trains] in self.ports
            and (not recipe.layers or "layers" in self.ports)
            and (not recipe.frozen or recipe.frozen in self.anatomy.cuts)
        ]
        return text("Recipes that remain for it: {r}.", "该模型可用的方案：{r}。", r=", ".join(remaining) or "–")

    def width(self, *, tokens: bool = False) -> int:
        """Make the module return a vector per example, or per token; of so many numbers.

        Raises:
            ModelError: It has no such vectors.
        """
        self.require("tokens" if tokens else "features")
        assert self.anatomy.features is not None
        if self._width is None:
            self._width = self.anatomy.features(self.module, self.address.written)
        if tokens and self.anatomy.tokens is not None:
            self.anatomy.tokens(self.module)
        return self._width

    def body(self, *, tokens: bool = False) -> tuple[nn.Module, int]:
        """What returns a vector per example, or per token, and of how many numbers: the module, or several of its layers (`configure`).

        Raises:
            ModelError: It has no such vectors.
        """
        width = self.width(tokens=tokens)
        if tokens or not self._several:
            return self.module, width
        self.require("layers")
        assert self.anatomy.layers is not None
        return self.anatomy.layers(self.module, width, self.preprocessing.blank(1))

    def maps(self) -> Pyramid:
        """Its maps; the module is taken over, not copied.

        Raises:
            ModelError: It has none.
        """
        self.require("maps")
        assert self.anatomy.maps is not None
        if self.anatomy.features is not None:
            self.width()
        pyramid = self.anatomy.maps(self.module, self.preprocessing.blank(1))
        pyramid.keep_norms = self.provenance.source != "random"
        return pyramid

    def boxes(self) -> Pyramid:
        """Its maps and its own detector, which knows by name the classes that it was trained for; the weights are taken over, not copied.

        Raises:
            ModelError: It is no detector.
        """
        self.require("boxes")
        assert self.anatomy.boxes is not None
        pyramid = self.anatomy.boxes(self.module, self.preprocessing.blank(1))
        trained = self.provenance.source != "random"
        pyramid.own = pyramid.own._replace(names=self.names if trained and self.classes else ())
        pyramid.keep_norms = trained
        return pyramid


class ModelSource(NamedTuple):
    """Where models come from; one file each.

    Attributes:
        load: `(address, *, pretrained, offline) -> Pretrained`; torch's generator is seeded when it is called.
        names: `(pattern) -> names` that match a pattern with * and ?; builds and downloads nothing.
        cached: `(name) -> bool`: its weights lie on this machine since an earlier download.
        rebuild: `(address, config, fields, read) -> Pretrained`: a saved model's network without its weights, from what stands in config.json,
            what its preparation wrote there, and the texts of files by name; None: by `load`.
        outlined: Whether `load` builds its models on torch's device "meta", without numbers for their weights (`outline_of`).
        libraries: `(address) -> distributions` that compute it besides torch and what every model may need; runs state their versions.
    """

    load: Callable[..., Pretrained]
    names: Callable[[str], list[str]]
    cached: Callable[[str], bool] = lambda _name: False
    rebuild: Callable[[str, dict[str, Any], dict[str, Any], Callable[[str], str]], Pretrained] | None = None
    outlined: bool = False
    libraries: Callable[[Address], tuple[str, ...]] = lambda _address: ()


MODULES = {"hf": "huggingface", "keras": "keras.source", "python": "own_model"}  # source -> file, where they differ
HOMES = {name: f"weigh.models.{MODULES.get(name, name)}" for name in BUILT_IN}
MODEL_SOURCES: Registry[ModelSource] = Registry(text("model source", "模型来源"), tuple(HOMES.values()), homes=HOMES)


def libraries_of(written: str) -> tuple[str, ...]:
    """Distributions that compute a model besides torch and what every model may need; none where its source cannot say it."""
    try:
        address = parse_address(written)
        if address.source == "file":
            return libraries_of(address.architecture)
        return MODEL_SOURCES.get(address.source).libraries(address)
    except (WeighError, ImportError):  # its runs have failed by that
        return ()


def load_model(
    address: str, *, pretrained: bool, offline: bool, rng_seed: int = 0, trust_code: bool = False
) -> Pretrained:
    """Load a model by address.

    Args:
        pretrained: False: random weights drawn with `rng_seed` (the `scratch` control, timings).
        offline: No network call at all.
        trust_code: Code of the user's may run (`python:`).

    Raises:
        ModelError: No such model, a checkpoint that does not fit, or code that nobody trusts.
        WeightsUnreachable: No hub, package or file has the weights; says what was tried and what to do.
    """
    check_trust([address], trust_code=trust_code)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(rng_seed % 2**63)
        model = load_from_source(address, pretrained=pretrained, offline=offline)
    model.module.eval()
    return model


def outline_of(address: str, *, trust_code: bool = False) -> Pretrained:
    """The structure and the preparation of a model for whoever has its weights already: as `load_model` with random ones, but without drawing
    them where its source can do that. Nothing can be computed with it.
    """
    outlined = MODEL_SOURCES.get(parse_address(address).source).outlined
    with torch.device("meta") if outlined else nullcontext():
        return load_model(address, pretrained=False, offline=True, trust_code=trust_code)


def load_from_source(address: str, *, pretrained: bool, offline: bool) -> Pretrained:
    """For sources that stand on another one: as `load_model`, of an address that is part of one that was checked."""
    parsed = parse_address(address)
    return MODEL_SOURCES.get(parsed.source).load(parsed, pretrained=pretrained, offline=offline)
