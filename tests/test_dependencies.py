"""What weigh imports is what its installation brings: a package that only the tests' environment has would be missing on a user's machine."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions

from tests.sources import ROOT, SOURCES, nodes_of

BROUGHT = {
    "markupsafe": "jinja2",
    "pydantic_core": "pydantic",
}  # their public parts; declared by what stands on the right
NEVER_NEEDED = {"keras_hub"}  # asked for only where the user has it
OF_TESTS = {"dev", "demo"}  # extras that no message of weigh's proposes


def distribution(requirement: str) -> str:
    """ "scipy>=1.11" -> "scipy"."""
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return match[0].lower().replace("_", "-")


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Top packages that are imported anywhere in a file, also inside functions."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"weigh"}


def test_every_package_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {distribution(one) for one in project["dependencies"]}
    assert {distribution(one) for one in BROUGHT.values()} <= declared
    declared |= {distribution(one) for name, many in extras.items() if name not in OF_TESTS for one in many}
    installed = packages_distributions()
    missing = {}
    for path in SOURCES:
        for name in imported(nodes_of(path)) - BROUGHT.keys() - NEVER_NEEDED:
            if not {distribution(one) for one in [*installed.get(name, []), name]} & declared:
                missing.setdefault(name, []).append(path.name)
    assert missing == {}
