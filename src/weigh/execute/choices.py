"""What is decided once, at the first start of a study, and stored: device, threads, timings, weights, repeats within the budget.

Before it: the data. After it: `driver.py`, which plans with these choices and never decides them anew. How many workers share the work
is no such choice: it changes no number, so every start may say it differently.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from weigh.data.examples import Examples
from weigh.errors import ModelError
from weigh.files import stamps
from weigh.language import Text, text
from weigh.notices import notice
from weigh.plan.candidates import recipe_of
from weigh.plan.contenders import trained_recipes
from weigh.plan.identity import NUMBERS
from weigh.plan.jobs import least_timing
from weigh.record.ledger import Ledger
from weigh.run import RECIPES, Candidate, Job, Run, Setting
from weigh.settings import cache_folder, offline_by_environment
from weigh.spec import StudySpec

__all__ = [
    "Choose",
    "ModelTimings",
    "check_weights",
    "choose_setting",
    "chooser",
    "count_workers",
    "forget_unused_choices",
    "less_features",
    "name_weights",
    "require_packages",
    "require_recipes",
    "stored_timings",
    "usable_cores",
]

BUSY = 1.6  # `delay` of a timing from which a user is told
TIMED = 1.0  # seconds after which the calls of a timing are no longer repeated
Choose = Callable[[str, Callable[[], Any]], Any]  # (name, how to decide) -> what was decided, now or at the first start


def chooser(ledger: Ledger | None, check: Callable[[], None] = lambda: None) -> Choose:
    """Choices of a study; without a ledger they are made for this once.

    Args:
        check: Raises if somebody asked for the end: what that may have broken is not kept.
    """
    decided: dict[str, Any] = {}

    def choose(key: str, make: Callable[[], Any]) -> Any:
        if ledger is None:
            if key not in decided:
                decided[key] = make()
            return decided[key]
        stored = ledger.fact(f"choice:{key}")
        if stored is not None:
            return stored
        made = make()
        check()
        return ledger.choose(key, made)

    return choose


def count_workers(spec: StudySpec) -> int:
    """How many processes share the work of this start."""
    return 1 if spec.run.jobs == "auto" else int(spec.run.jobs)


def forget_unused_choices(ledger: Ledger, spec: StudySpec) -> None:
    """Where nothing is recorded yet and another device or other threads are asked for than an earlier start chose: that start binds nobody."""
    asked = {"device": "cuda:0" if spec.run.device == "cuda" else spec.run.device, "threads": spec.run.threads}
    stored = {name: ledger.fact(f"choice:{name}") for name in asked}
    differs = any(stored[name] is not None and value not in ("auto", stored[name]) for name, value in asked.items())
    if differs and not ledger.recorded():
        ledger.forget_choices()


def usable_cores() -> int:
    """The processor's cores, or fewer where OMP_NUM_THREADS allows fewer: users who share a machine set it for all their programs."""
    cores, allowed = os.cpu_count() or 1, os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(cores, int(allowed)) if allowed.isdecimal() and int(allowed) > 0 else cores


def choose_setting(spec: StudySpec, examples: Examples, choose: Choose) -> Setting:
    """Device, threads and what else all jobs share.

    Raises:
        SpecError: A device that is not on this machine, also where the study goes on with another one.
    """
    from weigh.train.device import resolve_device

    asked = "cuda:0" if spec.run.device == "cuda" else spec.run.device
    device = choose("device", lambda: resolve_device(spec.run.device))
    if asked not in ("auto", device):
        resolve_device(spec.run.device)  # a device that is not here is an error at every start, not only at the first
    wanted = spec.run.threads
    threads = choose("threads", lambda: wanted if wanted != "auto" else max(1, usable_cores() // count_workers(spec)))
    _say_what_is_kept("run.threads", str(wanted), str(threads))
    _say_what_is_kept("run.device", asked, device)
    return Setting(
        task=spec.task or "",
        classes=examples.classes,
        primary=spec.primary,
        device=device,
        threads=int(threads),
        precision="fp32" if spec.run.precision == "auto" else spec.run.precision,
        offline=spec.run.offline or offline_by_environment(),
        words=spec.output.words,
        keep_all=spec.output.masks,
        cache=cache_folder(),
    )


def _say_what_is_kept(name: str, wanted: str, stored: str) -> None:
    """A study goes on with the settings that it began with; tell a user who now asks for others."""
    if wanted not in ("auto", stored):
        notice(
            text(
                "{n}={a} is not used: this study began with {s} and goes on with it, so that all its runs are computed alike. For another value "
                "begin another study (--output FOLDER).",
                "未采用 {n}={a}：本研究开始时用的是 {s}，为使所有运行的计算方式一致，将继续使用该值。要换用其他值，请另建研究（--output 文件夹）。",
                n=name,
                a=wanted,
                s=stored,
            )
        )


def time_address(
    address: str, spec: StudySpec, setting: Setting, candidates: Sequence[Candidate], examples: Examples, *,
    passes: bool, steps: bool,
) -> dict[str, Any]:  # fmt: skip
    """What this model costs here, in the arithmetic that is chosen for it (`train/timing.py`).

    Args:
        passes, steps: What is timed; steps of training take most of the time.
    """
    from weigh.train.determinism import computing
    from weigh.train.timing import time_model

    own = [c for c in candidates if c.model == address]
    trained = [
        (RECIPES.get(name), options) for c in own for name, options in trained_recipes(recipe_of(spec, c), spec.task)
    ]
    with computing(threads=setting.threads):
        return time_model(
            address,
            setting,
            trained,
            passes=passes,
            steps=steps,
            precision=spec.run.precision,
            examples=examples,
            enough=TIMED,
        )


def name_weights(
    candidates: Sequence[Candidate], choose: Choose, timed: Callable[[str], dict[str, Any]], setting: Setting
) -> tuple[Candidate, ...]:
    """The candidates with the identities of their models, which enter the keys of their runs. Nothing is loaded for them but once.

    Args:
        timed: Address -> what `time_address` says, stored or made.
    """

    def identify(candidate: Candidate) -> dict[str, Any]:
        weights = timed(candidate.model).get("model") if RECIPES.get(candidate.recipe).pretrained else None
        weights = weights or _load(candidate, setting).known()
        return {"identity": weights["identity"], "files": weights["files"]}

    return tuple(replace(c, weights=choose(_weights_key(c), lambda c=c: identify(c))["identity"]) for c in candidates)


def check_weights(candidates: Iterable[Candidate], ledger: Ledger, setting: Setting) -> None:
    """Raise an error if the models of these candidates are no longer those that the study began with.

    A model is loaded only where one of its files is not as it was.

    Raises:
        WeightsReplaced: They are not.
    """
    from weigh.train.features import weights_replaced

    for key, candidate in {_weights_key(c): c for c in candidates}.items():
        stored = ledger.fact(f"choice:{key}")
        now = stamps(stored["files"])
        if now == stored["files"]:
            continue
        model = _load(candidate, setting)
        if model.identity != stored["identity"]:
            raise weights_replaced(
                candidate.model, [path for path, stamp in now.items() if stamp != stored["files"][path]]
            )
        ledger.set_facts(**{f"choice:{key}": {**stored, "files": stamps(model.provenance.files)}})


def require_recipes(spec: StudySpec) -> None:
    """Raise an error if a package is missing which a recipe needs: before anything is timed.

    Raises:
        MissingExtra: peft or Optuna is not installed.
    """
    names = {name for recipe in spec.recipes for name, _ in trained_recipes(recipe, spec.task)}
    _require(
        low_rank=any(RECIPES.get(name).low_rank for name in names),
        search=any(RECIPES.get(recipe.name).chooses == "settings" for recipe in spec.recipes),
    )


def require_packages(runs: Collection[Run]) -> None:
    """Raise an error if a package is missing which these runs need.

    Raises:
        MissingExtra: peft or Optuna is not installed.
    """
    names = {one["recipe"] for run in runs for one in run.options.get("contenders", [{"recipe": run.recipe}])}
    _require(
        low_rank=any(RECIPES.get(name).low_rank for name in names), search=any("search" in run.options for run in runs)
    )


def _require(*, low_rank: bool, search: bool) -> None:
    if low_rank:
        from weigh.train.lora import require_peft

        require_peft()
    if search:
        from weigh.train.search import require_optuna

        require_optuna()


def _weights_key(candidate: Candidate) -> str:
    return f"weights:{candidate.model}" + ("" if RECIPES.get(candidate.recipe).pretrained else ":random")


def _load(candidate: Candidate, setting: Setting):
    from weigh.models.pretrained import load_model

    pretrained = RECIPES.get(candidate.recipe).pretrained
    model = load_model(candidate.model, pretrained=pretrained, offline=setting.offline, trust_code=setting.trust_code)
    if not pretrained and model.provenance.source != "random":
        raise ModelError(
            text(
                "{a} cannot be had with random weights: {r} is for those.",
                "{a} 无法以随机权重构建，而方案 {r} 需要随机权重。",
                a=candidate.model,
                r=candidate.recipe,
            ),
            text("The yardstick would be the pretrained model itself.", "否则对照就成了预训练模型本身。"),
            text(
                "Give its factory a parameter: def build(pretrained=True). With pretrained=False it must load no weights.",
                "请给工厂函数加上参数：def build(pretrained=True)；pretrained=False 时不得加载权重。",
            ),
        )
    return model


def less_features(jobs: Sequence[Job], examples: Examples) -> list[Job]:
    """Jobs whose features lie in the cache, since the study was begun before: they take so much less time."""
    from weigh.train.features import has_features

    def shorter(job: Job) -> Job:
        first = job.runs[0]
        if RECIPES.get(first.recipe).trains != "head":
            return job
        if not has_features(first.model, examples, job.setting, first.options):
            return job
        return replace(job, predicted_seconds=job.predicted_seconds - job.pass_seconds, pass_seconds=0.0)

    return [shorter(job) for job in jobs]


class ModelTimings:
    """What models cost here, timed once and kept with the study.

    Steps of training take most of the time of a timing. Where models must first come first with their heads (`design.finalists`), or where a budget
    may be too short for any training, they are timed only of networks that may fit (`least`); before that a step counts as three passes
    (`plan/jobs.py`).

    Args:
        late: Whether steps are timed only where they are asked for.
        known: Timings that this start has made already.

    Attributes:
        known: Address -> timing, as far as they are timed.
    """

    def __init__(
        self,
        spec: StudySpec,
        setting: Setting,
        candidates: Sequence[Candidate],
        examples: Examples,
        choose: Choose,
        say: Callable[[Text], None],
        *,
        late: bool,
        known: Mapping[str, dict[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._what = (spec, setting, candidates, examples)
        self._choose, self._say, self._late = choose, say, late
        self.known: dict[str, dict[str, Any]] = dict(known)

    @property
    def least(self) -> dict[str, dict[str, Any]]:
        """Address -> timing, with the least that steps can cost where they are not timed."""
        return {
            address: timing if _has_steps(timing) else least_timing(timing) for address, timing in self.known.items()
        }

    def busy_words(self) -> Text | None:
        """The sentence that the machine is busy with other work, where passes took much longer by the clock than they computed."""
        delay = max(((timing.get("model") or {}).get("delay") or 1.0 for timing in self.known.values()), default=1.0)
        if delay <= BUSY:
            return None
        return text(
            "This machine is busy with other work: a pass took {x} times as long as it computed. The study takes longer so; how much is predicted anew while it runs.",
            "本机正忙于其他任务：一次前向计算的用时是其实际计算时间的 {x} 倍。研究因此会更慢，剩余时间会在运行中重新估计。",
            x=round(delay, 1),
        )

    def of(self, address: str) -> dict[str, Any]:
        """The timing of a model, with its steps unless these wait."""
        if address not in self.known:
            self._say(text("Timing {m}", "测量 {m} 的速度", m=address))
            key = _timing_key(address, self._what[0])
            self.known[address] = self._time(address, key, passes=True, steps=not self._late)
            _tell_substitute(address, (self.known[address].get("model") or {}).get("facts") or {})
        return self.known[address]

    def time_steps(self, addresses: Iterable[str]) -> bool:
        """Time the steps of these models too; whether any of them was not timed before."""
        networks = {c.model for c in self._what[2] if RECIPES.get(c.recipe).trains == "network"}
        missing = [
            address
            for address in dict.fromkeys(addresses)
            if self._late and address in networks and not _has_steps(self.of(address))
        ]
        for address in missing:
            self._say(text("Timing the training of {m}", "测量 {m} 的训练速度", m=address))
            timed = self._time(address, _steps_key(address, self._what[0]), passes=False, steps=True)
            self.known[address] = with_steps(self.known[address], timed)
        return bool(missing)

    def _time(self, address: str, key: str, **what: bool) -> dict[str, Any]:
        return self._choose(key, lambda: time_address(address, *self._what, **what))


def _tell_substitute(address: str, facts: Mapping[str, Any]) -> None:
    """Say where weights of a package stand in for those that the address means."""
    if facts.get("weights") == "package" and facts.get("note"):
        notice(
            text(
                "{m}: the weights that are meant could not be reached; other ones of the package {p} stand in for them.",
                "{m}：无法取得所指的权重，改用软件包 {p} 中的另一份权重。",
                m=address,
                p=facts.get("weights_name") or "–",
            )
        )


def with_steps(timing: dict[str, Any], timed: dict[str, Any]) -> dict[str, Any]:
    """A timing with the steps of a later one of the same model."""
    return {**timing, **timed, "steps": True}


def _has_steps(timing: dict[str, Any]) -> bool:
    return "steps" in timing or any(name.endswith("step_example") for name in timing)


def _timing_key(address: str, spec: StudySpec) -> str:
    """A timing says which arithmetic runs are computed in: where another one is asked for, or where this program computes otherwise than the one that
    began the study, it is made anew, as the runs are.
    """
    return f"timing:{spec.run.precision}:{NUMBERS}:{address}"


def _steps_key(address: str, spec: StudySpec) -> str:
    return f"steps-{_timing_key(address, spec)}"


def stored_timings(ledger: Ledger, spec: StudySpec, runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """The stored timings of the models of these runs."""
    timings = {}
    for model in {run.model for run in runs}:
        timings[model] = ledger.fact(f"choice:{_timing_key(model, spec)}") or {}
        if steps := ledger.fact(f"choice:{_steps_key(model, spec)}"):
            timings[model] = with_steps(timings[model], steps)
    return timings
