"""Options that several commands share, and what they do to a specification."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weigh.errors import SpecError, WeighError
from weigh.language import join_texts, text
from weigh.settings import user_path

if TYPE_CHECKING:
    from weigh.findings.model import FindingsFile
    from weigh.study import Study

__all__ = [
    "Budget",
    "Device",
    "FailOn",
    "Jobs",
    "Lang",
    "Models",
    "Offline",
    "Output",
    "Quiet",
    "Recipes",
    "RetryFailed",
    "Settings",
    "TaskName",
    "TrustCode",
    "Typed",
    "at_home",
    "check_format",
    "known_kinds",
    "listed",
    "open_study",
    "tell_failures",
]

Models = Annotated[list[str], typer.Option("--models", "-m", help="Model addresses, separated by commas.")]
Recipes = Annotated[
    list[str],
    typer.Option(
        "--recipes",
        "-r",
        help="probe, multilayer, finetune, decoder, last-stage, lp-ft, lora, adapted, joint, naive-bayes, auto, tuned, scratch, textbook; separated by commas. "
        "Default: probe, of entities finetune; where no models are named multilayer and finetune.",
    ),
]
Settings = Annotated[list[str], typer.Option("--set", help="Any setting of study.yaml, e.g. --set design.folds=10.")]
TaskName = Annotated[
    str,
    typer.Option(
        "--task",
        help="image-classification, image-regression, text-classification, text-regression, token-classification, semantic-segmentation, object-detection. "
        "Default: recognised from the data where it can be.",
    ),
]


def at_home(value: Any) -> Any:
    """The paths of an option with the home folder in the place of a leading `~`: of `--output=~/x` a shell leaves it as it stands."""
    if isinstance(value, (list, tuple)):
        return [user_path(one) for one in value]
    return None if value is None else user_path(value)


Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Study folder; default studies/<data name>.", callback=at_home),
]
Device = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps; default: auto, the fastest there is.")
]
Jobs = Annotated[str, typer.Option("--jobs", "-j", help="Worker processes, or auto, the default: this process alone.")]
Offline = Annotated[bool, typer.Option("--offline", help="No network call at all.")]


def _with_this_folder(value: bool) -> bool:
    """Own models stand in the folder that the command is started in; `python -m weigh` would look there too. Worker processes inherit it."""
    if value and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return value


TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code",
        help="Run the code of own models (python:MODULE:FACTORY); no file can allow it.",
        callback=_with_this_folder,
    ),
]
Budget = Annotated[
    str,
    typer.Option(
        "--budget",
        help="Time the study may take (30m, 2h): what does not fit is left out, fine-tuning first. Default: none; where no models are named 10m.",
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Run failed runs again.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result.")]


def _known_language(value: str) -> str:
    if value and not value.lower().startswith(("en", "zh", "chinese")):
        raise typer.BadParameter(f"'{value}' is not known; choose en or zh.")
    return value


Lang = Annotated[str, typer.Option("--lang", help="en or zh; default: from the locale.", callback=_known_language)]
FailOn = Annotated[
    list[str],
    typer.Option(
        "--fail-on",
        help="Exit with 1 if findings of these kinds are problems, e.g. leak,order; label-errors: if any label is suspected.",
    ),
]


def listed(written: Sequence[str]) -> list[str]:
    """What an option says that takes a list and may be given several times: ["a, b", "c"] as ["a", "b", "c"]."""
    return [item.strip() for one in written for item in one.split(",") if item.strip()]


def check_format(format: str, known: Iterable[str]) -> None:
    """Raise an error if --format names none of `known`.

    Raises:
        SpecError: It does not.
    """
    known = tuple(known)
    if format not in known:
        raise SpecError(
            text("--format: {f} is none of {k}.", "--format：{f} 不是 {k} 之一。", f=format, k=", ".join(known))
        )


@dataclass(frozen=True)
class Typed:
    """What was typed to describe a study: DATA_OR_YAML (`source`), and the options of the same names where they were."""

    source: str
    _: KW_ONLY
    task: str = ""
    models: Sequence[str] = ()
    recipes: Sequence[str] = ()
    settings: Sequence[str] = ()
    output: Path | None = None
    device: str = ""
    jobs: str = ""
    budget: str = ""
    offline: bool = False
    trust_code: bool = False


def open_study(typed: Typed, *, choosing: bool = False) -> Study:
    """The study that was typed.

    Args:
        choosing: Without models, weigh chooses them.

    Raises:
        SpecError: Nothing there, no models, or any wrong setting.
    """
    from weigh.record.ledger import Ledger
    from weigh.record.study_folders import holds_study, never_started
    from weigh.spec_yaml import apply_settings, load_spec, read_yaml
    from weigh.study import Study

    source, output = typed.source, typed.output
    path, base = user_path(source), Path.cwd()
    content: dict[str, Any]
    if path.suffix.lower() in (".yaml", ".yml"):
        content, base = read_yaml(path), path.resolve().parent
        if "names" in content and "data" not in content:  # the data.yaml of a data set: data, no study
            content, base = {"data": {"train": source}}, Path.cwd()
    elif holds_study(path):
        written, output = path / "study.yaml", output or path
        content = read_yaml(written) if written.exists() else Ledger(path).fact("spec")
        if content is None:
            raise never_started(path)
    else:
        content = {"data": {"train": source}}
    if typed.task:
        content["task"] = typed.task
    if typed.models:
        content["models"] = listed(typed.models)
    if typed.recipes:
        content["recipes"] = [_keep_overrides(name, content.get("recipes")) for name in listed(typed.recipes)]
    options = {
        "run.device": typed.device,
        "run.jobs": typed.jobs,
        "run.offline": typed.offline,
        "design.budget": typed.budget,
    }
    settings = [*(f"{key}={value}" for key, value in options.items() if value), *typed.settings]
    if not choosing and "models" not in content and not any(s.split("=")[0] == "models" for s in settings):
        raise _no_models(content, settings, base)
    try:
        spec = load_spec(apply_settings(content, settings), base=base)
    except SpecError as error:
        ran = next((folder for folder in (path, path.parent) if holds_study(folder)), None)
        raise (error if ran is None else _refusal(ran, error)) from None
    return Study(spec, output, trust_code=typed.trust_code)


def _refusal(folder: Path, error: SpecError) -> SpecError:
    """The error of settings that are refused where the study in a folder is to go on: whether they are those that it ran with."""
    from weigh.record.ledger import Ledger
    from weigh.record.study_folders import not_to_be_resumed
    from weigh.spec_yaml import load_spec

    ledger = Ledger(folder)
    try:
        load_spec(ledger.fact("spec") or {}, base=folder)
    except SpecError as refusal:
        if refusal.what == error.what:
            return not_to_be_resumed(folder, error, ledger.fact("version") or "?")
    return error


def _no_models(content: dict[str, Any], settings: list[str], base: Path) -> SpecError:
    """The error that no model is named, with models that fit what the data look like; where that cannot be told, with some of every medium."""
    from weigh.data.readers import task_of
    from weigh.media import MEDIA
    from weigh.spec_yaml import apply_settings, load_spec
    from weigh.tasks import TASKS

    fitting = [medium for _, medium in MEDIA.items() if medium.typed]
    try:
        spec = load_spec(apply_settings({**content, "models": ["timm:resnet18"]}, settings), base=base)
        fitting = [MEDIA.get(TASKS.get(task_of(spec.data, spec.task)).medium)]
    except WeighError:
        pass
    examples = dict.fromkeys(medium.typed for medium in fitting if medium.typed)
    lines = [
        text(
            "Example: --models {m}   (`weigh models '{p}'` lists more)",
            "例如：--models {m}   （`weigh models '{p}'` 会列出更多）",
            m=models,
            p=pattern,
        )
        for models, pattern in examples
    ]
    return SpecError(
        text("No models are named.", "没有指定模型。"),
        text(
            "This command takes the models that you name; only weigh run, plan and rank choose them.",
            "该命令只使用您指定的模型；只有 weigh run、plan 和 rank 会自行挑选。",
        ),
        join_texts(lines, "\n", "\n") if lines else None,
    )


def _keep_overrides(name: str, recipes: Any) -> Any:
    """--recipes picks names; overrides in the YAML file for such a recipe are kept."""
    for recipe in recipes if isinstance(recipes, list) else []:
        if isinstance(recipe, dict) and name in (recipe.get("label"), recipe.get("name")):
            return recipe
    return name


def known_kinds(fail_on: Sequence[str]) -> list[str]:
    """The kinds that --fail-on names.

    Raises:
        SpecError: There is no such kind of finding, or it is never a problem.
    """
    from weigh.findings.kinds import KINDS, NEVER_A_PROBLEM

    kinds = listed(fail_on)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if idle := [kind for kind in unknown if kind in NEVER_A_PROBLEM]:
        what = text(
            "--fail-on: {u} describes and is never a problem, so this check could not fail.",
            "--fail-on：{u} 只作描述，从不构成问题，因此这项检查永远不会触发。",
            u=", ".join(idle),
        )
    else:
        what = text(
            "--fail-on: there is no kind of finding called {u}.",
            "--fail-on：没有名为 {u} 的发现类型。",
            u=", ".join(unknown),
        )
    if unknown:
        raise SpecError(
            what, do=text("Kinds that can be problems: {k}.", "可能构成问题的类型：{k}。", k=", ".join(KINDS))
        )
    return kinds


def tell_failures(file: FindingsFile, kinds: list[str], language: str) -> bool:
    """Whether there are problems of these kinds; each is told on standard error."""
    from weigh.findings.kinds import is_problem

    failures = [finding for finding in file.findings if finding.kind in kinds and is_problem(finding)]
    for finding in failures:
        print(
            text("--fail-on {k}: {s}", "--fail-on {k}：{s}", k=finding.kind, s=finding.sentence).render(language),
            file=sys.stderr,
        )
    return bool(failures)
