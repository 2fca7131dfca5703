"""YAML of people, read so that nothing runs, nothing grows and nothing is overwritten in silence.

Before it: the text of a file or of a setting. After it: `spec_yaml.py` (study.yaml), `data/pictures/class_table.py` (names of classes in a data.yaml).
"""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["load_yaml"]


class _Strict(yaml.SafeLoader):
    """Safe YAML in which a key that is given twice is an error, and aliases are refused (no exponential growth)."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not supported", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def resolve(self, kind, value, implicit):
        """Not in base 60, which YAML 1.2 gave up: 1:30 is a word, and whoever means a time is told so."""
        tag = super().resolve(kind, value, implicit)
        in_base_60 = kind is yaml.ScalarNode and ":" in value and tag.rpartition(":")[2] in ("int", "float")
        return self.DEFAULT_SCALAR_TAG if in_base_60 else tag

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


def load_yaml(content: str) -> Any:
    """What a text in YAML holds.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: It is none, names a key twice, or uses aliases.
    """
    return yaml.load(content, Loader=_Strict)
