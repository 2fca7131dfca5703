"""One mechanism for everything that can be added: tasks, model sources, recipes, metrics, findings.

A registry maps a name to an object; one file and one decorator add an entry, and the contract tests in
`weigh.testing` run over whatever is registered. Third parties use the entry-point group `weigh.plugins`:
each entry point is imported when a registry is first read, and registers itself by being imported.
"""

from __future__ import annotations

import difflib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from weigh.errors import PluginError, SpecError, reason_of
from weigh.language import Text, text

__all__ = ["Registry"]

T = TypeVar("T")


class _Origin(NamedTuple):
    """Which module registered an entry, and in which of its imports: each import has a `__spec__` of its own, a notebook none."""

    module: str
    spec: Any

    def again(self, before: _Origin) -> bool:
        return self.module == before.module and (self.spec is None or self.spec is not before.spec)


class Registry(Generic[T]):
    """Named things of one kind: the built-in ones in the order of `modules`, whoever imported them first, then others as they were registered.

    Args:
        kind: What is registered, in both languages, for messages ("metric", "指标").
        modules: Modules whose import registers the built-in entries; imported on first use, so that reading
            a registry of the evidence wing never imports the compute wing.
        homes: Name of a built-in entry -> the one of `modules` that registers it, where others are dear to import: `get` then imports no other.
    """

    def __init__(
        self, kind: Text, modules: tuple[str, ...] = (), *, homes: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.kind, self.modules, self.homes = kind, modules, homes
        self._entries: dict[str, T] = {}
        self._origins: dict[str, _Origin] = {}
        self._loaded = False
        self._loading: set[int] = set()  # threads that are importing the entries just now

    def register(self, name: str, entry: T) -> T:
        """Add `entry`. A module that is imported again, since its import was interrupted, replaces its own entries; anything else that
        takes a name that is taken is a programming error.
        """
        return self._register(name, entry, _origin())

    def named(self, name: str) -> Callable[[T], T]:
        """Decorator form of `register`."""
        return lambda entry: self._register(name, entry, _origin())

    def _register(self, name: str, entry: T, origin: _Origin) -> T:
        if name in self._entries and not origin.again(self._origins[name]):
            raise ValueError(f"{self.kind.en} {name!r} is registered twice")
        self._entries[name], self._origins[name] = entry, origin
        return entry

    def get(self, name: str) -> T:
        """The entry called `name`.

        Raises:
            SpecError: No such entry; says which exist and which is nearest.
        """
        if name in self.homes and not self._loaded:
            import_module(self.homes[name])
            if name in self._entries:
                return self._entries[name]
        self._load()
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(name, self._entries, n=1)
        hint = near[0] if near else next(iter(self._entries), "-")
        raise SpecError(
            text("There is no {k} called '{n}'.", "没有名为“{n}”的{k}。", k=self.kind, n=name),
            text("Known: {all}.", "可用：{all}。", all=", ".join(self._entries)),
            text("Did you mean '{h}'?", "您是想用“{h}”吗？", h=hint),
        )

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.items()))

    def items(self) -> list[tuple[str, T]]:
        self._load()
        rank = {module: i for i, module in enumerate(self.modules)}
        last = len(rank)
        # a stable sort: entries of one module, and those of others, stay in their order
        return sorted(self._entries.items(), key=lambda item: rank.get(self._origins[item[0]].module, last))

    def _load(self) -> None:
        """Import what registers the entries. Nobody sees a registry that is half full: a thread that comes while another one
        imports goes through the same imports and waits at each module for it. Python's own locks of modules do that, and
        they see when two threads wait for each other, which a lock of our own around them would not.
        """
        thread = threading.get_ident()
        if self._loaded or thread in self._loading:  # a module that reads the registry while registering must not loop
            return
        self._loading.add(thread)
        try:
            for module in self.modules:
                import_module(module)
            for point in entry_points(group="weigh.plugins"):
                if point.name.split(".")[0] == self.kind.en.replace(" ", "-"):
                    _load_plugin(point)
            self._loaded = True
        finally:
            self._loading.discard(thread)


def _load_plugin(point: EntryPoint) -> None:
    """Import a plugin, which registers itself by that.

    Raises:
        PluginError: It cannot be imported. What it would have added cannot be known, so nothing goes on without it.
    """
    try:
        point.load()
    except Exception as error:  # whatever somebody else's code raises
        package = point.dist.name if point.dist is not None else point.value
        raise PluginError(
            text(
                "The plugin {n} of the package {p} cannot be loaded: {e}",
                "无法加载软件包 {p} 的插件 {n}：{e}",
                n=point.name,
                p=package,
                e=f"{type(error).__name__}: {reason_of(error)}",
            ),
            do=text(
                "Update the package, or take it out: pip uninstall {p}",
                "请更新该软件包，或将其卸载：pip uninstall {p}",
                p=package,
            ),
        ) from error


def _origin() -> _Origin:
    """The place of the code that called a method of `Registry`."""
    namespace = sys._getframe(2).f_globals
    return _Origin(namespace.get("__name__", ""), namespace.get("__spec__"))
