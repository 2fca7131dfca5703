"""Which models are tried where a study names none: those that fit the data and whose weights are within reach.

Decided once, at the first start, and kept with the study: after each was loaded and timed, so that one that cannot be loaded is replaced by the
next. Before it: the data. After it: the plan.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from weigh.data.examples import Examples
from weigh.errors import MissingExtra, ModelError, WeightsUnreachable
from weigh.execute.choices import Choose, ModelTimings
from weigh.language import Text, join_texts, text
from weigh.plan.candidates import needs_models
from weigh.plan.prepare import Prepared
from weigh.record.ledger import Ledger
from weigh.run import RECIPES
from weigh.settings import offline_by_environment, way_online
from weigh.spec import RecipeSpec, StudySpec

__all__ = ["Completed", "complete_models", "not_tried_of"]

MOST = 5  # models: each costs a pass over the data, and every further one makes the choice harder to settle
LOOKED_AT = 500  # texts that decide about the script


class _Shortlist(NamedTuple):
    """What is tried, and what is not.

    Attributes:
        models: Addresses, the likeliest first.
        not_tried: Address of each other model that fits -> why it is not tried.
    """

    models: tuple[str, ...]
    not_tried: dict[str, Text]

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> _Shortlist:
        return cls(tuple(stored["models"]), not_tried_of(stored))

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "models": list(self.models),
            "not_tried": {name: [why.en, why.zh] for name, why in self.not_tried.items()},
        }

    def words(self, beside: Sequence[str], late: Collection[str] = ()) -> Text:
        """What is said of the choice, on the terminal and in the report.

        Args:
            beside: Recipes that need no model, which are tried too.
            late: Models that there is no time for, which is said elsewhere.
        """
        tried = [model for model in self.models if model not in late]
        sentence = text("No models were named; weigh tries {m}.", "没有指定模型；weigh 尝试 {m}。", m=", ".join(tried))
        if len(tried) < len(self.models):
            sentence = text(
                "No models were named; weigh chose {a} and tries {m} of them: for the others the time is too short.",
                "没有指定模型；weigh 选了 {a}，其中只尝试 {m}：其余的来不及。",
                a=", ".join(self.models),
                m=", ".join(tried),
            )
        if self.not_tried:
            listed = [text("{a} ({r})", "{a}（{r}）", a=name, r=reason) for name, reason in self.not_tried.items()]
            sentence += text("Not tried: {r}.", "未尝试：{r}。", r=join_texts(listed, "; ", "；"))
        if beside:
            sentence += text(
                "Beside them {r}, which needs no pretrained model.",
                "另加不需要预训练模型的 {r} 作为基线。",
                r=", ".join(beside),
            )
        return sentence


class Completed(NamedTuple):
    """A study with models.

    Attributes:
        prepared: The data, and the specification with models.
        words: What is said of the models that weigh chose, given those that there is no time for; None where the user named them.
        timed: Address -> timing of models that were timed now.
    """

    prepared: Prepared
    words: Callable[[Collection[str]], Text] | None
    timed: dict[str, dict[str, Any]]


def not_tried_of(stored: dict[str, Any]) -> dict[str, Text]:
    """Address of each model that fits the data and is not tried -> why, as the choice is kept with a study."""
    return {address: Text(*why) for address, why in stored.get("not_tried", {}).items()}


def complete_models(
    prepared: Prepared,
    ledger: Ledger | None,
    choose: Choose,
    say: Callable[[Text], None],
    timings_of: Callable[[StudySpec], ModelTimings],
) -> Completed:
    """The specification with models where the study names none; they are those that were chosen at the first start.

    Args:
        say: Told what is tried and what is not, before anything is loaded and again where that changes it.
        timings_of: Times models of a specification, and so loads them.

    Raises:
        WeightsUnreachable: None is within reach, or none can be loaded; says what to install or connect.
    """
    spec, examples = prepared.spec, prepared.examples
    before = None if ledger is None else ledger.fact("choice:models")
    chosen = before is not None and before["models"] == spec.models
    if (spec.models and not chosen) or not needs_models(spec):
        return Completed(prepared, None, {})
    recipes = [*spec.recipes, *_yardsticks(spec)]
    beside = [recipe.name for recipe in recipes if RECIPES.get(recipe.name).model]
    told: list[Text] = []
    timings: list[ModelTimings] = []

    def tell(shortlist: _Shortlist) -> None:
        if (words := shortlist.words(beside)) not in told:
            told.append(words)
            say(words)

    def first() -> dict[str, Any]:
        within, not_tried = _within_reach(examples, spec)
        tell(_shortened(within, not_tried))
        timings.append(timings_of(spec.model_copy(update={"models": within})))
        models, failed = _loaded(within, timings[0].of, say)
        if not models:
            raise _nothing(examples, spec, not_tried | failed)
        rest = [address for address in within if address not in failed]
        return _shortened(rest, not_tried | failed).as_json

    shortlist = _Shortlist.from_json(choose("models", first))
    tell(shortlist)
    completed = spec.model_copy(update={"models": list(shortlist.models), "recipes": recipes})
    known = timings[0].known if timings else {}
    return Completed(replace(prepared, spec=completed), partial(shortlist.words, beside), known)


def _yardsticks(spec: StudySpec) -> list[RecipeSpec]:
    """What a chosen model has to be better than: the recipes for this task that need no pretrained model, where they are not named."""
    named = {recipe.name for recipe in spec.recipes}
    return [
        RecipeSpec(name=name)
        for name, recipe in RECIPES.items()
        if recipe.model and name not in named and recipe.options_for(spec.task) is not None
    ]


def _within_reach(examples: Examples, spec: StudySpec) -> tuple[list[str], dict[str, Text]]:
    """Addresses of the models that fit and whose weights can be had, the likeliest first; and why the others cannot.

    Raises:
        WeightsUnreachable: There are none.
    """
    from weigh.models.suggested import hub_answers, out_of_reach, suggested_for

    fitting = suggested_for(examples.medium.reads, _script(examples))
    hub = not _offline(spec) and hub_answers()
    reasons = {one.address: out_of_reach(one.address, hub=hub) for one in fitting}
    not_tried = {address: reason for address, reason in reasons.items() if reason is not None}
    within = [address for address in reasons if address not in not_tried]
    if not within:
        raise _nothing(examples, spec, not_tried)
    return within, not_tried


def _shortened(within: Sequence[str], not_tried: dict[str, Text]) -> _Shortlist:
    """The first `MOST` of them."""
    enough = text("{k} are enough to begin with", "先试 {k} 个", k=MOST)
    return _Shortlist(tuple(within[:MOST]), not_tried | dict.fromkeys(within[MOST:], enough))


def _loaded(
    within: Sequence[str], load: Callable[[str], Any], say: Callable[[Text], None]
) -> tuple[list[str], dict[str, Text]]:
    """The first `MOST` models that can be loaded, and why those that were tried in vain cannot: the user did not ask for any of them."""
    models: list[str] = []
    failed: dict[str, Text] = {}
    for address in within:
        if len(models) == MOST:
            break
        try:
            load(address)
        except (ModelError, MissingExtra) as error:
            why = error.what if error.do is None or isinstance(error, ModelError) else error.what + error.do
            failed[address] = text(
                "cannot be used: {w}", "无法使用：{w}", w=Text(why.en.rstrip("."), why.zh.rstrip("。"))
            )
            say(text("{a} is not tried, it {w}.", "不尝试 {a}，{w}。", a=address, w=failed[address]))
        else:
            models.append(address)
    return models, failed


def _script(examples: Examples) -> str | None:
    """What most of the texts are written in; None where there are none."""
    from weigh.data.texts.scripts import main_script

    if examples.rows is None:
        return None
    step = max(1, len(examples) // LOOKED_AT)
    written = [" ".join(map(str, row)) for row in examples.rows[::step] if row is not None]
    return Counter(map(main_script, written)).most_common(1)[0][0] if written else None


def _offline(spec: StudySpec) -> bool:
    """Whether the network may not be used."""
    return spec.run.offline or offline_by_environment()


def _nothing(examples: Examples, spec: StudySpec, reasons: dict[str, Text]) -> WeightsUnreachable:
    listed = [text("{a}: {r}", "{a}：{r}", a=address, r=reason) for address, reason in reasons.items()]
    own = "file:PATH@timm:NAME" if examples.rows is None else "hf:./FOLDER"
    without = [recipe.name for recipe in _yardsticks(spec)]
    connect = text(
        "Connect to the model hub (or set HF_ENDPOINT to a mirror)", "请连接模型库（或将 HF_ENDPOINT 设为镜像）"
    )
    if _offline(spec):  # then no connection is used
        connect = text(
            "{o}, if need be with HF_ENDPOINT set to a mirror", "{o}（必要时将 HF_ENDPOINT 设为镜像）", o=way_online()
        )
    way_out = text(
        "{c}{p}, or name a model of your own: --models {m}{b}",
        "{c}{p}，或指定自己的模型：--models {m}{b}",
        c=connect,
        p=text(", install one of the packages above", "、安装上面的某个软件包")
        if any("pip install" in reason.en for reason in reasons.values())
        else "",
        m=own,
        b=text(
            "; or begin without one: weigh run {d} --recipes {r}",
            "；也可以先不用模型：weigh run {d} --recipes {r}",
            d=shlex.quote(spec.data.train),
            r=without[0],
        )
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
