"""Models of Keras 3: `keras:NAME` of keras.applications, `keras:PATH.keras`, `keras:PATH.weights.h5@NAME`, `keras:hub:PRESET`.

Their graphs become networks of torch layers (`network.py`), which train like any other; that both give the same numbers for two pictures is
checked whenever one is loaded. What cannot be translated is offered with frozen features that Keras computes, and says so.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from weigh.errors import ModelError, no_file, reason_of
from weigh.language import Text, text
from weigh.models.address import Address, parse_address
from weigh.models.anatomy import weights_digest
from weigh.models.keras.frozen import frozen_features
from weigh.models.keras.graph import Graph, Untranslatable, read_graph, without_last_activation
from weigh.models.keras.network import KerasNetwork, Translation, Vector, anatomy_of, translate
from weigh.models.keras.reference import Reference, application, config_of, from_config, hub_backbone, keras_cache
from weigh.models.keras.settings import cleaned, refused
from weigh.models.keras.weights import archive_config, check_fits, opened_weights, read_arrays
from weigh.models.outside import VALUES, Scaling, entry_of, scaled_as, size_of
from weigh.models.penultimate import values_expected
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.settings import user_path

__all__ = ["load", "names", "rebuild"]


class _Known(NamedTuple):
    """A model of keras.applications: pixels of a side of the pictures that it was trained with, and how their values were scaled."""

    size: int
    values: str


CAFFE = Scaling((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3)  # and blue first
SCALINGS = {**VALUES, "caffe": CAFFE}
INSIDE = "0..255"  # the graph scales by itself
APPLICATIONS = {
    "Xception": _Known(299, "-1..1"), "VGG16": _Known(224, "caffe"), "VGG19": _Known(224, "caffe"),
    **{f"ResNet{n}": _Known(224, "caffe") for n in (50, 101, 152)},
    **{f"ResNet{n}V2": _Known(224, "-1..1") for n in (50, 101, 152)},
    "InceptionV3": _Known(299, "-1..1"), "InceptionResNetV2": _Known(299, "-1..1"),
    "MobileNet": _Known(224, "-1..1"), "MobileNetV2": _Known(224, "-1..1"),
    "MobileNetV3Small": _Known(224, INSIDE), "MobileNetV3Large": _Known(224, INSIDE),
    **{f"DenseNet{n}": _Known(224, "imagenet") for n in (121, 169, 201)},
    "NASNetMobile": _Known(224, "-1..1"), "NASNetLarge": _Known(331, "-1..1"),
    **{f"EfficientNetB{n}": _Known(size, INSIDE) for n, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))},
    **{f"EfficientNetV2{n}": _Known(size, INSIDE) for n, size in
       {"B0": 224, "B1": 240, "B2": 260, "B3": 300, "S": 384, "M": 480, "L": 480}.items()},
    **{f"ConvNeXt{n}": _Known(224, INSIDE) for n in ("Tiny", "Small", "Base", "Large", "XLarge")},
}  # fmt: skip
# Of the weights, as the documentation of keras.applications states them; where it states none, none is known. A licence of Keras is not that of weights.
LICENCES = {
    **dict.fromkeys(("VGG16", "VGG19"), "CC-BY-4.0"),
    **dict.fromkeys(("Xception", "ResNet50", "ResNet101", "ResNet152"), "MIT"),
    **dict.fromkeys(
        ("InceptionV3", "InceptionResNetV2", "MobileNet", "MobileNetV2", "NASNetMobile", "NASNetLarge"), "Apache-2.0"
    ),
    **dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), "BSD-3-Clause"),
}
UNLISTED = ("NASNetMobile",)  # Keras refuses to build it on torch, in words of its own
STEPS = {"ops.Multiply": "Mul", "ops.Divide": "Div", "ops.TrueDivide": "Div", "ops.Subtract": "Sub", "ops.Add": "Add"}
CLOSE = 1e-4  # greatest difference between both networks, as a share of the greatest number
BLUE_FIRST = "caffe"


def names(pattern: str) -> list[str]:
    """The models of keras.applications that match a pattern with * and ?, and that Keras builds on torch."""
    return [name for name in APPLICATIONS if name not in UNLISTED and fnmatch.fnmatchcase(name, pattern)]


def cached(name: str) -> bool:
    """Whether the weights of an application lie where Keras keeps what it has downloaded."""
    wanted = re.compile(
        rf"(weights)?{name.lower()}(|weights.*|10224tf|22410float)"
    )  # MobileNet and MobileNetV3 have names of their own
    files = (re.sub(r"[^a-z0-9]", "", path.stem.lower()) for path in (keras_cache() / "models").glob("*.h5"))
    return any(wanted.fullmatch(file) and not file.endswith("notop") for file in files)


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`."""
    path = None if address.path is None else user_path(address.path)
    if path is not None and not path.is_file():
        raise no_file(path, ModelError)
    if path is not None and address.name == path.name:
        model = _from_file(address, path, pretrained=pretrained)
    elif address.name.startswith("hub:"):
        model = _from_hub(address, pretrained=pretrained, offline=offline)
    else:
        model = _from_applications(address, path, pretrained=pretrained, offline=offline)
    if not pretrained:
        return replace(model, provenance=Provenance("random", files=model.provenance.files))
    return model


def _from_file(address: Address, path: Path, *, pretrained: bool) -> Pretrained:
    """A `.keras` file: its configuration cleaned, its numbers read by us."""
    provenance = Provenance("file", path.name, files=(path.resolve(),))
    stored = archive_config(path, address.written)
    with _plain_settings(address):
        config = without_last_activation(cleaned(stored, address.written))
        graph = _readable(config)
        preparation = _preparation_of(address, _shape(config), graph if isinstance(graph, Graph) else None)
    blue_first = dict(address.options).get("values") == BLUE_FIRST
    most = (8 * path.stat().st_size + 50_000_000) // 4
    reference = from_config(config, address.written, most_parameters=most)
    try:
        if not isinstance(graph, Graph):
            raise graph
        made = translate(graph, size=preparation.size, blue_first=blue_first, address=address.written)
    except Untranslatable as reason:
        _fill_reference(reference, config, path, address)
        return frozen_features(address, reference, preparation, provenance, reason.reason, blue_first=blue_first)
    check_fits(path, made.parameters, address.written)
    network = made.materialise()
    if pretrained:
        with opened_weights(path, address.written) as file:
            arrays = read_arrays(file, _places(made), made.shapes(), address.written)
        made.fill(arrays)
        for layer, own in zip(_weighing(made), arrays, strict=True):
            reference.fill(layer.path, own)
        if not (difference := _difference(network, reference, preparation, blue_first=blue_first)) <= CLOSE:
            return frozen_features(address, reference, preparation, provenance, _unequal(difference), blue_first=blue_first)  # fmt: skip
    return _translated(address, network, preparation, provenance, config, blue_first=blue_first)


def _from_applications(address: Address, weights: Path | None, *, pretrained: bool, offline: bool) -> Pretrained:
    known = APPLICATIONS.get(address.name)
    if known is None:
        import difflib

        near = difflib.get_close_matches(address.name, APPLICATIONS, n=3, cutoff=0.4)
        raise ModelError(
            text("keras.applications has no model called '{n}'.", "keras.applications 中没有名为“{n}”的模型。", n=address.name),
            do=text("Near: {x}. `weigh models 'keras:*'` lists all.", "相近的有：{x}。`weigh models 'keras:*'` 会列出全部。", x=", ".join(near) or "–"),
        )  # fmt: skip
    options = dict(address.options)
    size, values = _stated_size(address, known.size), options.get("values", known.values)
    preparation = scaled_as(values, size, SCALINGS, address.written)
    made_with = {"size": size, "pretrained": pretrained and weights is None, "offline": offline}
    reference, files = application(address.name, address.written, head=True, **made_with)
    licence = LICENCES.get(address.name, "")
    provenance = Provenance("hub", f"keras.applications.{address.name}", licence=licence, files=files)
    if weights is not None:
        provenance = Provenance("file", weights.name, files=(weights.resolve(),))
    blue_first = values == BLUE_FIRST
    try:
        return _from_application(
            address, reference, preparation, provenance, weights if pretrained else None, blue_first=blue_first
        )
    except _Headless as headless:  # the file has no head of 1,000 classes
        reference, _ = application(address.name, address.written, head=False, **made_with)
        provenance = replace(
            provenance, note=f"without the head of 1,000 classes, which the file does not hold: {headless}"
        )
        return _from_application(address, reference, preparation, provenance, weights, blue_first=blue_first)


class _Headless(Exception):
    """The weights do not fit the architecture with its head."""


def _from_application(
    address: Address, reference: Reference, preparation: Preprocessing, provenance: Provenance, weights: Path | None, *, blue_first: bool
) -> Pretrained:  # fmt: skip
    """Translate a model of the library.

    Args:
        weights: A file whose numbers it takes.

    Raises:
        _Headless: They do not fit the model with its head.
    """
    try:
        config = without_last_activation(config_of(reference, address.written))
        made = translate(read_graph(config), size=preparation.size, blue_first=blue_first, address=address.written)
    except (Untranslatable, ModelError) as reason:  # of the library's own model nothing is hostile
        if weights is not None:
            raise ModelError(
                text("{a} cannot take weights from a file: {r}.", "{a} 无法从文件读取权重：{r}。", a=address.written, r=_reason(reason)),
                do=text("Save the whole model in Keras: model.save('model.keras')", "请在 Keras 中保存整个模型：model.save('model.keras')"),
            ) from None  # fmt: skip
        return frozen_features(address, reference, preparation, provenance, _reason(reason), blue_first=blue_first)
    network = made.materialise()
    if weights is not None:
        try:
            with opened_weights(weights, address.written) as file:
                arrays = read_arrays(file, _places(made), made.shapes(), address.written)
        except ModelError as error:
            if not network.classes:
                raise
            raise _Headless(error.what.en) from None
        for layer, own in zip(_weighing(made), arrays, strict=True):
            reference.fill(layer.path, own)
    made.fill([reference.arrays(layer.path) for layer in _weighing(made)])
    if not (difference := _difference(network, reference, preparation, blue_first=blue_first)) <= CLOSE:
        return frozen_features(address, reference, preparation, provenance, _unequal(difference), blue_first=blue_first)
    return _translated(address, network, preparation, provenance, config, blue_first=blue_first)


def _from_hub(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """A backbone of KerasHub, whose layers are its own: features alone, unless all of them are known."""
    preset = address.name.partition(":")[2]
    reference = hub_backbone(preset, address.written, pretrained=pretrained, offline=offline)
    shape = tuple(side if isinstance(side, int) else None for side in tuple(reference.model.input_shape)[1:])
    preparation = _preparation_of(address, shape, None)
    blue_first = dict(address.options).get("values") == BLUE_FIRST
    provenance = Provenance("hub", f"KerasHub {preset}")
    return _from_application(address, reference, preparation, provenance, None, blue_first=blue_first)


def rebuild(address: str, config: dict[str, Any], fields: dict[str, Any], _read: Callable[[str], str]) -> Pretrained:
    """A saved model's network with random weights, from its configuration alone; Keras is not needed."""
    stored, preparation = config["keras"], Preprocessing.from_json(fields)
    clean = cleaned(stored["config"], address)
    try:
        made = translate(read_graph(clean), size=stored["size"], blue_first=bool(stored["blue_first"]), address=address)
    except Untranslatable as reason:
        raise ValueError(f"its configuration is not that of a translated model: {reason}") from None
    parsed = parse_address(address)
    return _translated(
        parsed,
        made.materialise(),
        preparation,
        Provenance("random"),
        clean,
        blue_first=bool(stored["blue_first"]),
    )


def _translated(
    address: Address, network: KerasNetwork, preparation: Preprocessing, provenance: Provenance, config: dict[str, Any],
    *, blue_first: bool,
) -> Pretrained:  # fmt: skip
    with torch.inference_mode():
        body = network[:-1] if network.classes else network
        width = Vector()(body(preparation.blank(1))).shape[1]
    stored = {"config": config, "size": preparation.size, "blue_first": blue_first}
    anatomy = replace(anatomy_of(width), digest=weights_digest)
    return Pretrained(
        address, network, preparation, provenance, network.classes, {"config": {"keras": stored}}, anatomy
    )


@contextmanager
def _plain_settings(address: Address) -> Iterator[None]:
    """While settings that a stranger wrote are looked at: a text where a number is expected, or a setting that is not there, is the file's mistake."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        what = text(
            "a setting in its configuration cannot be read: {e}", "其配置中有无法读取的设置：{e}", e=reason_of(error)
        )
        raise refused(address.written, what) from None


def _readable(config: dict[str, Any]) -> Graph | Untranslatable:
    try:
        return read_graph(config)
    except Untranslatable as reason:
        return reason


def _reason(error: Untranslatable | ModelError) -> Text:
    return error.reason if isinstance(error, Untranslatable) else error.what


def _unequal(difference: float) -> Text:
    return text(
        "its translation gives other numbers (by up to {d} of the greatest)",
        "翻译后的网络给出的数值不同（最多相差最大值的 {d}）",
        d=f"{difference:.1e}",
    )


def _weighing(made: Translation) -> list[Any]:
    """The layers that have numbers, in the order of `Translation.shapes`."""
    return [layer for layer, built in zip(made.graph.layers, made.layers, strict=True) if built.slots]


def _places(made: Translation) -> list[str]:
    return [layer.place for layer in _weighing(made)]


def _fill_reference(reference: Reference, config: dict[str, Any], path: Path, address: Address) -> None:
    """Numbers for layers that only Keras computes: every array that its layers have."""
    places = _places_of(config, (), "")
    weighing = [layer for layer in reference.layers if reference.shapes(layer)]
    with opened_weights(path, address.written) as file:
        arrays = read_arrays(
            file,
            [places[layer] for layer in weighing],
            [reference.shapes(layer) for layer in weighing],
            address.written,
        )
    for layer, own in zip(weighing, arrays, strict=True):
        reference.fill(layer, own)


def _places_of(model: dict[str, Any], path: tuple[str, ...], before: str) -> dict[tuple[str, ...], str]:
    from weigh.models.keras.graph import places_of

    places: dict[tuple[str, ...], str] = {}
    layers = model["config"]["layers"]
    for layer, place in zip(layers, places_of(layers, before), strict=True):
        own = (*path, layer["name"])
        if layer["class_name"] in ("Sequential", "Functional"):
            places |= _places_of(layer, own, place + "/")
        else:
            places[own] = place
    return places


@torch.inference_mode()
def _difference(
    network: KerasNetwork, reference: Reference, preparation: Preprocessing, *, blue_first: bool = False
) -> float:
    """The greatest difference of the two models' numbers for two pictures of noise, as a share of the greatest number."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, preparation.size, preparation.size, 3), generator=generator, dtype=torch.uint8)
    batch = preparation.normalise(pictures)
    ours, theirs = network(batch), reference.compute(batch.flip(1) if blue_first else batch)
    if ours.shape != theirs.shape or not torch.isfinite(theirs).all():
        return float("inf")
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-6))


def _shape(config: dict[str, Any]) -> tuple[int | None, ...]:
    """The shape of the pictures of a cleaned configuration `(height, width, channels)`; () where it is not said."""
    settings = config["config"]
    layers = settings["layers"]
    first = next((layer["config"] for layer in layers if layer["class_name"] == "InputLayer"), {})
    shape = (
        first.get("batch_shape")
        or (settings.get("build_input_shape") if config["class_name"] == "Sequential" else None)
        or []
    )
    return tuple(shape[1:])


def _preparation_of(address: Address, shape: tuple[int | None, ...], graph: Graph | None) -> Preprocessing:
    """The preparation that the file and the address state.

    Raises:
        ModelError: No pictures, or something that neither says.
    """
    sides = (
        (-1, *(-1 if side is None else side for side in shape))
        if len(shape) == 3
        else (-1,) * 4
        if shape
        else (-1, -1, -1, 3)
    )
    values = values_expected(_first_steps(graph)) if graph is not None else None
    return entry_of(
        address, "input", sides, "float32", values, "the first layers of the file", known=SCALINGS
    ).preprocessing


def _first_steps(graph: Graph) -> list[tuple[str, np.ndarray]]:
    """The constants that the pictures meet first, as operations of stored graphs (`preprocess_input` of keras.applications among them)."""
    steps: list[tuple[str, np.ndarray]] = []
    for call in graph.calls:
        layer = graph.layers[call.layer]
        if layer.kind == "Rescaling":
            steps.append(("Mul", np.atleast_1d(layer.settings["scale"])))
        elif layer.kind == "Normalization" and layer.settings.get("mean") is not None:
            steps.append(("Sub", np.ravel(np.array(layer.settings["mean"], dtype=float))))
        elif layer.kind in STEPS and isinstance(call.inputs[-1], float):
            steps.append((STEPS[layer.kind], np.atleast_1d(call.inputs[-1])))
        elif layer.kind not in ("Identity", "ZeroPadding2D"):
            break
    return steps


def _stated_size(address: Address, usual: int) -> int:
    return size_of(address, "input", (-1, -1)) if "size" in dict(address.options) else usual


MODEL_SOURCES.register("keras", ModelSource(load, names, cached, rebuild, libraries=lambda _: ("keras", "keras-hub")))
