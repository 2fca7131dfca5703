"""The source files of weigh, each parsed once for all tests that look at how they are written."""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "weigh"
SOURCES = sorted(SOURCE.rglob("*.py"))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """Do not change it. It is never looked through for rubbish: there is none, and the looking took longer than the parsing."""
    looked = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text_of(path))
    finally:
        gc.freeze()
        if looked:
            gc.enable()


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All nodes, in the order of `ast.walk`."""
    return tuple(ast.walk(tree_of(path)))


def check_each(paths: Iterable[Path], check: Callable[[Path], None]) -> None:
    """One test for many files: whatever `check` asserts of any of them is said of all. A test for each took longer than its check."""
    faults = []
    for path in paths:
        try:
            check(path)
        except AssertionError as fault:
            faults.append(f"{path.relative_to(ROOT)}: {fault}")
    assert not faults, "\n".join(faults)


def last_name(node: ast.AST) -> str:
    """What a name or an attribute is called at its end: `c` of `a.b.c`; of anything else, its text after the last point."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ast.unparse(node).rpartition(".")[2]


def forget() -> None:
    """Half a million objects, which would slow down every later look for rubbish."""
    for kept in (text_of, tree_of, nodes_of):
        kept.cache_clear()
