"""Options that take a list may be given several times: nothing of it is dropped."""

from __future__ import annotations

import pytest

from weigh import tasks
from weigh.cli.main import main
from weigh.cli.options import Recipes, TaskName, listed
from weigh.record.ledger import Ledger
from weigh.run import RECIPES


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ([], []),
        (["a"], ["a"]),
        (["a, b"], ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        (["a,,b ", " c", ""], ["a", "b", "c"]),
    ],
)
def test_lists_are_joined(written, items):
    assert listed(written) == items


@pytest.mark.parametrize(
    ("option", "wrong", "right"),
    [
        ("--models", "nonsense:x", "timm:test_resnet"),
        ("-m", "nonsense:x", "timm:test_resnet"),
        ("--recipes", "nonsense", "probe"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_first_of_two_is_not_dropped(photos, capsys, command, option, wrong, right):
    models = [] if option in ("--models", "-m") else ["--models", "timm:test_resnet"]
    assert main([command, str(photos), *models, option, wrong, option, right, "--offline"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_two_kinds_may_fail_a_pipeline(photos, capsys):
    assert (
        main(
            ["run", str(photos), "--models", "timm:test_resnet", "--fail-on", "leek", "--fail-on", "leak", "--offline"]
        )
        == 2
    )
    assert "leek" in capsys.readouterr().err


def test_a_study_that_stopped_before_its_first_run_is_called_so(tmp_path, capsys):
    Ledger(tmp_path / "s", create=True)
    for command in (["run"], ["rank"], ["plan"], ["report"]):
        assert main([*command, str(tmp_path / "s")]) == 2
        told = capsys.readouterr().err
        assert "was never started" in told
        assert "Run the command that began it again." in told


def test_the_help_of_recipes_names_all_of_them():
    """It is written out, for --help imports nothing heavy."""
    names = Recipes.__metadata__[0].help.partition(";")[0].split(", ")
    assert sorted(names) == sorted(RECIPES)


def test_the_help_of_task_names_every_task():
    names = TaskName.__metadata__[0].help.partition(".")[0].split(", ")
    assert sorted(names) == sorted(
        value for name, value in vars(tasks).items() if name.isupper() and isinstance(value, str)
    )
