"""Whole detectors: models that answer with boxes by themselves and have a loss of their own.

Such a model is taken in two parts, as one with a decoder for masks is: a backbone that gives maps (a `Pyramid`), and all that stands behind
it, its *parts* (neck, heads, matching, loss). The parts are the source's own code and weights; what this module adds is the same for all
of them: layers that give classes are renewed for the user's classes, what is drawn is handed over as the parts take it, answers are counted
in pixels of the frame. Before it: `torchvision_boxes.py`, `hf_boxes.py`. After it: `network.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from weigh.models.anatomy import Anatomy, count_operations
from weigh.models.maps import Level, Pyramid, Tapped, norms_of

__all__ = [
    "IGNORED", "NOTHING", "SEEN", "Drawn", "Found", "OwnBoxes", "Parts", "detector_anatomy", "in_regions", "make_own_boxes",
    "pyramid_of", "renewed", "shallow", "sides_of",
]  # fmt: skip

# marks beside class indices in targets: a region that is not trained on; an empty row; what of the frame the picture fills
IGNORED = -1
NOTHING = -2
SEEN = -3
SMALL = 128  # pixels: enough to see the strides of a backbone
# Depths of the parts of a detector, among the dozen that `layer_decay` counts; the layers that give classes may be new, so they learn fastest.
BACKBONE, PARTS, CLASSES = 0, 1, 12


class Drawn(NamedTuple):
    """What is drawn on a picture, in pixels of the frame.

    Attributes:
        corners: `(m, 4)` left, top, right, bottom of the boxes to be found; none is empty.
        classes: `(m,)` int64.
        ignored: `(k, 4)` regions that are not trained on (crowds, boxes that a crop cuts off).
        seen: Height and width of the picture in the frame, from the upper left corner.
    """

    corners: torch.Tensor
    classes: torch.Tensor
    ignored: torch.Tensor
    seen: tuple[int, int]


class Found(NamedTuple):
    """The detections of a picture: `(m, 4)` corners in pixels of the frame, `(m,)` classes and scores, best first."""

    corners: torch.Tensor
    classes: torch.Tensor
    scores: torch.Tensor


class Parts(Protocol):
    """All of a detector behind its backbone, a torch module. `frame`: height and width of what the network sees.

    Attributes:
        stages: 1, or 2 where regions are proposed first: how many follows from the picture, so such a network is not exported.
        overlap: Detections of a class that overlap by more are the same; 1: it gives no box twice by itself.
    """

    stages: int
    overlap: float

    def renew(self, kept: Sequence[int | None], generator: torch.Generator | None) -> None:
        """Layers that give classes give these from now on: the own class of that index, or None, a new one (drawn; zeros without generator)."""
        ...

    def of_classes(self) -> list[nn.Parameter]:
        """Weights of these layers."""
        ...

    def places(self, maps: list[torch.Tensor], frame: tuple[int, int]) -> torch.Tensor:
        """`(n, places, classes + 4)`: of each place the score of every class and the corners of its box, before the same is dropped."""
        ...

    def loss(self, maps: list[torch.Tensor], frame: tuple[int, int], drawn: list[Drawn]) -> torch.Tensor:
        """`()`: the sum of its own losses."""
        ...

    def find(
        self, maps: list[torch.Tensor], frame: tuple[int, int], seen: list[tuple[int, int]], least: float, most: int
    ) -> list[Found]:
        """Detections with a score above `least`, at most so many of a picture."""
        ...


class OwnDetector(NamedTuple):
    """What a model has of its own behind its maps, where that gives boxes (`Pyramid.own`).

    Attributes:
        parts: `Parts`.
        names: Of its classes, by their index; "" of an index that is no class.
    """

    parts: Any
    names: tuple[str, ...] = ()


class OwnBoxes(nn.Module):
    """The head of a whole detector: its parts, giving the user's classes.

    Args:
        keep_norms: Batch norms keep the statistics of their pretraining while it is trained.

    Attributes:
        threshold: From this score on a detection is told to people (`Head.settle`).
    """

    threshold: torch.Tensor

    def __init__(self, parts: Any, stride: int, maps: int, classes: int, *, keep_norms: bool) -> None:
        super().__init__()
        self.parts, self.stride, self.keep_norms = parts, stride, keep_norms
        self.used, self.out_features = list(range(maps)), classes
        self.register_buffer("threshold", torch.tensor(0.5))

    def train(self, mode: bool = True) -> OwnBoxes:  # noqa: FBT001, FBT002 - torch's own signature
        super().train(mode)
        for norm in norms_of(self) if mode and self.keep_norms else ():
            norm.eval()
        return self

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        with torch.autocast(maps[0].device.type, enabled=False):
            return self.parts.places(*self._exact(maps))

    def loss(self, maps: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
        """`()` of `(n, m, 5)` targets: corners and a class, or one of the marks."""
        with torch.autocast(maps[0].device.type, enabled=False):
            maps, frame = self._exact(maps)
            return self.parts.loss(maps, frame, [_drawn(rows, frame) for rows in targets])

    def find(self, maps: list[torch.Tensor], seen: list[tuple[int, int]], *, least: float, most: int) -> list[Found]:
        """Detections; `seen`: height and width of each picture in the frame."""
        with torch.autocast(maps[0].device.type, enabled=False):
            maps, frame = self._exact(maps)
            return self.parts.find(maps, frame, seen, least, most)

    def _exact(self, maps: list[torch.Tensor]) -> tuple[list[torch.Tensor], tuple[int, int]]:
        """Maps in single precision (bfloat16 would move the side of a box by half a pixel), and the frame."""
        height, width = maps[0].shape[2:]
        return [one.float() for one in maps], (height * self.stride, width * self.stride)


def _drawn(rows: torch.Tensor, frame: tuple[int, int]) -> Drawn:
    classes = rows[:, 4].long()
    real, region = rows[classes >= 0], rows[classes == SEEN]
    seen = frame
    if len(region):  # mirrored pictures have what is left of the frame on their left: it then counts as picture
        right, bottom = region[0, 2:4].ceil().long().tolist()
        seen = (min(max(bottom, 1), frame[0]), min(max(right, 1), frame[1]))
    return Drawn(real[:, :4], real[:, 4].long(), rows[classes == IGNORED, :4], seen)


def in_regions(corners: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
    """`(places,)` bool: whether the middle of each box `(places, 4)` lies in one of the regions `(k, 4)`."""
    middles = (corners[:, None, :2] + corners[:, None, 2:]) / 2
    return ((middles >= regions[:, :2]) & (middles <= regions[:, 2:])).all(dim=2).any(dim=1)


def make_own_boxes(pyramid: Pyramid, classes: Sequence[str], generator: torch.Generator | None) -> OwnBoxes:
    """The head of a whole detector for the user's classes. What gives a class that it knows by name, in whatever case, is kept."""
    own = pyramid.own
    assert isinstance(own, OwnDetector)
    index: dict[str, int] = {}
    for i, name in enumerate(own.names):
        index.setdefault(name.casefold(), i)
    kept = [index.get(name.casefold()) if name else None for name in classes]
    own.parts.renew(kept, generator)
    level = pyramid.levels[0]
    return OwnBoxes(own.parts, level.stride, len(pyramid.levels), len(classes), keep_norms=pyramid.keep_norms)


# ---- for sources


def renewed(
    layer: Any, rows: Sequence[int | None], generator: torch.Generator | None, *, own: int, groups: int = 1, each: int = 1, scale: float, bias: float = 0.0,
) -> Any:  # fmt: skip
    """A layer like `layer` (convolution, linear, embedding) with other outputs: those of its rows, or new ones.

    Args:
        rows: Of each class in its place the index of an own one, or None.
        own: Number of its own classes; its outputs are `groups` times these times `each`.
        scale: Standard deviation of new weights.
        bias: Of new outputs.
    """
    if isinstance(layer, nn.Embedding):
        made: Any = nn.Embedding(groups * len(rows) * each, layer.embedding_dim)
    elif isinstance(layer, nn.Linear):
        made = nn.Linear(layer.in_features, groups * len(rows) * each)
    else:
        made = nn.Conv2d(
            layer.in_channels, groups * len(rows) * each, layer.kernel_size, layer.stride, layer.padding, bias=layer.bias is not None
        )  # fmt: skip
    with torch.no_grad():
        for name, values in made.named_parameters():
            start = torch.full(values.shape, bias)
            if name == "weight":
                start = torch.zeros(values.shape)
                if generator is not None:
                    start.normal_(0, scale, generator=generator)
            start = start.unflatten(0, (groups, len(rows), each))
            former = getattr(layer, name).detach().unflatten(0, (groups, own, each))
            for place, row in enumerate(rows):
                if row is not None:
                    start[:, place] = former[:, row]
            values.copy_(start.flatten(0, 2))
    return made


def shallow(module: nn.Module, *paths: str) -> Any:
    """A module that shares all weights with this one; what stands on these paths may be replaced in it without changing the original."""
    twin = module.__class__.__new__(module.__class__)
    twin.__dict__.update(module.__dict__)
    twin._modules = dict(module._modules)
    for path in paths:
        name, _, rest = path.partition(".")
        if rest:
            twin._modules[name] = shallow(twin._modules[name], rest)
    return twin


def sides_of(frame: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
    """`(4,)` width, height, width, height, also where the frame is known only when an exported network runs."""
    height, width = (torch.as_tensor(side, dtype=like.dtype, device=like.device) for side in frame)
    return torch.stack([width, height, width, height])


def pyramid_of(encoder: nn.Module, parts: Any, names: tuple[str, ...], blank: torch.Tensor) -> Pyramid:
    """A whole detector in its two parts.

    Args:
        encoder: Pictures to a list of maps, the finest first.
        blank: A picture.
    """
    small = blank[:, :, :SMALL, :SMALL]
    encoder.eval()
    with torch.inference_mode():
        maps = encoder(small)
    levels = [
        Level(f"taps.{i}", round(small.shape[-1] / made.shape[-1]), made.shape[1], "first")
        for i, made in enumerate(maps)
    ]
    return Pyramid(Tapped(encoder, len(maps)), tuple(levels), OwnDetector(parts, names))


def _depths(network: nn.Module) -> dict[str, int]:
    """The backbone, what stands behind it, and the layers that give classes: all but the last were pretrained and move little."""
    parts = next(module for module in network.modules() if isinstance(module, OwnBoxes)).parts
    of_classes = {id(parameter) for parameter in parts.of_classes()}
    return {
        name: CLASSES if id(parameter) in of_classes else PARTS if name.startswith("head.") else BACKBONE
        for name, parameter in network.named_parameters()
    }


class _Whole(nn.Module):
    """A detector as one network, its own classes as they are: to count what a pass takes."""

    def __init__(self, pyramid: Pyramid) -> None:
        super().__init__()
        assert isinstance(pyramid.own, OwnDetector)
        self.pyramid = pyramid
        self.boxes = OwnBoxes(pyramid.own.parts, pyramid.levels[0].stride, len(pyramid.levels), 0, keep_norms=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.boxes(self.pyramid(pictures))


def detector_anatomy(
    take: Callable[[Any, torch.Tensor], Pyramid], of_library: Callable[[Any], bool], head: Callable[[Any], set[str]]
) -> Anatomy:
    """The anatomy of models that are a network of their library until `take` parts them.

    Args:
        take: `(module, blank) -> Pyramid` whose `own` is an `OwnDetector`; the module stays as it is.
        of_library: Whether a network is one of these; else it was taken apart already.
        head: Names of the parameters that give classes.
    """

    def operations(module: nn.Module, blank: torch.Tensor) -> int:
        return count_operations(_Whole(take(module, blank)).eval() if of_library(module) else module, blank)

    return Anatomy(
        features=None, maps=None, boxes=take, cuts=frozenset({"head"}), depths=_depths, operations=operations, head=head
    )
