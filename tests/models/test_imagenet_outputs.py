"""Which class of ImageNet-1k each output of a head stands for, by the names of the outputs."""

from __future__ import annotations

import pytest

from weigh.data.pictures.imagenet import BACKGROUND, class_of_name, classes_of_outputs, names, synsets
from weigh.models.pretrained import load_model

IN_ORDER = tuple(range(1000))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("n01440764", 0),
        ("N01440764", 0),
        ("tench, Tinca tinca", 0),
        ("tench", 0),
        ("Tinca_tinca", 0),
        (" great-white shark ", 2),
        ("man-eating shark, white shark", 2),
        ("toilet tissue", 999),
        ("crane", None),  # the bird and the machine
        ("maillot", None),
        ("harp", 594),
        ("crayfish", 124),
        ("wagon", None),
        ("maillot, tank suit", 639),
        ("tench, goldfish", None),
        ("n99999999", None),
        ("daisies of my garden", None),
        ("", None),
    ],
)
def test_a_name_means_one_class_or_none(name, number):
    assert class_of_name(name) == number


@pytest.mark.parametrize(
    ("outputs", "classes"),
    [
        (synsets(), IN_ORDER),
        (names(), IN_ORDER),
        ([entry.split(",")[0] for entry in names()], IN_ORDER),
        ([entry.split(",")[0].replace(" ", "_") for entry in names()], IN_ORDER),
        (["background", *names()], BACKGROUND),
        (["dummy", *(entry.split(",")[0] for entry in names())], BACKGROUND),
        (list(reversed(synsets())), tuple(reversed(IN_ORDER))),
        ([*synsets(), "n00004475"], (*IN_ORDER, -1)),
        (synsets()[:100], IN_ORDER[:100]),
        ([f"LABEL_{i}" for i in range(1000)], None),
        (["daisy", "roses", "tulips"], None),
    ],
)  # fmt: skip
def test_outputs_are_numbered_by_their_names(outputs, classes):
    assert classes_of_outputs(list(outputs)) == classes


def test_a_head_of_1000_outputs_needs_no_map_and_other_heads_have_none(tiny):
    model = load_model(tiny, pretrained=True, offline=True)
    assert model.imagenet is None
    assert model.classes == 1000
