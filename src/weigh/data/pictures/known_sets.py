"""Public data sets by what their files and classes are called: whether pictures may be among those that models were pretrained on.

Names are all that is looked at, so this can never say that a picture is one of a set, only that it is called like one. After it:
`findings/generalisation/familiar.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from weigh.data.pictures.imagenet import is_class_name

__all__ = ["Resemblance", "resemblances"]

FILES = {  # set -> how its pictures are called
    "ImageNet": re.compile(r"n\d{8}_\d{1,6}\.jpe?g", re.IGNORECASE),
    "ILSVRC2012 validation": re.compile(r"ILSVRC2012_val_\d{8}\.jpe?g", re.IGNORECASE),
    "COCO": re.compile(r"(COCO_(train|val|test)20\d\d_)?\d{12}\.jpg", re.IGNORECASE),
    "Pascal VOC": re.compile(r"20(0[7-9]|1[0-2])_\d{6}\.jpg", re.IGNORECASE),
    "iNaturalist": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.jpg", re.IGNORECASE),
}
CLASSES = {  # set -> its classes
    "CIFAR-10": "airplane automobile bird cat deer dog frog horse ship truck",
    "STL-10": "airplane bird car cat deer dog horse monkey ship truck",
    "Pascal VOC": "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor",
}
FOLDER = re.compile(r"n\d{8}([-_].*)?")  # n01440764, and n02085620-Chihuahua as Stanford Dogs has it
ENOUGH = 0.1  # share of the pictures that must be called like those of a set
FEWEST = 10  # pictures, likewise
HALF, PAIR = 0.5, 2  # share and number of classes that must bear names of ImageNet's classes


class Resemblance(NamedTuple):
    """What looks like a known set.

    Attributes:
        of: The set.
        by: "files", "synsets", "classes" (a known list), or "names" (of ImageNet's classes): the weakest.
        count, total: Of files, or of classes.
        example: One of them.
    """

    of: str
    by: str
    count: int
    total: int
    example: str


def resemblances(paths: Sequence[str], classes: Sequence[str]) -> list[Resemblance]:
    """Everything that looks like a known set, the strongest first.

    Args:
        paths: Of the pictures.
        classes: Names of the labels.
    """
    names = np.array([path.replace("\\", "/").rpartition("/")[2] for path in map(str, paths)])
    alike = []
    for known, pattern in FILES.items():
        called = [name for name in names if pattern.fullmatch(name)]
        if len(called) >= max(FEWEST, ENOUGH * len(names)):
            alike.append(Resemblance(known, "files", len(called), len(names), called[0]))
    synsets = [name for name in classes if FOLDER.fullmatch(name)]
    if len(synsets) >= max(PAIR, HALF * len(classes)):
        alike.append(Resemblance("ImageNet", "synsets", len(synsets), len(classes), synsets[0]))
    plain = {name.casefold() for name in classes}
    for known, listed in CLASSES.items():
        if plain == set(listed.split()):
            alike.append(Resemblance(known, "classes", len(classes), len(classes), ", ".join(classes[:3])))
    named = [name for name in classes if is_class_name(name)]
    if len(named) >= max(PAIR, HALF * len(classes)) and not synsets:
        alike.append(Resemblance("ImageNet", "names", len(named), len(classes), ", ".join(named[:3])))
    return alike
