"""What installed plugins do wrong is said with their name; the ones that work are in tests/media/test_new_medium.py."""

from __future__ import annotations

import sys

import pytest

from weigh.cli.main import main
from weigh.errors import PluginError
from weigh.language import text
from weigh.registry import Registry

FAULTS = {
    "absent": ("", "ModuleNotFoundError"),
    "raises": ("1 / 0", "ZeroDivisionError"),
    "needs": ("import not_installed_at_all", "not_installed_at_all"),
    "taken": ("import sys; sys.modules['plugged'].TOYS.register('own', 2)", "registered twice"),
    "asks": ("import sys; sys.modules['plugged'].TOYS.get('other')", "There is no toy called 'other'"),
}


def install(folder, monkeypatch, points: dict[str, str]) -> None:
    info = folder / "plugged_things-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged-things\nVersion: 1.0\n", encoding="utf-8")
    lines = "".join(f"{name} = {module}\n" for name, module in points.items())
    (info / "entry_points.txt").write_text(f"[weigh.plugins]\n{lines}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plugin_that_cannot_be_loaded_is_named(tmp_path, monkeypatch, fault):
    code, reason = FAULTS[fault]
    if fault != "absent":
        (tmp_path / f"plugged_{fault}.py").write_text(code, encoding="utf-8")
    install(tmp_path, monkeypatch, {"toy.mine": f"plugged_{fault}"})
    module = type(sys)("plugged")
    module.TOYS = toys = Registry(text("toy", "玩具"))
    monkeypatch.setitem(sys.modules, "plugged", module)
    toys.register("own", 1)
    for _ in range(2):  # the second time as well
        with pytest.raises(PluginError) as caught:
            toys.get("own")
        told = str(caught.value)
        assert "toy.mine" in told
        assert "pip uninstall plugged-things" in told
        assert reason in told


def test_a_plugin_for_another_registry_is_left_alone(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, {"ball.mine": "plugged_absent"})
    toys = Registry(text("toy", "玩具"))
    toys.register("own", 1)
    assert toys.get("own") == 1


def test_a_broken_plugin_on_the_command_line(tmp_path, monkeypatch, capsys, photos):
    """The registry of readers is read anew, as in a fresh process."""
    from weigh.data import readers

    install(tmp_path, monkeypatch, {"reader.broken": "plugged_absent"})
    monkeypatch.setattr(readers.READERS, "_loaded", False)
    assert main(["data", str(photos)]) == 2
    told = capsys.readouterr().err
    assert "reader.broken" in told
    assert "Traceback" not in told
