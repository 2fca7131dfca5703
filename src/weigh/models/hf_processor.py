"""The image processor of a model of transformers, read as our preparation.

The library reads its file, so defaults of each kind are its own; what it then does is expressed in our terms or refused. Its processors come
twice: with Pillow, in which models were trained until 2025 and as we compute, and with torch, the default since (transformers 39591), which
differs from the first by one or two levels of 255, and by up to ten where a tiny picture is made larger (docs/decisions/hub.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weigh.models.preprocessing import RESAMPLING, Preprocessing

__all__ = ["preprocessing"]

FILES = ("preprocessor_config.json", "processor_config.json")  # the second also holds those of texts
STRETCHED = 384  # pixels: ConvNeXT's processors cut nothing off from this size on
LEVIT = 256 / 224  # LeViT's scale the shorter side to so much more than they say
INTERPOLATION = {int(number): name for name, number in RESAMPLING.items()}


def preprocessing(folder: Path, config: Any, *, whole: bool = False) -> Preprocessing:
    """What the processor of a folder does.

    Args:
        whole: The model answers for every pixel: nothing is cut off.

    Raises:
        ValueError: There is none, or it does what our preparation cannot.
    """
    import transformers

    if not any((folder / name).is_file() for name in FILES):
        raise ValueError("it has no preprocessor_config.json, which says how its pictures were prepared")
    processor = transformers.AutoImageProcessor.from_pretrained(
        folder, config=config, local_files_only=True, trust_remote_code=False
    )
    kind = type(processor).__name__.removesuffix("Pil").removesuffix("Fast")
    if getattr(processor, "do_flip_channel_order", False):
        raise ValueError("its processor swaps red and blue (do_flip_channel_order), which is not supported")
    if not processor.do_resize:
        raise ValueError("its processor leaves pictures as large as they are (do_resize is false)")
    number = int(processor.resample if processor.resample is not None else RESAMPLING["bilinear"])
    if number not in INTERPOLATION:
        raise ValueError(f"its pictures are resampled by filter {number}, which is none of Pillow")
    size, resize, squash = _sides(processor, kind, whole=whole)
    mean, std = _normalisation(processor)
    return Preprocessing(size, resize, mean, std, INTERPOLATION[number], squash=squash, floors=not squash)


def _sides(processor: Any, kind: str, *, whole: bool) -> tuple[int, int, bool]:
    """Side of the input, length to which the shorter side (or, if the third is true, both) is scaled before."""
    size = {name: value for name, value in dict(processor.size).items() if value}
    crop = _square(dict(processor.crop_size or {})) if processor.do_center_crop and not whole else 0
    shorter = size.get("shortest_edge", 0)
    squash = not shorter
    resize = shorter or _square({name: value for name, value in size.items() if name in ("height", "width")})
    if kind == "ConvNextImageProcessor" and shorter:  # cuts by itself
        crop = crop or resize
        squash = resize >= STRETCHED
        resize = resize if squash else int(resize / processor.crop_pct)
    elif kind == "PoolFormerImageProcessor" and processor.crop_pct is not None:
        squash, resize = False, int(resize / processor.crop_pct)
    elif kind == "LevitImageProcessor" and shorter:
        resize = int(LEVIT * shorter)
    crop = crop or resize
    if not resize or crop > resize:
        raise ValueError(f"its pictures are scaled to {size} and then cut to {crop} pixels")
    return crop, resize, squash


def _square(size: dict[str, Any]) -> int:
    sides = {value for value in size.values() if value}
    if len(sides) != 1:
        raise ValueError(f"its pictures are of size {size}")
    side = sides.pop()
    if not isinstance(side, int) or side < 1:
        raise ValueError(f"its pictures are of size {size}")
    return side


def _normalisation(processor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of values in [0, 1]: where values are scaled otherwise, they are theirs."""
    factor = float(processor.rescale_factor) if processor.do_rescale else 1.0
    offset = 1.0 if processor.do_rescale and getattr(processor, "rescale_offset", False) else 0.0
    mean, std = _three(processor.image_mean), _three(processor.image_std)
    again = std if getattr(processor, "include_top", False) else (1.0,) * 3  # EfficientNet's divide twice
    if not processor.do_normalize:
        mean, std = (0.0,) * 3, (1.0,) * 3
    scale = 255 * factor
    spread = tuple(s * a / scale for s, a in zip(std, again, strict=True))
    if not all(s > 0 for s in spread):
        raise ValueError(f"its pictures are divided by {spread}")
    return tuple((m + offset) / scale for m in mean), spread


def _three(values: Any) -> tuple[float, float, float]:
    """A number for each of the three channels; one alone is for all."""
    numbers = [float(value) for value in values] if isinstance(values, Iterable) else [float(values or 0)]
    if len(numbers) not in (1, 3):
        raise ValueError(f"its pictures have {len(numbers)} channels, not three")
    red, green, blue = numbers * 3 if len(numbers) == 1 else numbers
    return red, green, blue
