"""Where do runs differ from, and what would make the score more certain: more examples or more repeats?

A run's score on its fold depends on which examples are in the fold, on how the rest was split, and on the seeds of training. The
first is known from the examples; the others from how far folds differ beyond it, and, where `design.crossed` planned such
runs, from folds that were trained again with another seed of one source (`stats/components.py`). Without crossed
seeds the split and the seeds stay one part, and the finding says how to tell them apart.

`spread.py` says how large the spread is and whether the winner leads throughout; this says what it comes from.
"""

from __future__ import annotations

import math

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.plan.purposes import sources_of
from weigh.record.results import Results
from weigh.stats.components import EVALUATION, TOGETHER, Components, Star, variance_components
from weigh.stats.estimate import UNITS, Estimate, digits_that_show, with_digits
from weigh.stats.resampling import SMALLEST_FOLD, Resample

__all__ = ["find"]

SOURCES = {
    EVALUATION: text("which examples are in the fold", "该折恰好有哪些样本"),
    "split": text("how the examples are split", "样本如何划分"),
    TOGETHER: text("split and seeds together", "划分与随机种子合计"),
    "init": text("the initialisation", "初始化"),
    "order": text("the order of the training examples", "训练样本的顺序"),
    "augmentation": text("the augmentation", "数据增强"),
}
HALF = 50.0
NEGLIGIBLE = 0.05  # of what matters in practice: a smaller spread of runs is none
SMALLEST_CLASS = 2  # independent examples of each class that a fold needs, on average
REFERENCES = [
    "Bouthillier et al. (2021), Accounting for Variance in Machine Learning Benchmarks, MLSys",
    "Weerahandi (1993), Generalized Confidence Intervals, JASA 88",
]


@FINDINGS.named("variation")
def find(results: Results) -> list[Finding]:
    """The winner, and the best candidate with crossed seeds if that is another one."""
    evidence = read_evidence(results)
    if evidence.winner is None:
        return []  # nothing was scored: the headline says so
    crossed = {run.candidate for run in results.runs("components")}
    names = [evidence.winner, *[name for name in evidence.ranked if name in crossed][:1]]
    return [_finding(evidence, name) for name in dict.fromkeys(names)]


def _finding(evidence: Evidence, name: str) -> Finding:
    id = "variation" if name == evidence.winner else f"variation:{name}"
    recipe = evidence.results.candidate(name).recipe
    seeds = [source for source in sources_of(recipe) if source in evidence.results.spec.design.vary]
    components = _components(evidence, name, seeded=bool(seeds))
    if components is None or math.sqrt(max(components.total.value, 0.0)) <= NEGLIGIBLE * evidence.rope:
        return Finding(
            id=id,
            kind="variation",
            **asked("variation", "undecided"),
            severity="detail",
            sentence=(
                text(
                    "Too few runs of {c}, or too few examples in a fold, to say where their differences come from.",
                    "{c} 的运行次数或每折样本太少，无法判断差异来自哪里。",
                    c=evidence.label(name),
                )
                if components is None
                else text(
                    "All runs of {c} score practically alike: there is no difference whose source would matter.",
                    "{c} 的各次运行得分几乎相同：没有值得追究来源的差异。",
                    c=evidence.label(name),
                )
            ),
            candidates=[name],
        )
    sentence, estimates = _say(evidence, name, components, seeds)
    verdict = _verdict(components)
    if verdict != "no" and not evidence.more_repeats_help(name):
        verdict = "no"
        sentence += text(
            "Here further repeats would be identical: they would give the same answers again.",
            "不过在这里增加重复毫无作用：只会得到完全相同的回答。",
        )
    return Finding(
        id=id,
        kind="variation",
        **asked("variation", verdict),
        claim=evidence.claim,
        severity="evidence" if name == evidence.winner else "detail",
        sentence=sentence,
        estimates=estimates,
        assumptions=[
            Assumption(
                name=text("Folds differ as other training samples would", "各折之间的差异等同于不同训练样本之间的差异"),
                outcome="violated",
                detail=text(
                    "Folds of one data set share most of their training examples: what other data sets would change is larger.",
                    "同一份数据的各折共用大部分训练样本：换一份数据，变化会更大。",
                ),
            ),
            Assumption(
                name=text("Effects add up and are roughly normal", "各种影响可相加，且近似正态"),
                outcome="unchecked",
                detail=text(
                    "What two sources do only together is counted with each of them.",
                    "两个来源共同作用才产生的影响，会分别计入各自的份额。",
                ),
            ),
        ],
        candidates=[name],
        next=[] if evidence.short_of_time(name) else _next(evidence, name, verdict, components, seeds),
        figure=_figure(components),
        references=REFERENCES,
    )


def _components(evidence: Evidence, name: str, *, seeded: bool) -> Components | None:
    resampled = evidence.resampler.of(name, evidence.measured[name])
    usable = (resampled.fold_units >= SMALLEST_FOLD) & ~np.isnan(resampled.fold_score)
    units = evidence.units
    # A rare class decides the scores that weigh it, and a fold with one of its examples shows no spread of it
    independent = units.count if resampled.plain else round(units.smallest)
    rare = not resampled.plain and units.smallest / units.classes < SMALLEST_CLASS * usable.shape[1]
    if not usable.any() or rare:
        return None
    scores = np.where(usable, resampled.fold_score, np.nan)
    explained = np.where(usable, _explained(resampled, resampled.fold_influence), np.nan)
    stars: dict[str, Star] = {}
    runs = evidence.results.runs("components", candidate=name)
    for source in dict.fromkeys(run.variant.partition(":")[0] for run in runs):
        variants = sorted({run.variant for run in runs if run.variant.startswith(f"{source}:")})
        stars[source] = _star(evidence, name, variants, scores, resampled)
    return variance_components(
        scores,
        float(np.nanmean(explained)),
        max(independent - 1, 1),
        stars,
        seeded=seeded,
        rng=evidence.rng("variation"),
        level=evidence.level,
    )


def _explained(resampled: Resample, influence: np.ndarray) -> np.ndarray:
    """`(repeats, folds)` variance of a fold's score, or of a difference of two, that its units explain."""
    folds = resampled.fold_units.shape[1]
    squares = np.stack(
        [
            np.bincount(of[of >= 0], np.square(values[of >= 0]), minlength=folds)
            for of, values in zip(resampled.unit_fold, influence, strict=True)
        ]
    )
    return squares * resampled.fold_units / np.maximum(resampled.fold_units - 1, 1)


def _star(evidence: Evidence, name: str, variants: list[str], scores: np.ndarray, first: Resample) -> Star:
    """Scores of the folds that every variant has, the main run first, and what the examples explain of a difference."""
    columns, noise = [scores], []
    for variant in variants:
        runs = evidence.results.out_of_fold(name, "components", variant)
        assert runs is not None
        again = evidence.resampler.of(f"{name} {variant}", runs.measured(evidence.metric))
        columns.append(_fitted(again.fold_score, scores.shape))
        difference = first.fold_influence - _fitted(again.fold_influence, first.fold_influence.shape)
        noise.append(0.5 * _explained(first, difference))
    table = np.stack(columns, axis=-1).reshape(-1, len(columns))
    each = np.stack(noise, axis=-1).reshape(-1, len(variants))
    whole = ~np.isnan(table).any(axis=1) & ~np.isnan(each).any(axis=1)
    return Star(table[whole], float(each[whole].mean()) if whole.any() else 0.0)


def _fitted(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`values` in an array of another number of repeats and folds; NaN where there is nothing."""
    fitted = np.full(shape, np.nan)
    at = tuple(slice(0, min(a, b)) for a, b in zip(values.shape, shape, strict=True))
    fitted[at] = values[at]
    return fitted


def _say(evidence: Evidence, name: str, components: Components, seeds: list[str]) -> tuple[Text, dict[str, Estimate]]:
    factor, unit = (100.0, "points") if evidence.metric.unit == "score" else (1.0, evidence.metric.unit)
    total = components.total
    spread = total.model_copy(
        update={
            "value": factor * math.sqrt(total.value),
            "low": factor * math.sqrt(max(total.low or 0.0, 0.0)),
            "high": factor * math.sqrt(max(total.high or 0.0, 0.0)),
            "unit": unit,
        }
    )
    estimates = {"sd_runs": spread, "runs": count(total.n, "runs")}
    estimates |= {f"share:{source}": share for source, share in components.share.items()}
    estimates |= {f"mean_share:{source}": share for source, share in components.mean_share.items()}
    parts = [
        text("{w} {s}", "{w} {s}", w=SOURCES[source], s=_per_cent(share)) for source, share in components.share.items()
    ]
    sentence = text(
        "The score of one run of {c} on its fold has a standard deviation of {s} {u} ({n} runs). Shares of its "
        "variance: {p}.",
        "{c} 单次运行在其所测折上的得分标准差为 {s} {u}（{n} 次运行）。其方差的构成：{p}。",
        c=evidence.label(name),
        s=spread.format(1 if unit == "points" else 3),
        u=UNITS.get(unit, text(unit, unit)),
        n=total.n,
        p=join_texts(parts, ", ", "，"),
    )
    part = _per_cent(components.mean_share[EVALUATION], HALF)
    sentence += text(
        "All repeats score the same examples: in the mean over all runs, which examples there are makes up {s} of the variance.",
        "各次重复所评的是同一批样本：在全部运行的平均分中，“恰好有哪些样本”占方差的 {s}。",
        s=part,
    )
    verdict = _verdict(components)
    sentence = (
        sentence
        + {
            "no": text(
                "That is more than half: more examples would make the score more certain, more repeats hardly.",
                "这超过一半：增加样本能让得分更确定，增加重复次数作用不大。",
            ),
            "yes": text(
                "That is less than half: more repeats would make the score more certain.",
                "这不到一半：增加重复次数能让得分更确定。",
            ),
            "undecided": text("Whether that is more or less than half cannot be told.", "这是否超过一半，尚无法判断。"),
        }[verdict]
    )
    if components.largest is not None:
        sentence += text(
            "Of the seeds of training, that of {w} matters most.",
            "在训练的各个随机种子中，影响最大的是{w}。",
            w=SOURCES[components.largest],
        )
    if TOGETHER in components.share:
        sentence += text(
            "The split and the seeds cannot be told apart in this design.", "本设计无法区分划分与随机种子各自的影响。"
        )
    elif not seeds:
        sentence += text(
            "Nothing but the split varies from run to run here.", "这里各次运行之间只有划分不同，没有其他随机因素。"
        )
    return sentence, estimates


def _verdict(components: Components) -> Verdict:
    """Repeats make everything smaller but the examples' part: they help if that is certainly less than half."""
    part = components.mean_share[EVALUATION]
    assert part.low is not None
    assert part.high is not None
    return "yes" if part.high < HALF else "no" if part.low > HALF else "undecided"


def _per_cent(share: Estimate, *limits: float) -> str:
    digits = digits_that_show((share.low, share.high), 0, *limits) if limits else 0
    value, low, high = (with_digits(float(end or 0.0), digits) for end in (share.value, share.low, share.high))
    return f"{value} % [{low}, {high}]"


def _next(evidence: Evidence, name: str, verdict: Verdict, components: Components, seeds: list[str]) -> list[Text]:
    items = []
    if verdict == "no":
        items.append(text("To be more certain, collect more examples.", "要更确定，请收集更多样本。"))
    elif verdict == "yes":
        items.append(
            text(
                "To be more certain, run more repeats ({s}).",
                "要更确定，请增加重复次数（{s}）。",
                s=evidence.more_repeats(name),
            )
        )
    if TOGETHER in components.share and seeds:
        items.append(
            text(
                "Set design.crossed: 2 to tell initialisation, order and augmentation apart.",
                "设置 design.crossed: 2，可区分初始化、样本顺序和数据增强的影响。",
            )
        )
    return items


def _figure(components: Components) -> Figure:
    rows = [
        {
            "stage": source,
            "value": round(share.value, 2),
            "low": round(float(share.low or 0.0), 2),
            "high": round(float(share.high or 0.0), 2),
        }
        for source, share in components.share.items()
    ]
    return Figure(
        kind="spread",
        title=text("What the variance of a run's score comes from", "单次运行得分的方差来自哪里"),
        rows=rows,
        fields={
            "value": text("share of the variance in per cent", "占方差的百分比"),
            "stage": text("source", "来源"),
            "candidate": text("source", "来源"),  # heads the column of names
        },
    )
