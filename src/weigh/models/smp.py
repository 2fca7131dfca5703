"""Models of segmentation_models_pytorch: `smp:DECODER/ENCODER`, e.g. `smp:unet/resnet34`; `smp:unet/tu-NAME` has an encoder of timm.

The encoder is pretrained, the decoder starts from random weights (unless a file has both): it belongs to what is trained, also where the
encoder stays frozen. Weights of `tu-` encoders are those of `timm:NAME`, wherever that source finds them; of others, those of the hub.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from weigh.errors import MissingExtra, ModelError, reason_of
from weigh.language import text
from weigh.models.address import Address
from weigh.models.anatomy import Anatomy, depth_of_parameters, weights_digest
from weigh.models.checkpoint import read_checkpoint
from weigh.models.decoded import plain_name
from weigh.models.hub import cached_from_hub, commit_of, fetch_from_hub, named, unreachable
from weigh.models.maps import Level, OwnDecoder, Pyramid, Tapped
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance, load_model

__all__ = ["load", "names"]

TIMM = "tu-"
LEFT_OUT = ("dpt", "pan")  # one takes tokens of some encoders alone, the other no small pictures
STEP = 32  # sides of pictures are multiples of it
MEAN, STD, SIZE = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
    224,
)  # of ImageNet; where the encoder's files say nothing else
WEIGHTS, SETTINGS = "model.safetensors", "config.json"
NOTE = "the decoder starts from random weights"


def _maps(module: Any, blank: torch.Tensor) -> Pyramid:
    module.eval()
    # noise, since a map of a blank picture may be zero: without it the decoder would give the same
    noise = torch.randn(blank.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = module.encoder(noise)
        decoded = module.decoder(maps)
        used = tuple(place for place in range(len(maps)) if _needs(module.decoder, maps, place, decoded))
    levels = [
        Level(f"taps.{i}", 2 ** round(math.log2(blank.shape[-1] / made.shape[-1])), made.shape[1], "first")
        for i, made in enumerate(maps)
    ]
    return Pyramid(Tapped(module.encoder, len(maps)), tuple(levels), OwnDecoder(module.decoder, decoded.shape[1], used))


def _needs(decoder: nn.Module, maps: list[torch.Tensor], place: int, decoded: torch.Tensor) -> bool:
    """Whether it looks at this map, if only at its size: without it the decoder fails or gives something else."""
    try:
        return not torch.equal(decoder([None if i == place else made for i, made in enumerate(maps)]), decoded)
    except (TypeError, AttributeError, RuntimeError):
        return True


# its decoder takes maps from all over the encoder and is always trained with the head
ANATOMY = Anatomy(
    features=None, maps=_maps, cuts=frozenset({"head"}), depths=lambda network: depth_of_parameters(network, plain_name),
    head=lambda module: {name for name in module.state_dict() if name.startswith("segmentation_head.")},
    digest=lambda module: weights_digest(module.encoder),  # type: ignore[arg-type] - the decoder is drawn anew by each run
)  # fmt: skip


def _library() -> Any:
    """The package.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import segmentation_models_pytorch
    except ImportError:
        raise MissingExtra(
            "segmentation-models-pytorch", text("models smp:DECODER/ENCODER", "模型 smp:解码器/编码器"), "segmentation"
        ) from None
    return segmentation_models_pytorch


def _decoders(library: Any) -> list[str]:
    return [name for name in library.MODEL_ARCHITECTURES_MAPPING if name not in LEFT_OUT]


def names(pattern: str) -> list[str]:
    """Decoders times the library's own encoders that match a pattern; none where it is not installed."""
    try:
        library = _library()
    except MissingExtra:
        return []
    encoders = library.encoders.get_encoder_names()
    return fnmatch.filter((f"{decoder}/{encoder}" for decoder in _decoders(library) for encoder in encoders), pattern)


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`."""
    library = _library()
    decoder, encoder = address.name.lower(), address.weights or ""
    own = library.encoders.get_encoder_names()
    if decoder not in _decoders(library) or not (encoder in own or encoder.startswith(TIMM)):
        near = difflib.get_close_matches(encoder, own, n=1)
        best = (difflib.get_close_matches(decoder, _decoders(library), n=1) or ["unet"])[0]
        raise ModelError(
            text(
                "'{a}' names no decoder and encoder of smp.", "“{a}”没有指明 smp 的解码器和编码器。", a=address.written
            ),
            text("Decoders: {d}.", "解码器：{d}。", d=", ".join(_decoders(library))),
            text(
                "Write smp:{x}/{e}, or smp:{x}/tu-NAME with an encoder timm:NAME. `weigh models 'smp:{x}/*'` lists more.",
                "请写成 smp:{x}/{e}，或用 timm:名称 作编码器：smp:{x}/tu-名称。`weigh models 'smp:{x}/*'` 会列出更多。",
                x=best,
                e=(near or ["resnet34"])[0],
            ),
        )
    base = None
    if encoder.startswith(TIMM):
        base = load_model(f"timm:{encoder.removeprefix(TIMM)}", pretrained=pretrained, offline=offline)
    try:
        module = library.create_model(decoder, encoder_name=encoder, encoder_weights=None, classes=1)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise _does_not_go_with(address, reason_of(error)) from None
    preprocessing, provenance = Preprocessing(SIZE, SIZE, MEAN, STD), Provenance("random")
    if base is not None:
        if pretrained:
            module.encoder.model.load_state_dict(_renamed(base.module.state_dict(), module.encoder.model, address))
            provenance = replace(base.provenance, note="; ".join(filter(None, [base.provenance.note, NOTE])))
        preprocessing = base.preprocessing
    elif pretrained:
        preprocessing, provenance = _from_hub(
            module.encoder, _repository(library, encoder), preprocessing, address, offline
        )
    size = STEP * math.ceil(preprocessing.size / STEP)
    if size != preprocessing.size:
        preprocessing = preprocessing.at(size)  # type: ignore[union-attr]
    return Pretrained(address, module, preprocessing, provenance, 0, anatomy=ANATOMY)


def _renamed(state: dict[str, torch.Tensor], body: nn.Module, address: Address) -> dict[str, torch.Tensor]:
    """Weights of a model of timm by the names that they have in the same without head, which flattens some ("stages_0" for "stages.0")."""
    renamed: dict[str, torch.Tensor] = {}
    for name, own in body.state_dict().items():
        top, dot, rest = name.partition(".")
        tried = (name, top.replace("_", ".") + dot + rest, name.removeprefix("model."))
        key = next((key for key in tried if key in state and state[key].shape == own.shape), None)
        if key is None:
            raise _does_not_go_with(address, f"{name} is not in timm:{(address.weights or '').removeprefix(TIMM)}")
        renamed[name] = state[key]
    return renamed


def _does_not_go_with(address: Address, reason: str) -> ModelError:
    return ModelError(
        text(
            "{d} of smp cannot be built on {e}: {r}",
            "smp 的 {d} 无法建立在 {e} 之上：{r}",
            d=address.name,
            e=address.weights,
            r=reason,
        ),
        do=text(
            "Use another encoder, e.g. smp:{d}/resnet34", "请换用其他编码器，例如 smp:{d}/resnet34", d=address.name
        ),
    )


def _repository(library: Any, encoder: str) -> str:
    settings = library.encoders.encoders[encoder]["pretrained_settings"]
    return settings.get("imagenet", next(iter(settings.values())))["repo_id"]


def _from_hub(
    encoder: Any,
    repository: str,
    usual: Preprocessing,
    address: Address,
    offline: bool,  # noqa: FBT001
) -> tuple[Preprocessing, Provenance]:
    """The encoder with the weights of its repository; how its pictures are prepared, and where they came from."""
    weights = fetch_from_hub(repository, (WEIGHTS,), offline=offline)
    if weights.path is None:
        raise unreachable(address.written, weights.refusal, offline=offline, packaged=None)
    encoder.load_state_dict(read_checkpoint(weights.path).plain)
    settings = fetch_from_hub(
        repository, (SETTINGS,), offline=offline, revision=commit_of(weights.path) or None, needed=False
    ).path
    if settings is not None:
        written = json.loads(settings.read_text(encoding="utf-8"))
        usual = replace(usual, mean=tuple(written.get("mean", MEAN)), std=tuple(written.get("std", STD)))
    return usual, Provenance("hub", named(repository, weights.path), note=NOTE, files=(weights.path,))


def _cached(name: str) -> bool:
    return cached_from_hub(_repository(_library(), name.partition("/")[2]), (WEIGHTS,)) is not None


MODEL_SOURCES.register("smp", ModelSource(load, names, _cached, libraries=lambda _: ("segmentation-models-pytorch",)))
