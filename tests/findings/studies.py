"""Small synthetic studies that together bring every finding in every verdict: what tests of whole reports walk over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from tests.findings.kinds import entity_study, number_study, text_study
from tests.findings.planned import add_runs
from tests.findings.planted_boxes import Detector, forgotten, planted_boxes
from tests.findings.planted_choices import STOPPED, UNLIKE, narrowed, study
from tests.findings.planted_masks import inside_errors, objects_missed, planted_study, wrong_masks
from tests.findings.synthetic import assign_folds, contiguous_folds, make_results, simulate_logits, simulate_target
from weigh.findings.file import findings_file
from weigh.findings.model import FindingsFile
from weigh.language import text
from weigh.plan.less_training import LessTraining
from weigh.plan.racing import Dropped, Race
from weigh.problem import Problem
from weigh.record.choice_of_winner import find_suspects
from weigh.record.results import Results

__all__ = ["STUDIES", "called", "file_of", "pictures", "results_of", "shifted"]


def pictures(
    separations: tuple[float, ...] = (2.0, 1.0),
    n: int = 300,
    repeats: int = 3,
    seed: int = 0,
    prevalence: tuple[float, ...] = (0.5, 0.5),
    noise: float = 0.5,
    sharpness: float = 1.0,
    test: int = 0,
    tested: tuple[float, ...] = (),
    alike: float = 0.0,
    **options: Any,
) -> Results:
    """Pictures of two classes; learners m0, m1 … with `separations`, on a test part of `test` examples with `tested`.

    `alike`: share of the examples' difficulty that neighbours of ten have in common.
    """
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n, prevalence)
    own = rng.standard_normal((n, len(prevalence)))
    common = np.repeat(rng.standard_normal((n // 10 + 1, len(prevalence))), 10, axis=0)[:n]
    hard = np.sqrt(1 - alike) * own + np.sqrt(alike) * common
    how = {"repeats": repeats, "noise": noise, "sharpness": sharpness, "difficulty": hard}
    logits = {f"m{i}": simulate_logits(rng, target, separation=s, **how) for i, s in enumerate(separations)}
    if test:
        truth = simulate_target(rng, test, prevalence)
        options["test_target"] = truth
        options["test"] = {
            f"m{i}": simulate_logits(rng, truth, separation=s)[0] for i, s in enumerate(tested or separations)
        }
    return make_results(logits, target, **options)


def shifted(results: Results, *names: str) -> Results:
    """The same study whose test part is split evenly: the first piece stays the test part, the others are further sets."""
    part = results.examples.part.astype("<U20")
    at = np.flatnonzero(part == "test")
    for name, piece in zip(names, np.array_split(at, len(names) + 1)[1:], strict=True):
        part[piece] = f"shift:{name}"
    return replace(results, examples=replace(results.examples, part=part))


def cleaned(
    before: tuple[float, float],
    after: tuple[float, float],
    n: int = 800,
    seed: int = 0,
    repeats: int = 3,
    noise: float = 0.5,
) -> Results:
    """Two heads, labels flipped, and runs without the suspects."""
    rng = np.random.default_rng(seed)
    truth = simulate_target(rng, n)
    target = truth.copy()
    flipped = rng.choice(n, n // 20, replace=False)
    target[flipped] = 1 - target[flipped]
    how = {"repeats": repeats, "sharpness": 2.0, "noise": noise}
    logits = {f"m{i}": simulate_logits(rng, truth, separation=s, **how) for i, s in enumerate(before)}
    results = make_results(logits, target)
    mask = find_suspects(results).mask
    for i, s in enumerate(after):
        made = simulate_logits(rng, truth, separation=s, repeats=2, sharpness=2.0)
        results = add_runs(results, f"m{i}", "cleaned", made, left_out=mask)
    return results


def ordered(alike: float, seed: int = 0, n: int = 400, **options: Any) -> Results:
    """An order check in which blocks score worse by `alike`."""
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n)
    hard = rng.standard_normal((n, 2))
    logits = {"m0": simulate_logits(rng, target, separation=2.0, difficulty=hard)}
    order = np.arange(n)
    fold = assign_folds(rng, target, 5, 1)
    checks = {}
    for variant, size in (("fifths", None), ("blocks:8", 8)):
        made = simulate_logits(rng, target, separation=2.0 - alike, difficulty=hard)
        checks[variant] = (made, contiguous_folds(order, 5, size))
    return make_results(logits, target, fold=fold, order=order, order_checks={"m0": checks}, **options)


def curve(gains: tuple[float, ...], n: int = 600) -> Results:
    """A learning curve whose points have the separations `gains`; the last is the whole study's."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, n)
    how = {"difficulty": rng.standard_normal((n, 2)), "noise": 0.2, "repeats": 2}
    logits = [simulate_logits(rng, target, separation=s, **how) for s in gains]
    results = make_results({"m0": logits[-1]}, target)
    for i, made in enumerate(logits[:-1]):
        share = 2.0 ** (i + 1 - len(gains))
        results = add_runs(results, "m0", "curve", made, variant=f"size:{share}", n_train=int(0.8 * n * share))
    return results


def history(best: int, epochs: int = 10, *, rising: bool = True) -> dict[str, Any]:
    """Facts of a trained network: its loss falls, its validation score rises until `best`."""
    rows = [
        {
            "epoch": e,
            "loss": round(0.9 ** min(e, best), 4),
            "validation": round(0.5 + (0.04 * min(e, best) if rising else 0.0), 4),
        }
        for e in range(1, epochs + 1)
    ]
    return {"history": rows, "best_epoch": best, "n_parameters": 10**6}


def waiting(results: Results) -> Results:
    """An interrupted study: the refits, and with them the test part, were not reached."""
    kept = tuple(run for run in results.records if run.purpose != "refit")
    missing = {candidate.id: 1 for candidate in results.candidates}
    return replace(results, records=kept, unfinished=missing, test_looks=0)


NETWORK = {"recipes": {"m0": "finetune"}}
GROUPS = np.arange(300) // 6
WEB = {"slices": {"source": np.array(["web", "talk", "news"])[np.arange(300) % 3]}}
MODELS = {f"timm:m{i}": {"macs": (2 - i) * 1e9, "n_parameters": 10**7, "size_bytes": 4 * 10**7} for i in range(2)}
TOKENS = {
    "examples": 200,
    "unknown_share": 0.3,
    "tokens_per_character": 1.0,
    "cut": 40,
    "length": 64,
    "lost_share": 0.2,
}
FAILED = [("m1", 0, 1, "out of memory")]


def empty() -> Results:
    nothing = np.full((1, 60, 2), np.nan, dtype=np.float32)
    return make_results({"m0": nothing}, np.arange(60) % 2, winner=None)


def hopeless(kind: str) -> Results:
    """Nobody learns anything: one class, one number, no entity for every example."""
    if kind == "entities":
        results = entity_study(n=120)
        blind = results.out_of_fold("blind").answers
        return make_results(
            {"a": blind, "b": blind},
            results.examples.target,
            classes=results.examples.classes,
            tokens=list(results.examples.rows),
            task="token-classification",
            recipes={"a": "finetune", "b": "finetune"},
            facts={"a": history(10, rising=False), "b": history(10, rising=False)},
        )
    if kind == "numbers":
        flat = number_study(n=120).out_of_fold("flat").answers
        results = number_study(n=120)
        return make_results(
            {"a": flat, "b": flat},
            results.examples.target,
            classes=(),
            texts=list(results.examples.rows),
            task="text-regression",
        )
    target = simulate_target(np.random.default_rng(0), 200, (0.7, 0.3))
    constant = np.tile(np.array([2.0, 0.0], np.float32), (2, 200, 1))
    return make_results({"a": constant, "b": constant * 2}, target, **({} if kind == "heads" else NETWORK_AB))


NETWORK_AB: dict[str, Any] = {"recipes": {"a": "finetune", "b": "finetune"}}


def doubtful() -> Results:
    """Labels that a good model contradicts, hard examples, problems of the data, controls, costs."""
    rng = np.random.default_rng(4)
    target = simulate_target(rng, 300)
    logits = {
        "m0": simulate_logits(rng, target, separation=8, repeats=3),
        "m1": simulate_logits(rng, target, separation=4, repeats=3),
        "none": simulate_logits(rng, target, separation=0.5, repeats=3),
    }
    target[:10] = 1 - target[:10]
    copies = Problem(
        "duplicate", text("copies", "副本"), do=text("Keep one.", "只保留一份。"), pairs=(("class0/a.jpg", "b.jpg"),)
    )
    note = Problem("size", text("300 pictures.", "300 张图片。"), severity="note")
    return make_results(
        logits, target, controls=["none"], problems=[copies, note], models=MODELS, failed=FAILED, winner="m0"
    )


def moved(tested: tuple[float, ...], there: tuple[float, ...], n: int = 600, m: int = 900) -> Results:
    """Heads of separations 3 and 2.4 that do `tested` on the test part and `there` on the further set "winter"."""
    rng = np.random.default_rng(3)
    target, truth = simulate_target(rng, n), np.tile(simulate_target(rng, m // 2), 2)
    logits = {f"m{i}": simulate_logits(rng, target, separation=s, repeats=2) for i, s in enumerate((3.0, 2.4))}
    halves = [(truth[: m // 2], tested), (truth[m // 2 :], there)]
    test = {f"m{i}": np.concatenate([simulate_logits(rng, t, separation=s[i])[0] for t, s in halves]) for i in range(2)}
    return shifted(make_results(logits, target, test=test, test_target=truth), "winter")


def controlled(separation: float, recipe: str = "scratch") -> Results:
    """A head of separation 2 beside a control, or beside counted words."""
    controls = ["m1"][: recipe == "scratch"]
    return pictures((2.0, separation), n=400, controls=controls, recipes={"m1": recipe}, repeats=2)


def unlabelled(separation: float) -> Results:
    """Plain fine-tuning of a model beside one that has also seen pictures without labels."""
    results = pictures((2.0, separation), n=400, repeats=2, recipes={"m0": "finetune", "m1": "adapted"}, winner="m0")
    return replace(results, candidates=tuple(replace(c, model="timm:one") for c in results.candidates))


def raced(*, dropped: bool, separations: tuple[float, ...] = (2.0, 1.0)) -> Results:
    """A race that ran to the end, or that m1 left after one repeat; `separations` of further candidates that ran to the end."""
    out = (Dropped("m1", "m0", 5, 15, 0.2, 0.1, 0.3, 300),) if dropped else ()
    names = [f"m{i}" for i in range(len(separations))]
    ends = {name: 5 if dropped and name == "m1" else 15 for name in names}
    stop = "one left" if dropped and len(names) == 2 else "spent"
    race = Race(dict.fromkeys(names, 15), 5, (5, 10, 15), len(names), ends, out, stop=stop, leader="m0")
    results = pictures(separations, recipes=dict.fromkeys(names, "finetune"))
    ran = tuple(run for run in results.records if 5 * run.repeat + run.fold < ends[run.candidate])
    return replace(results, records=ran, race=race)


LATE = text("Runs took longer: to keep to the budget, b is not trained.", "运行较慢：为不超出预算时间，b 未训练。")


def by_luck() -> Results:
    """Folds that are all good or all bad, as where a training now and then goes astray."""
    rng = np.random.default_rng(1)
    target = simulate_target(rng, 2000)
    logits = simulate_logits(rng, target, separation=2.0, repeats=6)
    fold = assign_folds(rng, target, 5, 6)
    for repeat in range(6):
        for k in range(5):
            logits[repeat, fold[repeat] == k] += rng.standard_normal(2) * 1.5
    return make_results({"m0": logits}, target, fold=fold, recipes={"m0": "finetune"})


def uneven() -> Results:
    """One source is much harder."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 600)
    source = np.array(["web", "talk", "news"])[np.arange(600) % 3]
    logits = simulate_logits(rng, target, separation=3.0, repeats=2)
    hard = np.flatnonzero(source == "talk")
    logits[:, hard] = simulate_logits(rng, target[hard], separation=0.3, repeats=2)
    return make_results({"m0": logits}, target, slices={"source": source})


def in_some_folds() -> Results:
    """Heads in three whole repeats, and a network that wins in the one fold that there was time for."""
    results = pictures((2.0, 1.0, 4.0), recipes={"m2": "finetune"}, winner="m2", slices=WEB["slices"])
    ran = tuple(run for run in results.records if run.candidate != "m2" or (run.repeat, run.fold) == (0, 0))
    return replace(results, records=ran, less=LessTraining(("timm:m2",), 1))


def handed_in() -> Results:
    """A cross-validation that others made."""
    skipped = dict.fromkeys(("cost", "order", "curve", "variation"), text("nothing was trained", "未作训练"))
    return replace(pictures((2.0, 1.0)), origin="folds", skipped=skipped)


def called(results: Results, paths: Sequence[str], classes: Sequence[str], models: Sequence[str]) -> Results:
    """A study whose files, classes and models are called otherwise."""
    names = np.array([paths[i % len(paths)].format(i=i) for i in range(len(results.examples))])
    examples = replace(results.examples, path=names, classes=tuple(classes))
    candidates = [replace(one, model=models[i % len(models)]) for i, one in enumerate(results.candidates)]
    return replace(results, examples=examples, candidates=tuple(candidates))


STUDIES: dict[str, Callable[[], Results]] = {
    "clear": lambda: pictures((4.0, 1.0), n=600, repeats=4, test=400, **WEB_OF(600)),
    "familiar": lambda: called(
        pictures((2.0, 1.0)), ["ants/n02219486_{i}.JPEG"], ["ants", "bees"], ["timm:resnet18", "timm:resnet50"]
    ),
    "chose alike": lambda: study("auto", [("probe", {})] * 5, 0.99),
    "chose apart": lambda: study("auto", [("probe", {}), *[("finetune", {})] * 4], 0.9),
    "level": lambda: pictures((2.0, 2.0), repeats=1, test=40, slices=None),
    "equal": lambda: pictures((5.0, 5.0), n=4000, repeats=3, test=2000, models=MODELS, noise=0.0, winner="m0"),
    "useless": lambda: pictures((-1.5, -2.0), repeats=3),
    "chance": lambda: pictures((0.0,), n=100, repeats=3),
    "fallen": lambda: shifted(pictures((3.0, 1.0), n=600, test=900, tested=(0.3, 2.5)), "winter", "night"),
    "held": lambda: shifted(pictures((3.0, 1.0), n=600, test=3000), "winter"),
    "small": lambda: shifted(pictures((2.0, 1.9), n=200, test=40), "winter"),
    "contradicted": lambda: pictures((2.3, 2.0), n=800, repeats=5, test=500, tested=(1.0, 3.0)),
    "waiting": lambda: waiting(pictures((2.0, 1.0), test=100)),
    "many": lambda: pictures(tuple(2.0 - 0.1 * i for i in range(11)), n=300, repeats=2),
    "alone": lambda: pictures((2.0,), repeats=3),
    "once": lambda: pictures((2.0,), repeats=1),
    "restless": lambda: pictures((1.0, 0.95, 0.9), noise=3.0, repeats=6),
    "grouped": lambda: pictures((2.0, 1.0), groups=GROUPS, alike=0.5),
    "alike": lambda: pictures((2.0,), n=600, alike=0.9),
    "sites": lambda: pictures((2.0,), n=600, alike=0.95, order=PERMUTED, slices={"site": SITES}),
    "sure": lambda: pictures((1.0,), n=800, sharpness=6.0, repeats=2),
    "clean-stays": lambda: cleaned((4.0, 2.0), (4.5, 2.2)),
    "clean-turns": lambda: cleaned((4.0, 2.0), (2.0, 4.5)),
    "clean-open": lambda: cleaned((2.6, 2.5), (2.6, 2.5), n=300),
    "clean-fewer": lambda: cleaned((3.0, 2.4), (3.0, 2.4), n=500, repeats=10, noise=2.5),
    "order-alarm": lambda: ordered(1.2),
    "order-clear": lambda: ordered(0.0, n=2000),
    "order-open": lambda: ordered(0.05, n=120),
    "curve-yes": lambda: curve((0.5, 1.0, 1.5, 2.0)),
    "curve-no": lambda: curve((2.00, 2.02, 2.03, 2.03), n=4000),
    "curve-open": lambda: curve((1.8, 1.9, 2.0), n=150),
    "doubtful": doubtful,
    "empty": empty,
    "memorised": lambda: pictures(facts={"m0": {"train_scores": {"balanced_accuracy": 1.0}}}),
    "not-memorised": lambda: pictures((6.0, 1.0), facts={"m0": {"train_scores": {"balanced_accuracy": 1.0}}}),
    "short": lambda: pictures(facts={"m0": history(10), "m1": {}}, **NETWORK),
    "long": lambda: pictures(facts={"m0": history(4), "m1": {}}, **NETWORK),
    "moved": lambda: moved((3.0, 2.4), (0.6, 2.4)),
    "moved-alike": lambda: moved((3.0, 2.4), (1.5, 1.45), m=300),
    "moved-swapped": lambda: moved((3.5, 1.5), (1.0, 3.5)),
    "three-groups": lambda: pictures(groups=np.arange(300) // 100, folds=3),
    "control-better": lambda: controlled(4.0),
    "control-level": lambda: controlled(2.0),
    "unlabelled-better": lambda: unlabelled(4.0),
    "unlabelled-worse": lambda: unlabelled(1.0),
    "unlabelled-level": lambda: unlabelled(2.0),
    "many-behind": lambda: pictures((4.0, *[1.0] * 10), n=400, repeats=2),
    "many-ahead": lambda: pictures((2.0, *[2.1] * 9, 5.0), n=400, repeats=2, winner="m0"),
    "finalists": narrowed,
    "short-of-time": lambda: replace(
        pictures(recipes={"m1": "finetune"}), stopped=(STOPPED,), skipped={"budget": LATE}
    ),
    **{name: (lambda out=out: raced(dropped=out)) for name, out in (("raced", True), ("raced-all", False))},
    "racing": lambda: replace(results_of("raced-all"), race=replace(results_of("raced-all").race, stop=None, upto=10)),
    "gaps": lambda: pictures(n=60, failed=[("m0", 0, 1, "x"), ("m1", 1, 0, "x"), ("m0", 2, 2, "x")]),
    "apart": lambda: pictures(repeats=2, failed=[(f"m{i}", 1 - i, k, "x") for i in range(2) for k in range(5)]),
    "families": lambda: pictures((2.0,), n=600, groups=np.arange(600) // 10, alike=0.95),
    "columns": lambda: pictures((2.0,), n=600, slices={"site": SITES[PERMUTED]}),
    "by-luck": by_luck,
    "uneven": uneven,
    "cheap": lambda: pictures((1.0, 3.0), models=MODELS),
    "saved-otherwise": lambda: replace(pictures(), saved_checks=UNLIKE),
    "threshold": lambda: pictures((1.0,), bias={"m0": [0.8, 0.0]}),
    "threshold-idle": lambda: pictures((1.0,), bias={"m0": [1e-9, 0.0]}),
    "handed-in": handed_in,
    "some-folds": in_some_folds,
    "numbers": lambda: number_study(test=80),
    "entities": lambda: entity_study(test=80),
    "masks": lambda: planted_study(objects_missed(0.8, 0.05), test=12, rivals=[objects_missed(0.9, 0.3)]),
    "masks-large": lambda: planted_study(objects_missed(0.05, 0.6), repeats=2),
    "masks-few": lambda: planted_study(objects_missed(0.5, 0.3), n=6),
    "masks-wrong": lambda: planted_study(wrong_masks(4), rivals=[wrong_masks(4, 0.01)]),
    "masks-inside": lambda: planted_study(inside_errors(0.05)),
    "boxes": lambda: planted_boxes(CELLS, Detector(missed=0.3, background=2.0), repeats=2, n=60, test=16),
    "boxes-alike": lambda: planted_boxes(Detector(missed=0.15, wrong_class=0.08, badly=0.08), n=24),
    "boxes-found": lambda: planted_boxes(*[Detector(missed=0.02)] * 2, n=24),
    "boxes-forgotten": lambda: planted_boxes(*[Detector(missed=0.02)] * 2, n=24, labelled=forgotten(4)),
    "texts": lambda: text_study(models={"timm:good": {"texts": TOKENS}}),
    "labels": lambda: text_study(several=True),
    **{f"counted-{far}": (lambda far=far: controlled(far, "naive-bayes")) for far in (0.5, 2.0, 4.0)},
    **{f"hopeless-{kind}": (lambda kind=kind: hopeless(kind)) for kind in ("heads", "networks", "numbers", "entities")},
}
CELLS = Detector(missed=0.05, wrong_class=0.05, badly=0.05, double=0.1, background=0.5, small=0.4)
SITES = np.repeat([f"s{i}" for i in range(61)], 10)[:600]
PERMUTED = np.random.default_rng(9).permutation(600)


def WEB_OF(n: int) -> dict[str, Any]:
    """A column of which one value is harder is left to other tests: here only its presence matters."""
    return {"slices": {"source": np.array(["web", "talk", "news"])[np.arange(n) % 3]}}


@cache
def file_of(name: str) -> FindingsFile:
    """The findings of a study of `STUDIES`, read once per session."""
    return results_of(name).once(findings_file)


@cache
def results_of(name: str) -> Results:
    """The records of a study of `STUDIES`."""
    return STUDIES[name]()
