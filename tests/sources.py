"""The source files of weigh, each parsed once for all tests that look at how they are written."""

from __future__ import annotations

import ast
import gc
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
    """Do not change it. Nothing looks for rubbish meanwhile: there is none, and the looking took longer than the parsing."""
    looked = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text_of(path))
    finally:
        if looked:
            gc.enable()


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All nodes, in the order of `ast.walk`."""
    return tuple(ast.walk(tree_of(path)))


def last_name(node: ast.AST) -> str:
    """What a name or an attribute is called at its end: `c` of `a.b.c`; of anything else, its text after the last point."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ast.unparse(node).rpartition(".")[2]


def forget() -> None:
    """Half a million objects, which would slow down every later look for rubbish."""
    for kept in (text_of, tree_of, nodes_of):
        kept.cache_clear()
