"""Which models are tried where a study names none: those that fit the data and whose weights are within reach.

Decided once, at the first start, and kept with the study. Before it: the data. After it: the plan.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from weigh.data.examples import Examples
from weigh.errors import WeightsUnreachable
from weigh.execute.choices import Choose
from weigh.language import Text, join_texts, text
from weigh.plan.candidates import needs_models
from weigh.plan.prepare import Prepared
from weigh.record.ledger import Ledger
from weigh.run import RECIPES
from weigh.settings import offline_by_environment
from weigh.spec import RecipeSpec, StudySpec

__all__ = ["complete_models"]

MOST = 5  # models: each costs a pass over the data, and every further one makes the choice harder to settle
LOOKED_AT = 500  # texts that decide about the script


class _Shortlist(NamedTuple):
    """What is tried, and what is not.

    Attributes:
        models: Addresses, the likeliest first.
        left_out: Other addresses that fit, each with the reason why it is not tried.
    """

    models: tuple[str, ...]
    left_out: tuple[Text, ...]

    def words(self) -> Text:
        """For whoever watches, and for the report."""
        sentence = text(
            "No models were named; weigh tries {m}.", "没有指定模型；weigh 尝试 {m}。", m=", ".join(self.models)
        )
        if self.left_out:
            reasons = join_texts(self.left_out, "; ", "；")
            sentence += text("Not tried: {r}.", "未尝试：{r}。", r=reasons)
        return sentence


def complete_models(prepared: Prepared, ledger: Ledger | None, choose: Choose) -> tuple[Prepared, Text | None]:
    """With models where the study names none, and what is to be said about it; as they were chosen at the first start.

    Raises:
        WeightsUnreachable: None is within reach; says what to install or connect.
    """
    spec, examples = prepared.spec, prepared.examples
    before = None if ledger is None else ledger.fact("choice:models")
    chosen = before is not None and before["models"] == spec.models
    if (spec.models and not chosen) or not needs_models(spec):
        return prepared, None
    offline = spec.run.offline or offline_by_environment()
    stored = choose("models", lambda: _stored(_choose_models(examples, spec, offline=offline)))
    shortlist = _Shortlist(tuple(stored["models"]), tuple(Text(*one) for one in stored["left_out"]))
    recipes = [*spec.recipes, *_yardsticks(spec)]
    completed = spec.model_copy(update={"models": list(shortlist.models), "recipes": recipes})
    sentence, beside = shortlist.words(), [recipe.name for recipe in recipes if RECIPES.get(recipe.name).model]
    if beside:
        sentence += text(
            "Beside them {r}, which needs no pretrained model.",
            "另加不需要预训练模型的 {r} 作为基线。",
            r=", ".join(beside),
        )
    return replace(prepared, spec=completed), sentence


def _yardsticks(spec: StudySpec) -> list[RecipeSpec]:
    """What a chosen model has to be better than: the recipes for this task that need no pretrained model, where they are not named."""
    named = {recipe.name for recipe in spec.recipes}
    return [
        RecipeSpec(name=name)
        for name, recipe in RECIPES.items()
        if recipe.model and name not in named and recipe.options_for(spec.task) is not None
    ]


def _stored(shortlist: _Shortlist) -> dict[str, list]:
    return {"models": list(shortlist.models), "left_out": [[one.en, one.zh] for one in shortlist.left_out]}


def _choose_models(examples: Examples, spec: StudySpec, *, offline: bool) -> _Shortlist:
    from weigh.models.suggested import hub_answers, out_of_reach, suggested_for

    fitting = suggested_for(examples.medium.reads, _script(examples))
    hub = not offline and hub_answers()
    reasons = {one.address: out_of_reach(one.address, hub=hub) for one in fitting}
    within = [address for address, reason in reasons.items() if reason is None]
    if not within:
        raise _nothing(examples, spec, reasons)
    left_out = [
        text("{a} ({r})", "{a}（{r}）", a=address, r=reason)
        for address, reason in reasons.items()
        if reason is not None
    ]
    left_out += [text("{a} ({k} are enough to begin with)", "{a}（先试 {k} 个）", a=a, k=MOST) for a in within[MOST:]]
    return _Shortlist(tuple(within[:MOST]), tuple(left_out))


def _script(examples: Examples) -> str | None:
    """What most of the texts are written in; None where there are none."""
    from weigh.data.texts.scripts import main_script

    if examples.rows is None:
        return None
    step = max(1, len(examples) // LOOKED_AT)
    written = [" ".join(map(str, row)) for row in examples.rows[::step] if row is not None]
    return Counter(map(main_script, written)).most_common(1)[0][0] if written else None


def _nothing(examples: Examples, spec: StudySpec, reasons: dict[str, Text | None]) -> WeightsUnreachable:
    listed = [text("{a}: {r}", "{a}：{r}", a=address, r=reason) for address, reason in reasons.items()]
    own = "file:PATH@timm:NAME" if examples.rows is None else "hf:FOLDER"
    without = [recipe.name for recipe in _yardsticks(spec)]
    way_out = text(
        "Connect to the model hub (or set HF_ENDPOINT to a mirror), install one of the packages above, or name a model of your own: --models {m}{b}",
        "请连接模型库（或将 HF_ENDPOINT 设为镜像）、安装上面的某个软件包，或指定自己的模型：--models {m}{b}",
        m=own,
        b=text("; or begin without one: --recipes {r}", "；也可以先不用模型：--recipes {r}", r=without[0])
        if without
        else "",
    )
    return WeightsUnreachable(
        text(
            "No models are named, and of those that fit {d} none is within reach.",
            "没有指定模型，而适合{d}的模型都无法取得。",
            d=examples.medium.title,
        ),
        join_texts(listed, "; ", "；"),
        way_out,
    )
