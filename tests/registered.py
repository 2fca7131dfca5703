"""What a plugin adds when it is imported, for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from weigh.models import address
from weigh.registry import Registry

__all__ = ["registered"]


@contextmanager
def registered(entries: Sequence[tuple[Registry, str, Any]], source: str = "") -> Iterator[None]:
    """Entries of registries, taken back afterwards, for other tests count what is registered.

    Args:
        source: A model source among them; those of plugins are known from their entry points alone.
    """
    for registry, name, entry in entries:
        list(registry)
        registry.register(name, entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address, "source_names", lambda: (*address.BUILT_IN, *([source] if source else [])))
        yield
    for registry, name, _ in entries:
        del registry._entries[name]
