"""Which study `weigh rank` runs: by what models are compared, what is refused, what was not tried, and the command that goes on from it.

Before it: `options.open_study`. After it: `rank.py`, which runs it and prints the table.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from weigh.cli.options import Typed, listed
from weigh.errors import SpecError, WeighError
from weigh.language import Text, join_texts, text
from weigh.settings import user_path

if TYPE_CHECKING:
    from weigh.record.results import Results
    from weigh.study import Study

__all__ = [
    "SETTINGS",
    "TRAINED",
    "extending_command",
    "failed_candidates",
    "looks_words",
    "not_tried",
    "not_tried_words",
    "ranked_by",
    "refuse_more",
    "refuse_one_model",
]

RECIPE = "probe"
TRAINED = "finetune"  # where a task has no linear head
SETTINGS = ["design.curve=false", "design.cleaned=false", "output.refit=false"]  # what says nothing about the choice
UNDONE = {"design.curve": "null", "design.cleaned": "true", "output.refit": "true"}  # the same as a study has it


class FailedCandidate(NamedTuple):
    """A candidate of which runs failed.

    Attributes:
        candidate, model: Label, address.
        failed, runs: Of the cross-validation.
        cause: The most frequent one.
    """

    candidate: str
    model: str
    failed: int
    runs: int
    cause: str


def ranked_by(study: Study) -> str:
    """Name of the recipe that models are compared by: a linear head, and fine-tuning where the task has none."""
    from weigh.data.readers import task_of
    from weigh.run import RECIPES, meant_recipe
    from weigh.spec import RecipeSpec

    try:
        task = task_of(study.spec.data, study.spec.task)
    except WeighError:
        return RECIPE  # why it cannot be told is said when the study begins
    head = meant_recipe(RecipeSpec(name=RECIPE), task).name
    return RECIPE if RECIPES.get(head).options_for(task) is not None else TRAINED


def refuse_one_model(study: Study) -> None:
    """Raise an error if there is nothing to choose among and weigh does not choose itself.

    Raises:
        SpecError: The options, the YAML file or the study name a single model.
    """
    models = study.spec.models
    if len(models) != 1 or _chosen_before(study) == models:
        return
    raise SpecError(
        text("Only {m} is named.", "只指定了 {m}。", m=models[0]),
        text("Among one model nothing can be chosen.", "只有一个模型，无从选择。"),
        text(
            "Name at least two, separated by commas: --models A,B; or none, with weigh rank {d}: then weigh chooses which to try.",
            "请至少指定两个（用逗号分隔）：--models A,B；或一个也不指定，运行 weigh rank {d}，由 weigh 挑选。",
            d=shlex.quote(study.spec.data.train),
        ),
    )


def refuse_more(study: Study, ranked_by: str) -> None:
    """Raise an error if ranking in the folder of this study would take something out of the report that stands there.

    Raises:
        SpecError: The folder holds a study with other recipes, with other models, or with a saved model.
    """
    from weigh.run import RECIPES

    recorded = _fact(study, "spec")
    if recorded is None:
        return
    now = {recipe.label or recipe.name for recipe in study.spec.recipes} | {ranked_by, RECIPES.get(ranked_by).placed}
    lost = [
        recipe
        for recipe in recorded.get("recipes", [])
        if (recipe.get("label") or recipe["name"]) not in now and not _needs_no_model(recipe["name"])
    ]
    why = text("To rank in it would take them out of its report.", "在其中排名会把它们从报告中去掉。")
    if lost:
        raise _elsewhere(
            study, text("{f} holds a study with further recipes.", "{f} 中的研究还包含其他方案。", f=study.folder), why
        )
    models = recorded.get("models", [])
    kept = study.spec.models or (models if _chosen_before(study) == models else [])
    if gone := [model for model in models if model not in kept]:
        what = text(
            "{f} holds a study with further models: {m}.",
            "{f} 中的研究还包含其他模型：{m}。",
            f=study.folder,
            m=", ".join(gone),
        )
        raise _elsewhere(study, what, why)
    if recorded.get("output", {}).get("refit", True) and not study.spec.output.refit:
        raise _elsewhere(
            study,
            text("{f} holds a study that saves a model.", "{f} 中的研究会保存模型。", f=study.folder),
            text(
                "To rank in it would take the learning curve out of its report, and the saved model would stay that of an earlier winner.",
                "在其中排名会把学习曲线从报告中去掉，而已保存的模型仍属于先前的优胜者。",
            ),
        )


def extending_command(study: Study, typed: Typed, ranked_by: str) -> str:
    """The command that extends this study (by fine-tuning, where it is ranked by heads), and trains nothing again; before the study runs."""
    from weigh.record.study_folders import holds_study

    words, models = ["weigh", "run", typed.source], listed(typed.models)
    if models:
        words += ["--models", ",".join(models)]
    if ranked_by == TRAINED:
        words += ["--recipes", TRAINED]
    else:
        words += ["--recipes", f"{RECIPE},{TRAINED}"]
        words += ["--set", "design.finalists=2"] if models or study.spec.models else []
    for setting in typed.settings:
        words += ["--set", setting]
    if holds_study(user_path(typed.source)):  # its study.yaml holds the settings of the ranking
        own = {setting.partition("=")[0].strip() for setting in typed.settings}
        for name in (name for name in UNDONE if name not in own):
            words += ["--set", f"{name}={UNDONE[name]}"]
    for option, value in {
        "--task": typed.task,
        "--device": typed.device,
        "--jobs": typed.jobs,
        "--output": str(typed.output or ""),
    }.items():
        words += [option, value] if value else []
    words += ["--offline"] if typed.offline else []
    words += ["--trust-code"] if typed.trust_code else []
    return shlex.join(words)


def not_tried(study: Study, results: Results) -> dict[str, Text]:
    """Address of each model that is not compared -> why: it is not within reach, cannot be used, or there was no time for it."""
    from weigh.execute.shortlist import not_tried_of

    stored, why = _fact(study, "choice:models"), dict[str, Text]()
    if stored is not None and stored["models"] == results.spec.models:
        why |= not_tried_of(stored)
    compared = {candidate.model for candidate in results.candidates}
    late = text("no time within {b}", "{b} 内来不及", b=results.spec.design.budget)
    return why | {one.model: late for one in results.stopped if one.model not in compared}


def failed_candidates(results: Results) -> list[FailedCandidate]:
    """Candidates of which runs of the cross-validation failed."""
    failed = []
    for candidate in results.candidates:
        runs = results.runs(candidate=candidate.id, status=None)
        causes = Counter(run.cause or "?" for run in runs if run.status == "failed")
        if causes:
            cause = causes.most_common(1)[0][0]
            failed.append(FailedCandidate(candidate.label, candidate.model, causes.total(), len(runs), cause))
    return failed


def not_tried_words(reasons: dict[str, Text], failed: Sequence[FailedCandidate]) -> Text | None:
    """One line on what the table lacks; None where it lacks nothing."""
    together: dict[Text, list[str]] = {}
    for address, why in reasons.items():
        together.setdefault(why, []).append(address)
    parts = [text("{a} ({r})", "{a}（{r}）", a=", ".join(models), r=why) for why, models in together.items()]
    sentences = [text("Not tried: {r}.", "未尝试：{r}。", r=join_texts(parts, "; ", "；"))] if parts else []
    if failed:
        listed = [
            text(
                "{c} ({k} of {n} runs: {w})",
                "{c}（{n} 次运行中有 {k} 次：{w}）",
                c=one.candidate,
                k=one.failed,
                n=one.runs,
                w=one.cause.strip().rstrip("."),
            )
            for one in failed
        ]
        sentences.append(text("Failed: {r}.", "失败：{r}。", r=join_texts(listed, "; ", "；")))
    return sum(sentences[1:], sentences[0]) if sentences else None


def looks_words(results: Results) -> Text | None:
    """The sentence that a test part was scored too, which uses it up a little; None where it was not."""
    if not results.test_looks:
        return None
    return text(
        "The test part was scored too ({n} {n:|look|looks} at it so far); the ranking does not stand on it, the report tells of it.",
        "测试部分也已评分（至今看过 {n} 次）；排名不依据它，结果见报告。",
        n=results.test_looks,
    )


def _elsewhere(study: Study, what: Text, why: Text) -> SpecError:
    return SpecError(
        what,
        why,
        text(
            "Look at it: weigh report {f} --format text. Or rank elsewhere: --output studies/NAME",
            "查看该研究：weigh report {f} --format text；或另选文件夹：--output studies/名称",
            f=shlex.quote(str(study.folder)),
        ),
    )


def _chosen_before(study: Study) -> list[str] | None:
    """The models that weigh chose when the study of this folder began; None where it did not choose, or nothing has begun."""
    stored = _fact(study, "choice:models")
    return None if stored is None else stored["models"]


def _needs_no_model(recipe: str) -> bool:
    """Whether it stands beside the models that are compared, as a yardstick."""
    from weigh.run import RECIPES

    return recipe in RECIPES and bool(RECIPES.get(recipe).model)


def _fact(study: Study, name: str) -> Any:
    """What the ledger of the study's folder holds under a name; None without a ledger."""
    from weigh.record.ledger import Ledger
    from weigh.record.study_folders import holds_study

    return Ledger(study.folder).fact(name) if holds_study(study.folder) else None
