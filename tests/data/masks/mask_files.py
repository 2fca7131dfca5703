"""Pictures and masks made for tests, and read again."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from weigh.data.pages import split_page
from weigh.data.pictures.index import read_images
from weigh.kinds.masks import MASKS
from weigh.spec import DataSpec

__all__ = ["draw", "indices", "paint", "read", "save", "write"]

SIZE = (12, 16)  # height and width


def paint(path, seed=0, size=SIZE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def draw(seed=0, values=(0, 1, 2), size=SIZE):
    """`(h, w)`: stripes of all values, in an order of its own."""
    order = np.random.default_rng(seed).permutation(len(values))
    return np.array(values)[order][np.arange(size[0])[:, None] * len(values) // size[0] + np.zeros(size[1], int)]


def save(path, array, mode=None, palette=None):
    """An index PNG where a palette is given; colours where the array has three dimensions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array.astype(np.uint16 if array.max(initial=0) > 255 else np.uint8))
    if palette is not None:
        image = Image.fromarray(array.astype(np.uint8), mode="L")
        image.putpalette([value for colour in palette for value in colour])
    image = image if mode is None else image.convert(mode)
    image.save(path)
    return path


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def read(train, **options):
    """Examples, and problems by kind."""
    examples, problems = read_images(DataSpec(train=str(train), **options), [MASKS], offline=True)
    assert len(set(examples.path.tolist())) == len(examples)
    places = [examples.root / p for p in examples.path.tolist()]
    assert all((p if split_page(p) is None else split_page(p)[0]).is_file() for p in places)
    for problem in problems:
        assert problem.sentence.zh != problem.sentence.en
        assert "{" not in problem.sentence.en + problem.sentence.zh
    return examples, {p.kind: p for p in problems}


def indices(examples, path):
    """The class of each pixel of the mask of one picture, by name; "" where it is ignored."""
    i = examples.path.tolist().index(path)
    names = np.array([*examples.classes, ""])
    classes = examples.target[i].indices().astype(int)
    return names[np.where(classes < len(examples.classes), classes, len(examples.classes))]
