"""A graph of Keras layers as one network of torch layers: parts in a row, each from one convolution to the next.

Where only one tensor flows, the graph is cut; branches that meet again stay together in a `Block`. Parts in a row are what the rest of
the house finds stages, maps and depths in. Everything is built without memory first (device "meta") and counted, so a configuration
that asks for too much is refused before a byte is taken.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from weigh.language import text
from weigh.models.anatomy import TORCH, Anatomy, count_operations
from weigh.models.keras.graph import Call, Graph, Untranslatable, Value
from weigh.models.keras.layers import Slot, translate_layer
from weigh.models.keras.parts import Pointwise
from weigh.models.keras.settings import refused

__all__ = ["KerasNetwork", "Translation", "Vector", "anatomy_of", "translate"]

MOST_NUMBERS = 64_000_000  # that any layer gives for one picture: 256 MB
MOST_OPERATIONS = 1_000_000_000_000  # for one picture; the largest model of keras.applications needs 6e10
WEIGHTED = (nn.Conv2d, nn.Linear)


class Block(nn.Module):
    """Layers with branches: one tensor enters, one leaves.

    Args:
        plan: `(name of a layer, places or numbers that enter it, place of what it gives)`; places are numbers of tensors, 0 enters.
    """

    def __init__(self, layers: dict[str, nn.Module], plan: tuple[tuple[str, tuple, int], ...], last: int) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.plan, self.last = plan, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tensors = {0: x}
        for name, inputs, place in self.plan:
            values = [tensors[i[0]] if isinstance(i, tuple) else i for i in inputs]
            tensors[place] = self._modules[name](*values)  # type: ignore[misc]
        return tensors[self.last]


class Flipped(nn.Module):
    """Red, green, blue to blue, green, red."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flip(1)


class Vector(nn.Module):
    """One vector per picture: what is still a map is averaged."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) if x.ndim == 4 else x.flatten(1)


class KerasNetwork(nn.Sequential):
    """Parts in a row.

    Attributes:
        head: The last part is a classifier of this many classes; 0: there is none.
    """

    head = 0


@dataclass
class _Built:
    """A translated layer: its module, where its numbers go, and its name among the modules."""

    module: nn.Module
    slots: tuple[Slot | None, ...]
    name: str


@dataclass(frozen=True)
class Translation:
    """A network without its weights.

    Attributes:
        network: On the device "meta".
        layers: The layers that were translated, in their order: their modules and where their numbers go.
        graph: How the layers are connected.
    """

    network: KerasNetwork
    layers: list[_Built]
    graph: Graph

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.network.state_dict().values())

    def shapes(self) -> list[tuple[int, ...]]:
        """For each layer that has numbers, the shapes of its arrays in Keras."""
        return [tuple(() if s is None else s.shape for s in b.slots) for b in self.layers if b.slots]  # type: ignore[misc]

    def materialise(self) -> KerasNetwork:
        """Give it memory, and random weights as Keras draws them."""
        network = self.network.to_empty(device="cpu")
        for module in network.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
            if isinstance(module, WEIGHTED):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        return network.eval()

    @torch.no_grad()
    def fill(self, arrays: Sequence[Sequence[np.ndarray]]) -> None:
        """Take the numbers of Keras, for each layer that has some, in the order of `shapes`."""
        for built, own in zip([b for b in self.layers if b.slots], arrays, strict=True):
            state = built.module.state_dict()
            for slot, array in zip(built.slots, own, strict=True):
                if slot is not None:
                    moved = array if slot.axes is None else array.transpose(slot.axes)
                    tensor = torch.from_numpy(np.ascontiguousarray(moved, dtype=np.float32))
                    state[slot.name].copy_(tensor.reshape(state[slot.name].shape))


def translate(graph: Graph, *, size: int, blue_first: bool, address: str) -> Translation:
    """The network of a graph, without memory.

    Args:
        size: Side of the pictures.
        blue_first: Its pictures are blue, green, red.

    Raises:
        Untranslatable: Keras can compute it, this house cannot.
        ModelError: It asks for more than any model does.
    """
    built: dict[int, _Built] = {}
    with torch.device("meta"), torch.no_grad():
        tensors: dict[int, Any] = {0: torch.zeros(1, 3, size, size)}
        for call in graph.calls:
            inputs = [tensors[v.number] if isinstance(v, Value) else v for v in call.inputs]
            layer = graph.layers[call.layer]
            if call.layer not in built:
                try:
                    module, slots = translate_layer(layer.kind, layer.settings, inputs)
                except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError, ZeroDivisionError):
                    raise Untranslatable(text("the layer {n} has settings that cannot be read", "层 {n} 的设置无法读取", n=layer.path[-1])) from None  # fmt: skip
                built[call.layer] = _Built(module, slots, "_".join(layer.path).replace(".", "_").replace("/", "_"))
            try:
                output = built[call.layer].module.eval()(*inputs)
            except (RuntimeError, IndexError, TypeError, ValueError) as error:
                raise Untranslatable(text("the layer {n} does not fit what enters it: {e}", "层 {n} 与其输入不符：{e}", n=layer.path[-1], e=str(error).splitlines()[0][:120])) from None  # fmt: skip
            if not isinstance(output, torch.Tensor) or output.numel() > MOST_NUMBERS:
                raise refused(address, text("the layer {n} makes {k} numbers of one picture", "层 {n} 会从一张图片生成 {k} 个数", n=layer.path[-1], k=f"{output.numel():,}"))  # fmt: skip
            tensors[call.output.number] = output
        network = _in_parts(graph, built)
        if blue_first:
            network.insert(0, Flipped())
        network.classes = _classes(network, tensors[graph.output.number])
        operations = count_operations(network, torch.zeros(1, 3, size, size))
    if operations > MOST_OPERATIONS:
        raise refused(address, text("it needs {n} multiplications for one picture", "处理一张图片需要 {n} 次乘法", n=f"{operations:.1e}"))  # fmt: skip
    order = [i for i in range(len(graph.layers)) if i in built]
    return Translation(network, [built[i] for i in order], replace(graph, layers=[graph.layers[i] for i in order]))


def _in_parts(graph: Graph, built: dict[int, _Built]) -> KerasNetwork:
    """Stretches between places where one tensor flows, joined into parts that begin with a convolution, a linear layer or branches."""
    parts: list[list[tuple[str, nn.Module]]] = []
    for stretch in _stretches(graph):
        module = _stretch(stretch, built)
        first = built[stretch[0].layer]
        begins = isinstance(module, (Block, *WEIGHTED, Pointwise)) or any(
            isinstance(m, WEIGHTED) for m in module.modules()
        )
        if not parts or (begins and any(_weighs(m) for _, m in parts[-1]) and not _ends_depthwise(parts[-1])):
            parts.append([])
        parts[-1].append((first.name, module))
    network = KerasNetwork()
    for part in parts:
        network.append(part[0][1] if len(part) == 1 else nn.Sequential(OrderedDict(part)))
    return network


def _weighs(module: nn.Module) -> bool:
    return isinstance(module, Block) or any(isinstance(m, WEIGHTED) for m in module.modules())


def _ends_depthwise(part: list[tuple[str, nn.Module]]) -> bool:
    """A depthwise convolution and the one that joins its channels are one step."""
    last = [module for _, module in part if _weighs(module)][-1]
    return isinstance(last, nn.Conv2d) and last.groups > 1 and last.groups == last.in_channels


def _stretches(graph: Graph) -> list[list[Call]]:
    """The calls, cut where nothing but the newest tensor is used any more. A layer that is called twice forbids cuts between its calls."""
    last_use = {graph.output.number: len(graph.calls)}
    calls_of: dict[int, list[int]] = {}
    for i, call in enumerate(graph.calls):
        calls_of.setdefault(call.layer, []).append(i)
        for value in call.inputs:
            if isinstance(value, Value):
                last_use[value.number] = max(i, last_use.get(value.number, 0))
    stretches: list[list[Call]] = [[]]
    used_until = last_use.get(0, 0)  # of all tensors but the newest
    for i, call in enumerate(graph.calls):
        stretches[-1].append(call)
        used_until = max(used_until, calls_of[call.layer][-1])
        if used_until <= i:
            stretches.append([])
        used_until = max(used_until, last_use[call.output.number])
    return [stretch for stretch in stretches if stretch]


def _stretch(calls: list[Call], built: dict[int, _Built]) -> nn.Module:
    if len(calls) == 1 and len(calls[0].inputs) == 1:
        return built[calls[0].layer].module
    outside = {v.number for c in calls for v in c.inputs if isinstance(v, Value)} - {c.output.number for c in calls}
    place = dict.fromkeys(outside, 0) | {call.output.number: i + 1 for i, call in enumerate(calls)}
    plan = tuple(
        (built[c.layer].name, tuple((place[v.number],) if isinstance(v, Value) else v for v in c.inputs), place[c.output.number])
        for c in calls
    )  # fmt: skip
    return Block({built[c.layer].name: built[c.layer].module for c in calls}, plan, len(calls))


def _classes(network: KerasNetwork, output: torch.Tensor) -> int:
    """Outputs of the classifier that its last part is; 0 where it is none."""
    weighted = [m for m in network[-1].modules() if isinstance(m, WEIGHTED)]
    norms = any(isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)) for m in network[-1].modules())
    if output.ndim != 2 or len(weighted) != 1 or norms or len(network) == 1:
        return 0
    last = weighted[0]
    plain = isinstance(last, nn.Linear) or last.kernel_size == (1, 1)
    return output.shape[1] if plain and output.shape[1] == last.weight.shape[0] else 0


def _features(network: nn.Module, _address: str) -> int:
    """Take the classifier off: the network gives one vector per picture from now on. How wide it is, `anatomy_of` says."""
    assert isinstance(network, KerasNetwork)
    if network.classes:
        del network[-1]
        network.classes = 0
    network.append(Vector())
    return 0


def anatomy_of(width: int) -> Anatomy:
    """The anatomy of a translated network whose vectors have so many numbers."""

    def features(network: nn.Module, address: str) -> int:
        _features(network, address)
        return width

    def head(network: nn.Module) -> set[str]:
        assert isinstance(network, KerasNetwork)
        before = f"{len(network) - 1}."
        return {name for name in network.state_dict() if network.classes and name.startswith(before)}

    return replace(TORCH, features=features, head=head)
