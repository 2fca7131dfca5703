"""What to do next, most useful first, and what this study does not show.

Before it: the record and what the findings before it worked out (the comparisons, the order check, the suspected
labels). After it: the opening of the report. Nothing is estimated here: an item follows from a fact (a leak, a failed
run, an open comparison, a missing control), and the order is that of what spoils the conclusions most:

    what makes scores wrong  >  what makes them incomplete  >  what would settle an open question  >  what is cheap
"""

from __future__ import annotations

from typing import NamedTuple

from weigh.findings.advice import reading_advice
from weigh.findings.advice.limits import shortened, study_limits, undecided_rivals
from weigh.findings.amounts import count
from weigh.findings.budget import longer_budget
from weigh.findings.cost import operations
from weigh.findings.errors.suspects import look_again, suspected_labels
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.choice import read_choice, what_to_choose
from weigh.findings.generalisation.independent_test import GIVE_A_TEST
from weigh.findings.generalisation.optimism import winner_score
from weigh.findings.generalisation.order import GROUP_NEIGHBOURS, check_order
from weigh.findings.generalisation.shift import find_shifts
from weigh.findings.learning import nothing_learnt, usefulness
from weigh.findings.model import Finding
from weigh.findings.progress import GO_ON
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.findings.stability.training import longer, read_training, what_to_change
from weigh.language import Text, join_texts, text
from weigh.record.results import Results
from weigh.run import RECIPES, recipes_for
from weigh.stats.power import what_settles

__all__ = ["find"]

SPOILS = (
    "leak",
    "near-leak",
    "sequence-leak",
    "sequence",
    "label-conflict",
    "duplicate",
    "near-duplicate",
    "one-class",
    "split",
)
FEW_REPEATS = 3  # below it the spread between repeats is not measured but allowed for, or known from two alone (stats/interval.py)


class Item(NamedTuple):
    """One proposal. `worth`: the least first; `number`: the number in its words, by name."""

    worth: int
    words: Text
    number: tuple[str, float] | None = None


@FINDINGS.named("advice")
def find(results: Results) -> list[Finding]:
    """One finding: `next` holds the items, the sentence sums them up and says what is not shown."""
    evidence = read_evidence(results)
    ours, undecided = results.origin == "study", undecided_rivals(evidence)
    if evidence.once(nothing_learnt):  # what else there is to say of the training can wait
        proposals = [Item(1, words) for words in what_to_change(evidence)] if ours else []
    elif ours:
        proposals = [*_from_record(results, evidence), *_from_evidence(results, evidence)]
    else:
        proposals = [
            *_suspected(results, evidence),
            *(Item(*proposal) for proposal in reading_advice.proposals(results, evidence, undecided)),
        ]
    going_on = [Item(0, GO_ON)] if results.unfinished else []
    items = sorted([*going_on, *_from_data(results), *proposals], key=lambda item: item.worth)
    unique: list[Item] = []
    for item in items:
        if all(item.words.en != other.words.en for other in unique):
            unique.append(item)
    limits = study_limits(results, evidence) if ours else reading_advice.limits(results, evidence, undecided)
    estimates = {"items": count(len(unique), "items")}
    for item in unique:
        if item.number is not None:
            estimates[item.number[0]] = count(item.number[1], "count")
    first = (
        text(
            "Worth doing, first of all: {x}",
            "最值得先做的是：{x}",
            x=unique[0].words,
        )
        if unique
        else text("Nothing in the record asks for more work.", "从记录看，没有必须补做的工作。")
    )
    shown = text(
        "This study does not show: {l}." if ours else "These predictions do not show: {l}.",
        "本研究不能说明：{l}。" if ours else "这些预测不能说明：{l}。",
        l=join_texts(limits, "; ", "；"),
    )
    return [
        Finding(
            id="advice",
            kind="advice",
            **asked("advice", "yes" if unique else "no"),
            sentence=(first + shown),
            estimates=estimates,
            candidates=[evidence.winner] if evidence.winner else [],
            next=[item.words for item in unique],
        )
    ]


def _from_data(results: Results) -> list[Item]:
    """What the data checks propose; what spoils scores comes before what only costs examples."""
    items = []
    for problem in results.problems:
        if problem.severity == "note" or problem.do is None:
            continue
        items.append(Item(1 if problem.kind in SPOILS else 4, problem.do))
    train = results.examples.where("train")
    if len(train) and results.examples.classes and results.origin != "models":
        counts = results.examples.class_counts(train)
        small = [
            c for c, n in zip(results.examples.classes, counts, strict=True) if 0 < n < 2 * results.spec.design.folds
        ]
        if small and not any(p.kind == "tiny-class" for p in results.problems):
            items.append(
                Item(
                    5,
                    text(
                        "Label more examples of {c}: a fold holds fewer than two of them on average, and a class score hangs on each.",
                        "请为 {c} 标注更多样本：平均每折不到两个，该类的得分完全取决于它们。",
                        c=shortened(small),
                    ),
                )
            )
    return items


def _from_record(results: Results, evidence: Evidence) -> list[Item]:
    """Failed runs, looks at the test part, missing controls and repeats."""
    items = []
    main = results.runs("main", status=None)
    failed = [run for run in results.records if run.status == "failed"]
    if failed:
        items.append(
            Item(
                2,
                text(
                    "Runs that failed: {n}; scores and comparisons use what is left. The first cause: {c}. Remove it and run the same command with --retry-failed.",
                    "有 {n} 次运行失败，得分和比较只用到其余的运行。首个原因：{c}。请消除原因，再用同一命令加上 --retry-failed 运行。",
                    n=len(failed),
                    c=failed[0].cause.rstrip(".。"),
                ),
                ("failed_runs", len(failed)),
            )
        )
    if results.test_looks > 1:
        items.append(
            Item(
                3,
                text(
                    "The test part was scored {n} times. If anything was changed in between, its scores are too good: keep new examples for the last look.",
                    "测试部分已被评分 {n} 次。如果其间做过任何改动，其得分就会偏乐观：请留出新样本，最后再用。",
                    n=results.test_looks,
                ),
                ("test_looks", results.test_looks),
            )
        )
    if not len(results.examples.where("test")) and main:
        items.append(Item(6, GIVE_A_TEST))
    few = _few_repeats(evidence)
    if few:
        items.append(
            Item(
                7,
                text(
                    "Run more repeats of {c} ({s}): one or two hardly show what changes from seed to seed.",
                    "请为 {c} 增加重复次数（{s}）：一两次几乎看不出随机种子带来的变化。",
                    s=evidence.more_repeats(*few),
                    c=shortened(list(map(evidence.label, few))),
                ),
            )
        )
    return [*items, *_further_recipes(results, evidence)]


def _further_recipes(results: Results, evidence: Evidence) -> list[Item]:
    """Recipes that could change what is concluded: training the network where only heads were fitted and there is room above, and
    the control without pretraining where a method is to be recommended."""
    winner = evidence.winner
    if winner is None:
        return []
    items = []
    score, recipes = winner_score(evidence), {c.recipe for c in results.candidates}
    best = 1.0 if evidence.metric.greater_is_better and evidence.metric.unit == "score" else None
    room = best is None or score.high is None or best - score.value > evidence.rope
    heads_only = all(RECIPES.get(recipe).trains == "head" for recipe in recipes)
    if heads_only and room:
        items.append(Item(6, _train_the_network(results)))
    if results.spec.design.purpose == "publish" and "scratch" not in recipes and not heads_only:
        items.append(
            Item(
                9,
                text(
                    "Add the recipe scratch: only this control says what the pretrained weights are worth.",
                    "请加入 scratch 方案：只有这个对照才能说明预训练权重带来多少提升。",
                ),
            )
        )
    own_training = evidence.once(read_training).get(winner)
    if own_training is not None:
        items += [Item(6, words) for words in longer(own_training)]
    return items


def _from_evidence(results: Results, evidence: Evidence) -> list[Item]:
    """What the comparisons, the order check and the label check propose."""
    items = []
    if any(check.alarm for check in evidence.once(check_order).checks):
        items.append(Item(2, GROUP_NEIGHBOURS))
    choice = evidence.once(read_choice)
    if choice is not None and choice.taken_back:
        items += [Item(2, words) for words in what_to_choose(evidence, choice)]
    fallen = [f for f in evidence.once(find_shifts) if f.verdict == "no" and f.next]
    items += [Item(3, Text(f.next[0].en, f.next[0].zh)) for f in fallen[:1]]
    items += _suspected(results, evidence)
    items += _open_comparison(evidence)
    cheap = _cheaper_equal(results, evidence)
    if cheap is not None:
        items.append(
            Item(
                5,
                text(
                    "{c} is practically equal to {w} and needs less work for each prediction: take it.",
                    "{c} 与 {w} 实际相当，而每次预测的运算量更小：选它即可。",
                    c=evidence.label(cheap),
                    w=evidence.label(str(evidence.winner)),
                ),
            )
        )
    return items


def _train_the_network(results: Results) -> Text:
    """More time where the study was to do it and could not, else a recipe that does."""
    waiting = [c.recipe for c in (*results.untried, *results.stopped) if RECIPES.get(c.recipe).trains == "network"]
    if waiting and results.spec.design.budget is not None:
        return text(
            "Give the study more time (--budget {b}): {r} did not run for want of it, and training the network may score better.",
            "请给研究更多时间（--budget {b}）：{r} 因时间不足而没有运行，训练网络本身可能得分更好。",
            b=longer_budget(results.spec.design.budget),
            r=", ".join(dict.fromkeys(waiting)),
        )
    if all(RECIPES.get(c.recipe).model for c in results.candidates):
        return text(
            "Take pretrained models too (recipe probe or finetune): so far only words were counted.",
            "请同时尝试预训练模型（probe 或 finetune 方案）：目前只做了词频统计。",
        )
    own = text("finetune", "finetune")
    if "last-stage" in recipes_for(results.spec.task):
        own = text("last-stage or finetune", "last-stage 或 finetune")
    return text(
        "Try the recipe {r}: so far only heads on frozen features were fitted, and training the network may score better.",
        "可尝试 {r} 方案：目前只在冻结特征上拟合了线性头，训练网络本身可能得分更好。",
        r=own,
    )


def _suspected(results: Results, evidence: Evidence) -> list[Item]:
    suspects = None if "errors:labels" in results.skipped else evidence.once(suspected_labels)
    if suspects is None or not len(suspects.flagged):
        return []
    if len(suspects.flagged) < evidence.rope * suspects.judged and evidence.metric.unit == "score":
        return []  # corrected or not, so few change no score by what would matter; their finding shows them
    flagged = len(suspects.flagged)
    worth = 4 if suspects.unusual else 8  # as many would be contradicted if all labels were right
    return [Item(worth, look_again(flagged, ours=results.origin == "study"), ("suspected_labels", flagged))]


def _open_comparison(evidence: Evidence) -> list[Item]:
    """More repeats where they can settle it, more examples where only those can."""
    rivals = undecided_rivals(evidence)
    if not rivals or evidence.comparisons is None:
        return []
    winner = str(evidence.winner)
    settled = what_settles(evidence.comparisons.of(winner, rivals[0]), evidence.rope)
    names = {"w": evidence.label(winner), "c": shortened(list(map(evidence.label, rivals)))}
    varies = evidence.more_repeats_help(winner, rivals[0])
    if evidence.short_of_time(winner, rivals[0]):
        words = text(
            "Whether {w} is better than {c} is open; the folds that were not run come first ({s}).",
            "{w} 是否优于 {c} 尚无定论；首先应补上没有跑的折（{s}）。",
            s=evidence.more_repeats(winner, rivals[0]),
            **names,
        )
    elif settled.few_runs and varies:
        words = text(
            "Whether {w} is better than {c} is open; more repeats ({s}) come first: so few runs hardly show how much runs differ.",
            "{w} 是否优于 {c} 尚无定论；首先应增加重复次数（{s}）：运行太少，几乎看不出各次运行相差多少。",
            s=evidence.more_repeats(winner, rivals[0]),
            **names,
        )
    elif settled.repeats_help and varies:
        words = text(
            "Whether {w} is better than {c} is open; more repeats ({s}) can settle it.",
            "{w} 是否优于 {c} 尚无定论；增加重复次数（{s}）有望得出结论。",
            s=evidence.more_repeats(winner, rivals[0]),
            **names,
        )
    else:
        words = text(
            "Whether {w} is better than {c} is open, and more repeats cannot settle it: label more examples, or take whichever is cheaper.",
            "{w} 是否优于 {c} 尚无定论，增加重复次数也无济于事：请标注更多样本，或直接选代价更低的那个。",
            **names,
        )
    return [Item(5, words)]


def _few_repeats(evidence: Evidence) -> list[str]:
    """Candidates (controls aside) with fewer complete repeats than are needed to see the spread between them."""
    race = evidence.results.race  # who was dropped has few by intention
    rivals = [name for name in evidence.rivals if race is None or name not in race.out]
    few = [
        name
        for name in rivals
        if int(evidence.out_of_fold[name].complete.sum()) < FEW_REPEATS and name not in evidence.results.unfinished
    ]
    # Where there was no time for more folds, more repeats do not run either: the finding on time says so
    return [name for name in few if evidence.more_repeats_help(name) and not evidence.short_of_time(name)]


def _cheaper_equal(results: Results, evidence: Evidence) -> str | None:
    """A candidate that the comparison calls equal to the winner and whose model needs fewer multiply-adds."""
    if evidence.winner is None or evidence.comparisons is None or evidence.once(usefulness) != "yes":
        return None

    def macs(name: str) -> float | None:
        return operations(results, results.candidate(name))

    least, cheapest = macs(evidence.winner), None
    for name in evidence.rivals:
        if name == evidence.winner or evidence.comparisons.of(evidence.winner, name).relation != "equal":
            continue
        work = macs(name)
        if work is not None and least is not None and work < least:
            least, cheapest = work, name
    return cheapest
