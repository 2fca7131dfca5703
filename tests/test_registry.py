"""Registries filled while several threads ask for the same entry: nobody sees one that is half full.

Each case is a fresh process, since a registry is filled once. Heads are fitted in threads, findings are measured in threads; at the time
of the bug "There is no metric called 'balanced_accuracy'. Known: ." made runs fail at random with two threads or more.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from weigh.language import text
from weigh.registry import Registry

ASK = """
import sys, threading, traceback
sys.setswitchinterval(1e-6)
{setup}
wrong, ready = [], threading.Barrier({threads})
def ask():
    ready.wait()
    try:
        {question}
    except BaseException:
        wrong.append(traceback.format_exc(limit=1))
threads = [threading.Thread(target=ask) for _ in range({threads})]
[t.start() for t in threads]; [t.join(60) for t in threads]
assert not any(t.is_alive() for t in threads), "threads wait for each other"
sys.exit(wrong[0] if wrong else 0)
"""
METRICS = "from weigh.metrics.base import METRICS"
OWN = """
import pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp()); sys.path.insert(0, str(folder))
(folder / "house.py").write_text("from weigh.language import text\\nfrom weigh.registry import Registry\\n"
    "ROOMS = Registry(text('room', 'room'), modules=('first_room', 'second_room'))\\n")
(folder / "first_room.py").write_text("import time, house\\ntime.sleep(.05)\\nhouse.ROOMS.register('first', 1)\\n"
    "house.ROOMS.items()\\ntime.sleep(.05)\\n")
(folder / "second_room.py").write_text("import time, house\\ntime.sleep(.05)\\nhouse.ROOMS.register('second', 2)\\n")
from house import ROOMS
"""
CASES = {
    "metrics, two threads": (METRICS, "METRICS.get('balanced_accuracy')", 2),
    "metrics, eight threads": (METRICS, "METRICS.get('log_loss')", 8),
    "findings, iterated": ("from weigh.findings.registry import FINDINGS", "assert len(list(FINDINGS)) > 10", 4),
    "recipes, asked whether": ("from weigh.run import RECIPES", "assert 'finetune' in RECIPES", 4),
    "a module that reads while it registers": (OWN, "assert dict(ROOMS.items()) == {'first': 1, 'second': 2}", 4),
    "one imports a module that another one waits for": (
        OWN + "turn = iter(range(9))",
        "__import__('second_room') if next(turn) == 0 else None; assert ROOMS.get('second') == 2",
        3,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_threads_that_come_while_it_is_filled_see_all_of_it(case):
    setup, question, threads = CASES[case]
    script = ASK.format(setup=setup, question=question, threads=threads)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


INTERRUPTED = """
import sys
from pathlib import Path
left = {after}
def interrupt(frame, event, _):
    global left
    if event == "return" and frame.f_code.co_name == "register" and frame.f_code.co_filename.endswith("registry.py"):
        left -= 1
        if left == 0:
            raise KeyboardInterrupt  # an exception here stops the profiling too
sys.setprofile(interrupt)
def ask():
    from weigh.findings.registry import FINDINGS
    from weigh.metrics.base import METRICS
    from weigh.run import RECIPES
    from weigh.data.readers import READERS
    return [len(list(registry)) for registry in (FINDINGS, METRICS, RECIPES, READERS)]
try:
    ask()
except KeyboardInterrupt:
    print("interrupted")
print(ask(), ask())
"""


def test_an_import_that_was_interrupted_can_be_repeated():
    """In a notebook: Ctrl-C while weigh is imported, then the same cell again."""
    answers = {}
    processes = {
        after: subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED.format(after=after)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for after in (1, 9, 10_000)
    }
    for after, process in processes.items():
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (after, err)
        *first, answers[after] = out.splitlines()
        assert first == ([] if after == 10_000 else ["interrupted"]), after
    assert len(set(answers.values())) == 1


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """A registry, and a function that imports a module of the given code as anew."""
    registry = Registry(text("room", "房间"))
    monkeypatch.setitem(sys.modules, "house", type(sys)("house"))
    sys.modules["house"].ROOMS = registry

    def imported(name, code):
        import importlib.util

        path = tmp_path / f"{name}.py"
        path.write_text("from house import ROOMS\n" + code)
        spec = importlib.util.spec_from_file_location(name, path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    return registry, imported


@pytest.mark.parametrize(
    "code",
    [
        "ROOMS.register('hall', (1, 2))",
        "@ROOMS.named('hall')\ndef hall(): ...",
        "@ROOMS.named('hall')\nclass Hall: ...",
        "for name in ('hall', 'attic'): ROOMS.register(name, object())",
    ],
)
def test_a_module_that_is_imported_again_replaces_what_it_registered(rooms, code):
    registry, imported = rooms
    imported("first", code)
    before = registry.get("hall")
    imported("first", code)
    assert registry.get("hall") == before or type(registry.get("hall")) is type(before)
    assert registry.get("hall") is not before or before == (1, 2)


@pytest.mark.parametrize("names", [("first", "second"), ("first", "first.inner")])
def test_another_module_cannot_take_a_name_that_is_taken(rooms, names):
    registry, imported = rooms
    imported(names[0], "ROOMS.register('hall', 1)")
    with pytest.raises(ValueError, match="registered twice"):
        imported(names[1], "ROOMS.register('hall', 1)")
    assert registry.get("hall") == 1


def test_one_module_cannot_register_a_name_twice(rooms):
    with pytest.raises(ValueError, match="registered twice"):
        rooms[1]("first", "ROOMS.register('hall', 1)\n@ROOMS.named('hall')\ndef hall(): ...")


def test_every_registry_that_plugins_can_fill_is_documented():
    """CONTRIBUTING names the first part of an entry point: what a registry calls its entries."""
    root = Path(__file__).parents[1]
    told = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = set()
    for path in sorted((root / "src" / "weigh").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Registry":
                names.add(ast.literal_eval(node.args[0].args[0]).replace(" ", "-"))
    assert names >= {"kind", "medium", "reader", "feed", "head", "task", "model-source"}
    assert [name for name in sorted(names) if f"`{name}`" not in told] == []


@pytest.mark.parametrize("first", ["boxes", "masks", "spans", "labels"])
def test_the_order_does_not_depend_on_which_module_was_imported_first(first):
    """The first kind is the default where nobody knows the task: `weigh read` would otherwise ask for mean IoU after `weigh recipes`."""
    code = f"import weigh.kinds.{first}; from weigh.kinds.base import KINDS; print(*KINDS, *dict(KINDS.items()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == 2 * ["label", "labels", "number", "spans", "masks", "boxes"]


def test_an_entry_whose_home_is_known_is_had_without_the_other_modules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    rooms = Registry(text("room", "房间"), ("dear_room", "light_room"), homes={"light": "light_room"})
    monkeypatch.setitem(sys.modules, "house_of_homes", type("House", (), {"ROOMS": rooms}))
    for name in ("dear", "light"):
        (tmp_path / f"{name}_room.py").write_text(f"from house_of_homes import ROOMS\nROOMS.register({name!r}, 1)\n")
    assert rooms.get("light") == 1
    assert "dear_room" not in sys.modules
    assert list(rooms) == ["dear", "light"]
    monkeypatch.delitem(sys.modules, "dear_room")
    monkeypatch.delitem(sys.modules, "light_room")
