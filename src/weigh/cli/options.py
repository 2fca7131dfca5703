"""Options that several commands share, and what they do to a specification."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from weigh.errors import SpecError
from weigh.language import text

__all__ = [
    "Device",
    "Jobs",
    "Lang",
    "Models",
    "Offline",
    "Output",
    "Quiet",
    "Recipes",
    "Settings",
    "TaskName",
    "listed",
    "open_study",
]

Models = Annotated[str, typer.Option("--models", "-m", help="Model addresses, separated by commas.")]
Recipes = Annotated[
    str, typer.Option("--recipes", "-r", help="probe, finetune, lp-ft, scratch, textbook; separated by commas.")
]
Settings = Annotated[list[str], typer.Option("--set", help="Any setting of study.yaml, e.g. --set design.folds=10.")]
TaskName = Annotated[str, typer.Option("--task", help="Recognised from the data where it can be.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Study folder; default studies/<data name>.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, mps.")]
Jobs = Annotated[str, typer.Option("--jobs", "-j", help="Worker processes, or auto.")]
Offline = Annotated[bool, typer.Option("--offline", help="No network call at all.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result.")]
Lang = Annotated[str, typer.Option("--lang", help="en or zh; default: from the locale.")]


def listed(given: str) -> list[str]:
    """ "a, b" as ["a", "b"]."""
    return [item.strip() for item in given.split(",") if item.strip()]


def open_study(
    source: str, *, task: str, models: str, recipes: str, settings: list[str], output: Path | None,
    device: str = "", jobs: str = "", offline: bool = False,
):  # fmt: skip
    """The study that DATA_OR_YAML and the options describe.

    Raises:
        SpecError: Nothing there, no models, or any wrong setting.
    """
    from weigh.spec_yaml import apply_settings, load_spec, read_yaml
    from weigh.study import Study

    path, base = Path(source).expanduser(), Path.cwd()
    content: dict[str, Any]
    if path.suffix.lower() in (".yaml", ".yml"):
        content, base = read_yaml(path), path.resolve().parent
    elif (path / "ledger.sqlite").exists():
        content, output = read_yaml(path / "study.yaml"), output or path
    else:
        content = {"data": {"train": source}}
    if task:
        content["task"] = task
    if models:
        content["models"] = listed(models)
    if recipes:
        content["recipes"] = [_keep_overrides(name, content.get("recipes")) for name in listed(recipes)]
    run = {"device": device, "jobs": jobs, "offline": offline or None}
    settings = [*(f"run.{key}={value}" for key, value in run.items() if value), *settings]
    if "models" not in content and not any(s.split("=")[0] == "models" for s in settings):
        raise SpecError(
            text("No models are named.", "没有指定模型。"),
            text("weigh compares the models that you name.", "weigh 只比较您指定的模型。"),
            text(
                "Example: --models timm:tf_efficientnet_lite0,timm:resnet18   (`weigh models 'timm:*lite*'` lists them)",
                "例如：--models timm:tf_efficientnet_lite0,timm:resnet18   （`weigh models 'timm:*lite*'` 会列出可用模型）",
            ),
        )
    return Study(load_spec(apply_settings(content, settings), base=base), output)


def _keep_overrides(name: str, given: Any) -> Any:
    """--recipes picks names; overrides in the YAML file for such a recipe are kept."""
    for recipe in given if isinstance(given, list) else []:
        if isinstance(recipe, dict) and name in (recipe.get("label"), recipe.get("name")):
            return recipe
    return name
