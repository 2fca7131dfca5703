"""The settings of a study that another version ran, where this one refuses some of them: what is recorded can be read all the same.

Before it: the ledger of a study, whose settings `spec_yaml.load_spec` refused. After it: `study.py`. What this version does not know is left out;
a value that it no longer takes stays as it was, since the results were made with it. Nothing is run with such settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from weigh.errors import SpecError
from weigh.models.address import parse_address
from weigh.spec import RecipeSpec, StudySpec
from weigh.spec_yaml import resolve_paths

__all__ = ["dump_stored", "stored_spec"]

Place = tuple[str | int, ...]
ALONE = ("name",)  # settings that stand in no section


class StoredSpec(NamedTuple):
    """A specification for reading, and the settings that this version refuses ("design.folds")."""

    spec: StudySpec
    refused: list[str]


def stored_spec(content: dict[str, Any], error: SpecError, *, base: Path | None = None) -> StoredSpec:
    """The specification that a study ran with.

    Args:
        content: As the study keeps it.
        error: Why this version refuses it.

    Raises:
        SpecError: `error`, where it cannot even be read: another task, a recipe, a metric or a model that this version does not know.
    """
    from weigh.metrics.base import METRICS

    content, kept, left_out = deepcopy(content), {}, []
    while True:
        try:
            spec = StudySpec.model_validate(content)
            break
        except ValidationError as refusal:
            for item in refusal.errors(include_url=False):
                place = _place(item["loc"], content)
                unknown = item["type"] == "extra_forbidden"
                if not unknown and ((len(place) < 2 and place != ALONE) or isinstance(place[-1], int)):
                    raise error from None
                section = _inside(content, place[:-1])
                if place[-1] not in section:  # reported twice
                    continue
                value = section.pop(place[-1])
                if unknown:
                    left_out.append(place)
                else:
                    kept[place] = value
    for place, value in kept.items():
        spec = _put(spec, place, value)
    names = [_written(place) for place in (*left_out, *kept)]
    try:
        for address in spec.models:
            parse_address(address)
        METRICS.get(spec.primary)
        recipes = [_known_options(recipe, spec.task, names) for recipe in spec.recipes]
    except SpecError:
        raise error from None
    also = spec.metrics.also
    if also is not None and (unknown_metrics := [name for name in also if name not in METRICS]):
        names.append("metrics.also")
        also = [name for name in also if name not in unknown_metrics]
    spec = spec.model_copy(update={"recipes": recipes, "metrics": spec.metrics.model_copy(update={"also": also})})
    if not names:
        raise error
    return StoredSpec(resolve_paths(spec, base), names)


def dump_stored(content: dict[str, Any]) -> str:
    """What a study keeps of its settings, as `spec_yaml.dump_spec` wrote them beside it."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _place(location: Sequence[Any], content: Any) -> Place:
    """Where a setting stands in the content: pydantic also names the types that it tried, and items of lists."""
    place: list[str | int] = []
    for part in location:
        is_item = isinstance(content, list) and isinstance(part, int) and isinstance(content[part], dict)
        if not is_item and not (isinstance(content, dict) and part in content):
            break
        place.append(part)
        content = content[part]
    return tuple(place)


def _inside(content: Any, place: Place) -> Any:
    for part in place:
        content = content[part]
    return content


def _put(section: Any, place: Place, value: Any) -> Any:
    """The section with the value at a place, whatever it is."""
    first, *rest = place
    if isinstance(section, list):
        return [_put(one, tuple(rest), value) if i == first else one for i, one in enumerate(section)]
    inner = section.get(first) if isinstance(section, dict) else getattr(section, str(first))
    changed = {str(first): _put(inner, tuple(rest), value) if rest else value}
    return {**section, **changed} if isinstance(section, dict) else section.model_copy(update=changed)


def _written(place: Place) -> str:
    return ".".join(map(str, place))


def _known_options(recipe: RecipeSpec, task: str | None, names: list[str]) -> RecipeSpec:
    """The recipe with those of its options that this version takes; the others are added to `names`.

    Raises:
        SpecError: No such recipe for the task.
    """
    from weigh.run import checked_recipe

    taken = {}
    for option, value in recipe.overrides.items():
        try:
            checked_recipe(RecipeSpec(name=recipe.name, **{option: value}), task)
            taken[option] = value
        except SpecError:
            names.append(f"recipes.{recipe.label or recipe.name}.{option}")
    common = {name: getattr(recipe, name) for name in RecipeSpec.model_fields}
    plain = RecipeSpec.model_construct(**common)
    return checked_recipe(plain.model_copy(update=taken), task)
