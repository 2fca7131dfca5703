"""YAML of people, read so that nothing runs, nothing grows and nothing is overwritten in silence.

Before it: the text of a file or of a setting. After it: `spec_yaml.py` (study.yaml), `data/pictures/class_table.py` (names of classes in a data.yaml).
"""

from __future__ import annotations

import re
from typing import Any

import yaml

__all__ = ["load_yaml"]

LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")


class _Strict(yaml.SafeLoader):
    """Safe YAML in which a key that is given twice is an error, and aliases are refused (no exponential growth)."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not supported", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def resolve(self, kind, value, implicit):
        """Words stay words, as in YAML 1.2 and beyond: see `_is_word`."""
        tag = super().resolve(kind, value, implicit)
        return self.DEFAULT_SCALAR_TAG if kind is yaml.ScalarNode and _is_word(value, tag.rpartition(":")[2]) else tag

    def construct_mapping(self, node, deep=False):  # noqa: FBT002  (PyYAML's signature)
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, (str, int, float, bool, type(None))):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{name}' is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


def _is_word(value: str, kind: str) -> bool:
    """Whether YAML 1.1 takes for a `kind` what people mean as it is written: classes called yes and no, a folder or a column called 2024-05-01, the
    class 007 (in base 8), the time 1:30 (in base 60). A setting that is on or off takes yes and no all the same.
    """
    if kind == "bool":
        return value.casefold() not in ("true", "false")
    if kind in ("int", "float") and ":" in value:
        return True
    return kind == "timestamp" or (kind == "int" and LEADING_ZERO.fullmatch(value) is not None)


def load_yaml(content: str) -> Any:
    """What a text in YAML holds.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: It is none, names a key twice, or uses aliases.
    """
    return yaml.load(content, Loader=_Strict)
