"""A cleaned Keras configuration as calls of layers, one after another; models within models are laid open. Torch-free and Keras-free.

Activations stand as calls of their own, and a softmax or sigmoid at the very end is taken off: heads give logits. Before it:
`settings.py`. After it: `network.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from weigh.language import Text, text
from weigh.models.keras.settings import TENSOR

__all__ = ["Call", "Graph", "Untranslatable", "Value", "places_of", "read_graph", "without_last_activation"]


class Untranslatable(Exception):
    """Keras can compute this model, but weigh has no torch layers for some of its layers."""

    def __init__(self, reason: Text) -> None:
        self.reason = reason
        super().__init__(reason.render("en"))


class Value(NamedTuple):
    """Number of a tensor that flows through the graph; 0 are the pictures."""

    number: int


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        kind: Its class; "ops.Add" and its kin for operations.
        settings: Cleaned.
        path: Names of the models around it, and its own.
        place: Where a file of weights of Keras 3 has its numbers ("layers/functional/layers/conv2d_3").
    """

    kind: str
    settings: dict[str, Any]
    path: tuple[str, ...]
    place: str


class Call(NamedTuple):
    """`output = layers[layer](*inputs)`; inputs are values and numbers."""

    layer: int
    inputs: tuple[Value | float, ...]
    output: Value


@dataclass
class Graph:
    """Calls in an order in which they can be made.

    Attributes:
        shape: Of the pictures `(height, width, channels)`; None where it is free.
        output: What the model returns.
    """

    layers: list[Layer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    shape: tuple[int | None, ...] = ()
    output: Value = field(default_factory=lambda: Value(0))


ENDS = ("softmax", "sigmoid")


def without_last_activation(model: dict[str, Any]) -> dict[str, Any]:
    """The same cleaned configuration, with what turns logits into probabilities made linear at its end."""
    config = model["config"]
    layers = list(config["layers"])
    last = len(layers) - 1
    if model["class_name"] != "Sequential":
        ends = _ends(config)
        last = next((i for i, layer in enumerate(layers) if ends and layer["name"] == ends[0][0]), -1)
    if last < 0:
        return model
    layer = layers[last]
    if layer["class_name"] in ("Sequential", "Functional"):
        layers[last] = {**layer, **without_last_activation(layer)}
    elif layer["config"].get("activation") in ENDS:
        layers[last] = {**layer, "config": {**layer["config"], "activation": "linear"}}
    elif layer["class_name"] == "Softmax":
        layers[last] = {**layer, "class_name": "Identity", "config": {"name": layer["config"]["name"]}}
    return {**model, "config": {**config, "layers": layers}}


def read_graph(model: dict[str, Any]) -> Graph:
    """The calls of a cleaned configuration.

    Raises:
        Untranslatable: Several inputs or outputs, or calls that cannot be put in order.
    """
    graph = Graph()
    reader = _Reader(graph)
    graph.output = reader.model(model, (), "", Value(0))
    needed = {graph.output.number}
    kept = []
    for call in reversed(graph.calls):
        if call.output.number in needed:
            needed |= {value.number for value in call.inputs if isinstance(value, Value)}
            kept.append(call)
    graph.calls = kept[::-1]
    return graph


class _Reader:
    """Lays calls down in the graph while it walks through a configuration."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.values, self.known = graph, 0, {}

    def call(self, layer: int, inputs: tuple[Value | float, ...]) -> Value:
        self.values += 1
        output = Value(self.values)
        self.graph.calls.append(Call(layer, inputs, output))
        return output

    def layer(self, kind: str, settings: dict[str, Any], path: tuple[str, ...], place: str) -> int:
        """Its number; the same for the same path, which is how weights are shared."""
        if path not in self.known:
            self.known[path] = len(self.graph.layers)
            self.graph.layers.append(Layer(kind, settings, path, place))
        return self.known[path]

    def model(self, model: dict[str, Any], path: tuple[str, ...], place: str, pictures: Value) -> Value:
        config, places = model["config"], places_of(model["config"]["layers"], place)
        if model["class_name"] == "Sequential":
            if not path:
                self.graph.shape = tuple((config.get("build_input_shape") or [None])[1:])
            value = pictures
            for layer, own in zip(config["layers"], places, strict=True):
                value = self.apply(layer, path, own, (value,))
            return value
        return self.functional(config, path, places, pictures)

    def functional(self, config: dict[str, Any], path: tuple[str, ...], places: list[str], pictures: Value) -> Value:
        inputs, outputs = _ends(config, "input_layers"), _ends(config)
        if len(inputs) != 1 or len(outputs) != 1:
            raise Untranslatable(text("it has {i} {i:|input|inputs} and {o} {o:|output|outputs}", "它有 {i} 个输入和 {o} 个输出", i=len(inputs), o=len(outputs)))  # fmt: skip
        made: dict[tuple[str, int], Value] = {}
        waiting = []
        for layer, place in zip(config["layers"], places, strict=True):
            if layer["name"] == inputs[0][0]:
                made[layer["name"], 0] = self.apply(layer, path, place, (pictures,))
            else:
                waiting += [(layer, place, i, node) for i, node in enumerate(layer.get("inbound_nodes", []))]
        while waiting:
            left = []
            for layer, place, i, node in waiting:
                names = list(_named(node))
                if all(name in made for name in names):
                    made[layer["name"], i] = self.apply(layer, path, place, tuple(_flat(node, made)))
                else:
                    left.append((layer, place, i, node))
            if len(left) == len(waiting):
                raise Untranslatable(text("its layers cannot be put in order", "其中的层无法排序"))
            waiting = left
        if tuple(outputs[0][:2]) not in made or outputs[0][2] != 0:
            raise Untranslatable(text("its output comes from nowhere", "其输出没有来源"))
        return made[outputs[0][0], outputs[0][1]]

    def apply(
        self, layer: dict[str, Any], path: tuple[str, ...], place: str, inputs: tuple[Value | float, ...]
    ) -> Value:
        kind, settings = layer["class_name"], dict(layer["config"])
        own = (*path, layer["name"])
        if kind in ("Sequential", "Functional"):
            if len(inputs) != 1 or not isinstance(inputs[0], Value):
                raise Untranslatable(text("a model inside it has several inputs", "其内部的模型有多个输入"))
            return self.model(layer, own, place + "/", inputs[0])
        if kind == "InputLayer":
            if not path:
                self.graph.shape = tuple(settings.get("batch_shape") or [None, *(settings.get("shape") or [])])[1:]
            return inputs[0]  # type: ignore[return-value]
        if layer["module"].startswith("keras.src.ops."):
            kind = f"ops.{kind}"
        activation = settings.pop("activation", "linear") if kind != "Activation" else "linear"
        value = self.call(self.layer(kind, settings, own, place), inputs)
        if activation != "linear":
            after = self.layer("Activation", {"activation": activation}, (*own, "activation"), "")
            value = self.call(after, (value,))
        return value


def places_of(layers: list[dict[str, Any]], before: str) -> list[str]:
    """Where a file of weights has each layer: by its class, numbered."""
    counts: dict[str, int] = {}
    places = []
    for layer in layers:
        if layer["module"].startswith("keras.src.ops."):  # no layer: holds nothing, is not counted
            places.append("")
            continue
        name = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", layer["class_name"])).lower()
        n = counts.get(name, 0)
        counts[name] = n + 1
        places.append(f"{before}layers/{name}" + (f"_{n}" if n else ""))
    return places


def _ends(config: dict[str, Any], which: str = "output_layers") -> list[list[Any]]:
    """Inputs or outputs as `[name, node, tensor]`; Keras writes a single one without the outer list."""
    ends = config.get(which) or []
    ends = [ends] if ends and isinstance(ends[0], str) else ends
    if not all(isinstance(end, list) and len(end) == 3 and isinstance(end[0], str) for end in ends):
        raise Untranslatable(text("its inputs and outputs have names", "其输入和输出带有名称"))
    return ends


def _values(node: dict[str, Any]) -> list[Any]:
    """Tensors and numbers of a call, in order."""
    waiting, flat = [*node["args"], *node["kwargs"].values()], []
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, list):
            waiting = [*value, *waiting]
        else:
            flat.append(value)
    return flat


def _named(node: dict[str, Any]) -> list[tuple[str, int]]:
    histories = [value["config"]["keras_history"] for value in _values(node) if isinstance(value, dict)]
    if any(history[2] != 0 for history in histories):
        raise Untranslatable(text("a layer inside it has several outputs", "其内部的某一层有多个输出"))
    return [(history[0], history[1]) for history in histories]


def _flat(node: dict[str, Any], made: dict[tuple[str, int], Value]) -> list[Value | float]:
    flat: list[Value | float] = []
    for value in _values(node):
        if isinstance(value, dict):
            assert value["class_name"] == TENSOR
            flat.append(made[value["config"]["keras_history"][0], value["config"]["keras_history"][1]])
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            flat.append(float(value))
    return flat
