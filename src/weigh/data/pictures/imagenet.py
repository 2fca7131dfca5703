"""The 1,000 classes of ImageNet-1k: their synsets, names and numberings. Torch-free.

A class is counted here as timm, torchvision and Keras count it: 0 to 999 in the sorted order of synsets (n01440764 is 0).
The lists stand in the folder of the installed timm, and are read without importing it.

After it: how a model's own outputs are numbered (`models/pretrained.py`), what labels mean (`execute/evaluation.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = [
    "BACKGROUND",
    "NO_CLASS",
    "class_of_name",
    "classes_of_outputs",
    "information",
    "is_class_name",
    "names",
    "synsets",
]

NO_CLASS = -1  # of an output that stands for no class of ImageNet-1k
BACKGROUND = (
    NO_CLASS,
    *range(1000),
)  # heads with 1,001 outputs, as TF-Slim numbers them: the first one is "background"
NAMED = 0.9  # share of names that must be classes, so that a head counts as one of ImageNet


def information(name: str) -> list[str]:
    """Lines of one of timm's files on ImageNet."""
    package = find_spec("timm")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "data" / "_info" / name
    return path.read_text(encoding="utf-8").splitlines()


@cache
def synsets() -> tuple[str, ...]:
    """Synsets of the classes 0 to 999."""
    return tuple(information("imagenet_synsets.txt"))


@cache
def names() -> tuple[str, ...]:
    """All names of each class 0 to 999: "tench, Tinca tinca"."""
    lemmas = dict(line.split("\t", 1) for line in information("imagenet_synset_to_lemma.txt"))
    return tuple(lemmas[synset] for synset in synsets())


def class_of_name(name: str) -> int | None:
    """The class that a synset ("n01440764") or a name means; None where it is none, or more than one.

    A name may be a class's whole entry ("tench, Tinca tinca"), its first word, another synonym or several; case, "_" and "-" do not count. What
    leads an entry counts before what only stands in one: "harp" is the harp, not the harmonica.
    """
    meant = _classes_by_lead().get(_plain(name)) or _classes_by_name().get(_plain(name))
    if meant is None:
        meant = set.intersection(*(_classes_by_name().get(_plain(part), set()) for part in name.split(",")))
    return next(iter(meant)) if len(meant) == 1 else None


def is_class_name(name: str) -> bool:
    """Whether a word leads the entry of a class of ImageNet, or is its whole entry; plurals count ("ants")."""
    plain = _plain(name)
    singular = [plain.removesuffix(end) for end in ("s", "es") if plain.endswith(end)]
    return any(word in _classes_by_lead() for word in (plain, *singular))


def classes_of_outputs(outputs: Sequence[str]) -> tuple[int, ...] | None:
    """The class of each output of a head, by their names (`id2label`); `NO_CLASS` for "background" and what is no class. None: no head of ImageNet.

    Some names mean two classes ("crane"): where nearly all names stand in a known order, the order decides.
    """
    for order in (BACKGROUND[1:], BACKGROUND):
        if len(order) == len(outputs):
            meant = [_classes_by_name().get(_plain(name), set()) for name in outputs]
            if sum(number in numbers for number, numbers in zip(order, meant, strict=True)) >= NAMED * 1000:
                return order
    classes = [class_of_name(name) for name in outputs]
    known = [number for number in classes if number is not None]
    enough = len(set(known)) >= NAMED * min(len(outputs), 1000)
    return tuple(NO_CLASS if number is None else number for number in classes) if enough else None


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[_\-\s]+", " ", name.casefold()).split())


@cache
def _classes_by_lead() -> dict[str, set[int]]:
    """Classes by synset, whole entry and first synonym."""
    return _collect(lambda entry: (entry, entry.partition(",")[0]))


@cache
def _classes_by_name() -> dict[str, set[int]]:
    """Classes by synset, whole entry and every synonym."""
    return _collect(lambda entry: (entry, *entry.split(",")))


def _collect(words: Callable[[str], tuple[str, ...]]) -> dict[str, set[int]]:
    classes: dict[str, set[int]] = {}
    for number, (synset, entry) in enumerate(zip(synsets(), names(), strict=True)):
        for word in {synset, *map(_plain, words(entry))}:
            classes.setdefault(word, set()).add(number)
    return classes
