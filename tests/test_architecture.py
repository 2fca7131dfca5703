"""The house is built as it is drawn: layers, no torch where it has no business, names, file sizes."""

from __future__ import annotations

import ast
import io
import re
import runpy
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest

from tests.sources import ROOT, SOURCES, check_each, nodes_of, text_of, tree_of

TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOCUMENTS = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]
FILE_NAME = re.compile(r"(?<![\w/.*-])((?:[\w-]+/)*[\w-]+\.py|docs/[\w/-]+\.md)\b")
EMPTY_NAMES = {"found", "said", "how"}  # they say that there is a value, not what it holds
# attributes of the layers of keras are part of a hash
NAMED_LATER = ("keras",)
WITHOUT_ALL = {"execute", "findings", "plan", "stats"}  # rooms that offer names which are missing in their `__all__`
FORBIDDEN_NAMES = {"utils", "common", "helpers", "manager", "handler"}


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_import_layers():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module", ["weigh.findings.file", "weigh.report.html", "weigh.study", "weigh.cli.study", "weigh.plan.runs"]
)
def test_evidence_wing_leaves_torch_alone(module):
    done = python(f"import sys, {module}; print([m for m in ('torch', 'torchvision', 'timm') if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_help_imports_nothing_heavy():
    done = python(
        "import sys\nfrom weigh.cli.main import main\nmain(['--help'])\n"
        "print([m for m in ('torch', 'numpy', 'pydantic', 'polars', 'sklearn', 'scipy', 'altair') if m in sys.modules], file=sys.stderr)"
    )
    assert "Usage" in done.stdout
    assert done.stderr.strip() == "[]", done.stderr


def test_source_files():
    check_each(SOURCES, _check_source)


def _check_source(path: Path) -> None:
    source, tree = text_of(path), tree_of(path)
    assert len(source.splitlines()) <= 400, "two things live in this file"
    assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)
    if not source.strip():
        return
    assert ast.get_docstring(tree), "a module says what it answers"
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            assert names == sorted(names, key=_isort_key), f"__all__ is not sorted: {names}"
            defined = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
            defined |= {
                t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)
            }
            defined |= {
                n.target.id for n in tree.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            }
            defined |= {
                a.asname or a.name for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names
            }
            if path.name != "__init__.py":
                assert set(names) <= defined, set(names) - defined


def test_all_holds_what_other_modules_import():
    offered = {
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts): set(ast.literal_eval(node.value))
        for path in SOURCES
        for node in tree_of(path).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    }
    modules = {".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in SOURCES}
    missing = {
        f"{node.module}.{alias.name}"
        for path in SOURCES
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and node.module in offered
        for alias in node.names
        if alias.name not in offered[node.module] and f"{node.module}.{alias.name}" not in modules
    }
    assert {name for name in missing if name.split(".")[1] not in WITHOUT_ALL} == set()


def _isort_key(name: str) -> tuple:
    """CONSTANTS, then Classes, then functions, each by name: the order that the linter keeps."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def test_names_say_what_they_hold():
    check_each(SOURCES, _check_names)


def _check_names(path: Path) -> None:
    if set(NAMED_LATER) & set(path.relative_to(ROOT / "src" / "weigh").parts):
        return
    nodes = nodes_of(path)
    names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    assert not EMPTY_NAMES & names


def test_test_files():
    long = [str(path) for path in TESTS if len(path.read_text(encoding="utf-8").splitlines()) > 400]
    assert not long, "split them by what is tested"


def _prose(path: Path) -> str:
    """A document; of a source file its comments and docstrings."""
    if path.suffix != ".py":
        return path.read_text(encoding="utf-8")
    source = text_of(path)
    if ".py" not in source and "docs/" not in source:  # no file is named
        return ""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = (ast.get_docstring(n) for n in nodes_of(path) if isinstance(n, described))
    return "\n".join([*(t.string for t in tokens if t.type == tokenize.COMMENT), *filter(None, docstrings)])


def test_files_that_prose_names_exist():
    check_each([*SOURCES, *DOCUMENTS], _check_named_files)


def _check_named_files(path: Path) -> None:
    """A name is a path from the root, from src/weigh, from the file's own folder or from the one above it."""
    homes = (ROOT, ROOT / "src" / "weigh", path.parent, path.parent.parent)
    missing = [name for name in FILE_NAME.findall(_prose(path)) if not any((home / name).is_file() for home in homes)]
    assert not missing, missing


def test_no_pickle_and_no_global_random_state():
    check_each(SOURCES, _check_calls)


def _check_calls(path: Path) -> None:
    nodes = nodes_of(path)
    imported = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    assert not imported & {"pickle", "dill", "joblib", "shelve"}
    for node in nodes:
        if isinstance(node, ast.Call) and _first_name(node.func) in ("np", "random", "torch"):
            written = ast.unparse(node.func)
            assert not written.startswith(
                ("np.random.seed", "np.random.rand", "random.seed", "np.random.choice", "np.random.shuffle")
            ), written
            if written == "torch.load":
                assert any(k.arg == "weights_only" and getattr(k.value, "value", None) is True for k in node.keywords)
            if written in ("torch.manual_seed", "torch.set_num_threads", "torch.use_deterministic_algorithms", "torch.set_deterministic_debug_mode"):  # fmt: skip
                assert path.name == "determinism.py", f"{written} outside train/determinism.py"


def _first_name(node: ast.AST) -> str:
    """`a` of `a.b.c`; nothing where it does not begin with a name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_every_registered_thing_is_documented():
    from weigh.metrics.base import METRICS
    from weigh.run import RECIPES

    for registry in (METRICS, RECIPES):
        for name, entry in registry.items():
            assert entry.name == name
            assert entry.title.en
            assert entry.title.zh
            assert entry.title.en != entry.title.zh or entry.title.en.isupper(), f"{name} has no Chinese title"


@cache
def _imports() -> dict[str, set[str]]:
    """Module -> modules of weigh that it imports, in functions too; imports for type checkers do not count."""
    modules = {".".join(p.relative_to(ROOT / "src").with_suffix("").parts): p for p in SOURCES}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        typing = {
            n
            for i in nodes_of(path)
            if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.unparse(i.test)
            for n in ast.walk(i)
        }
        graph[name] = set()
        for node in nodes_of(path):
            if node not in typing and isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{a.name}" for a in node.names} & modules.keys()
                graph[name] |= inside or ({node.module} & modules.keys())
    return graph


def test_no_circle_of_modules():
    graph = dict(_imports())
    assert len(graph) > 300
    while graph:  # take away what imports nothing that is left
        leaves = {name for name, imported in graph.items() if not imported & graph.keys() - {name}}
        assert leaves, f"circle among {sorted(graph)}"
        graph = {name: imported - leaves for name, imported in graph.items() if name not in leaves}


def test_rooms_inside_rooms_import_in_one_direction():
    """data/pictures may use data/rows, but then data/rows uses nothing of data/pictures."""
    edges: dict[tuple[str, str], tuple[str, str]] = {}
    for name, imported in _imports().items():
        for other in imported:
            mine, its = (".".join(m.split(".")[:3]) if m.count(".") >= 3 else None for m in (name, other))
            if mine and its and mine != its and mine.split(".")[1] == its.split(".")[1]:
                edges[mine, its] = (name, other)
    assert len(edges) > 10
    both = {pair: edge for pair, edge in edges.items() if pair[::-1] in edges}
    assert not both, both


def test_the_picture_of_the_house_is_drawn_from_the_house():
    """docs/architecture.svg is what `python docs/architecture.py` draws; run it again where this fails."""
    drawn = runpy.run_path(str(ROOT / "docs" / "architecture.py"))["draw"]()
    assert drawn == (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    described = {m[1] for m in re.finditer(r'font-weight="bold">([a-z_]+)</text>', drawn)}
    packages = {p.parent.name for p in (ROOT / "src" / "weigh").glob("*/__init__.py")}
    assert packages - described == {"testing"}  # which may import everything
