"""Problems of the data as the ledger keeps them: the same as they were told, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from weigh.language import Text
from weigh.problem import Problem

__all__ = ["problems_from_json", "problems_to_json"]


def problems_to_json(problems: Sequence[Problem]) -> list[dict]:
    """Plain values for the ledger; a sentence becomes the list of its English and its Chinese."""
    return [
        asdict(problem) | {key: _pair(getattr(problem, key)) for key in ("sentence", "why", "do")}
        for problem in problems
    ]


def problems_from_json(stored: list[dict]) -> tuple[Problem, ...]:
    """What `problems_to_json` wrote, as problems again."""

    def build(item: dict) -> Problem:
        texts = {key: Text(*item[key]) if item[key] else None for key in ("sentence", "why", "do")}
        lists = {
            "paths": tuple(item["paths"]),
            "pairs": tuple(map(tuple, item["pairs"])),
            "details": tuple(item["details"]),
        }
        return Problem(**{**item, **texts, **lists})

    return tuple(build(item) for item in stored)


def _pair(value: Text | None) -> list[str] | None:
    return None if value is None else [value.en, value.zh]
