"""How a picture model wants its pictures: scaled, cut and normalised as in its pretraining.

`Preprocessing` is to pictures what `Tokenisation` is to texts; both are a `Preparation` (`preparation.py`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from PIL import Image

from weigh.models.preparation import PlainInputs

__all__ = ["LONGEST_SIDE", "RESAMPLING", "Preprocessing", "fitted"]

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS, "box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING,
}  # fmt: skip
STRIP = 64  # squares: the length of a picture that is scaled whole
STEP = 32  # pixels: sides of frames are multiples of it
LONGEST_SIDE = 4096  # pixels of a frame
LATER = ("floors",)  # fields that old runs do not know: with their default they stand in no key and in no file
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
        squash: Both sides are resized to `resize`, whatever the shape of the picture.
        floors: The longer side and what is cut off before the crop are cut to whole pixels, as by processors of transformers; else rounded.
    """

    reads: ClassVar[str] = "pictures"
    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    squash: bool = False
    floors: bool = False

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in self.as_json().items())})"

    def configured(self, options: dict[str, Any]) -> Preprocessing:
        """The same preparation with the recipe's options (`frame`, or else `image_size`)."""
        if options.get("frame"):
            return WholePictures(**asdict(self), frame=tuple(options["frame"]))
        return self.at(options["image_size"]) if options.get("image_size") else self

    def blank(self, n: int, device: str | torch.device = "cpu") -> torch.Tensor:
        """A batch of `n` grey pictures, for timings and shapes."""
        return torch.zeros(n, 3, *self.shape, device=device)

    def as_json(self) -> dict[str, Any]:
        """What the configuration of a saved model says of it."""
        later = {field.name: field.default for field in fields(self) if field.name in LATER}
        return {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}

    def files(self) -> dict[str, Any]:
        """All is in `as_json`."""
        return {}

    def plain(self, *, apart: bool) -> PlainInputs:
        """Noise of the range of normalised pictures."""
        noise = torch.rand(self.blank(3).shape, generator=torch.Generator().manual_seed(0)) * 4 - 2
        return PlainInputs({"pictures": noise}, {}, lambda pictures: pictures)

    def at(self, size: int) -> Preprocessing:
        """The same preparation at another input size (same crop share)."""
        return replace(self, size=size, resize=max(size, round(self.resize * size / self.size)))

    @staticmethod
    def from_json(fields: dict[str, Any]) -> Preprocessing:
        """The preparation whose `asdict` was written as JSON."""
        tuples = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return (WholePictures if "frame" in fields else Preprocessing)(**{**fields, **tuples})

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width that the network sees."""
        return self.size, self.size

    @property
    def draft(self) -> int | None:
        """Pixels of the shorter side that a decoder must keep; None: it decodes all of them."""
        return self.side

    @property
    def whole(self) -> Preprocessing:
        """The preparation of the squares from which the evaluation crop and all augmentations are cut."""
        return _Squares(**asdict(replace(self, size=self.side)), inner=self.size)

    def middle(self, squares: np.ndarray) -> np.ndarray:
        """The evaluation crop of a batch of these squares."""
        start = self._start(squares.shape[1])
        return squares[:, start : start + self.size, start : start + self.size]

    @property
    def side(self) -> int:
        """Pixels of a side of these squares."""
        return self.resize

    def _scaled(self, length: int, other: int) -> int:
        """What a side of this length becomes."""
        if self.floors:
            return int(self.resize * length / min(length, other))
        return round(length * (self.resize / min(length, other)))

    def _start(self, length: int) -> int:
        """Where on a side of this many pixels the centre crop begins."""
        return self._whole((length - self.size) / 2)

    def _whole(self, pixels: float) -> int:
        return int(pixels) if self.floors else round(pixels)

    def crop(self, picture: Image.Image) -> np.ndarray:
        """Resize the shorter side, crop the centre: `(size, size, 3)` uint8.

        Of a strip that is longer than `STRIP` squares only the part that the crop needs is scaled: 1 × 16,000 pixels would become
        four million rows. Both ways agree but for roundings.
        """
        resampling = RESAMPLING.get(self.interpolation, Image.Resampling.BILINEAR)
        if self.squash:
            return self.middle(np.asarray(picture.resize((self.resize, self.resize), resampling))[None])[0]
        width, height = picture.size
        scale = self.resize / min(width, height)
        if scale == 1:
            wide, high = width, height
        else:
            wide, high = max(self.size, self._scaled(width, height)), max(self.size, self._scaled(height, width))
        left, top = self._start(wide), self._start(high)
        if scale != 1 and max(wide, high) > STRIP * self.resize:
            across, down = _span(left, self.size, wide, width), _span(top, self.size, high, height)
            picture = picture.crop((across.first, down.first, across.beyond, down.beyond))
            box = (across.start, down.start, across.stop, down.stop)
            return np.asarray(picture.resize((self.size, self.size), resampling, box=box))
        if scale != 1:
            picture = picture.resize((wide, high), resampling)
        return np.asarray(picture.crop((left, top, left + self.size, top + self.size)))

    def normalise(self, pictures: torch.Tensor) -> torch.Tensor:
        """`(n, size, size, 3)` uint8 to `(n, 3, size, size)` float32, channels last in memory."""
        x = pictures.permute(0, 3, 1, 2).to(torch.float32)
        mean = torch.tensor(self.mean, device=x.device).view(1, 3, 1, 1) * 255
        std = torch.tensor(self.std, device=x.device).view(1, 3, 1, 1) * 255
        return x.sub_(mean).div_(std)


@dataclass(frozen=True, repr=False)
class _Squares(Preprocessing):
    """Squares that hold the evaluation crop: cut so that their middle is the very crop that is cut from the picture directly. Halves are rounded
    to even pixels, so the middle of the middle may lie one pixel beside it.

    Attributes:
        inner: Side of the evaluation crop, in pixels.
    """

    inner: int = 0

    def _start(self, length: int) -> int:
        margin = self._whole((self.size - self.inner) / 2)
        return self._whole((length - self.inner) / 2) - margin


@dataclass(frozen=True, repr=False)
class WholePictures(Preprocessing):
    """Pictures of which nothing is cut off, for answers that have a place in them: each is scaled until it fits into a frame and stands in
    its upper left corner; what is left of the frame has the mean colour.

    Attributes:
        frame: Height and width.
    """

    frame: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> tuple[int, int]:
        return self.frame

    @property
    def draft(self) -> None:
        """The size of the whole picture is asked for."""
        return

    @property
    def whole(self) -> WholePictures:
        return self

    def middle(self, squares: np.ndarray) -> np.ndarray:
        return squares

    def plain(self, *, apart: bool) -> PlainInputs:
        """Other programs may choose another frame, in steps of the coarsest maps."""
        return super().plain(apart=apart)._replace(free={2: (STEP, LONGEST_SIDE), 3: (STEP, LONGEST_SIDE)}, step=STEP)

    def crop(self, picture: Image.Image) -> np.ndarray:
        """`(*frame, 3)` uint8."""
        height, width = fitted((picture.height, picture.width), self.frame)
        resampling = RESAMPLING.get(self.interpolation, Image.Resampling.BILINEAR)
        if (height, width) != (picture.height, picture.width):
            picture = picture.resize((width, height), resampling)
        placed = np.empty((*self.frame, 3), dtype=np.uint8)
        placed[:] = np.round(np.array(self.mean) * 255)
        placed[:height, :width] = np.asarray(picture)
        return placed


def fitted(size: tuple[int, int], frame: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a picture of this size once it fits into the frame."""
    scale = min(frame[0] / size[0], frame[1] / size[1])
    height, width = (min(max(1, round(side * scale)), most) for side, most in zip(size, frame, strict=True))
    return height, width
