"""Data without labels for further pretraining: read, and freed of every example that the study has a label for.

What is trained on before the folds are cut would be known to the network when it stands in the test part, so nothing of the
study's own is used, whichever part it stands in, and no near copy of it. Each medium reads its own (`Reader.unlabelled`).
"""

from __future__ import annotations

from weigh.data.examples import Examples, LeftOut
from weigh.data.readers import READERS, Reader
from weigh.errors import DataError, SpecError
from weigh.language import Text, text
from weigh.media import MEDIA, Medium
from weigh.notices import Progress
from weigh.problem import Problem
from weigh.run import RECIPES, recipes_for
from weigh.settings import user_path
from weigh.spec import StudySpec

__all__ = ["read_unlabelled"]

TOO_GOOD = text("A network that has seen what it is tested on scores too well.", "若网络已见过测试样本，得分会偏高。")


def read_unlabelled(
    spec: StudySpec, examples: Examples, *, progress: Progress | None = None
) -> tuple[Examples | None, list[Problem]]:
    """What the section `pretrain` names, without repetitions and without what the study holds; and what was left out.

    Raises:
        SpecError: A recipe needs data without labels and there are none, or those of another kind.
        DataError: They cannot be read, or nothing is left of them.
    """
    using = [recipe.name for recipe in spec.recipes if RECIPES.get(recipe.name).unlabelled]
    if spec.pretrain is None and not using:
        return None, []
    reader, reads = READERS.get(examples.medium.name), examples.medium.reads
    address = None if spec.pretrain is None else getattr(spec.pretrain, reads, None)
    if address is None or reader.unlabelled is None:
        raise _missing(spec, using, examples.medium, reader)
    path = user_path(address)
    unlabelled, left_out = reader.unlabelled(path, examples, encoding=spec.data.encoding, progress=progress)
    if not len(unlabelled):
        raise DataError(
            text(
                "{p}: none of its {n} {w} is left: {i} of them are the study's own or nearly so.",
                "{p}：其中 {n} {w}无一可用：{i} {m}就是或几乎就是本研究自己的。",
                p=path.name,
                n=left_out.total,
                w=unlabelled.medium.noun.of(left_out.total),
                m=unlabelled.medium.noun.measure,
                i=left_out.inside + left_out.near,
            ),
            TOO_GOOD,
            text("Give more of the same kind that have no labels here.", "请提供同类但不在本研究中的无标签数据。"),
        )
    problems = _problems(path.name, unlabelled, left_out)
    if not using:
        problems.append(Problem(problems[0].kind, _unused(), severity="warning", do=_add_recipes(spec.task)))
    return unlabelled, problems


def _missing(spec: StudySpec, using: list[str], medium: Medium, reader: Reader) -> SpecError:
    if spec.pretrain is not None:
        other = next(m for _, m in MEDIA.items() if getattr(spec.pretrain, m.reads, None) is not None)
        return SpecError(
            text(
                "pretrain.{r} is for {o}; this study has {m}.",
                "pretrain.{r} 适用于{o}，而本研究的数据是{m}。",
                r=other.reads,
                o=other.title,
                m=medium.title,
            ),
            do=reader.name_unlabelled,
        )
    return SpecError(
        text("The recipe {r} needs {w} without labels.", "方案 {r} 需要无标签{w}。", r=using[0], w=medium.title),
        do=reader.name_unlabelled,
    )


def _problems(name: str, unlabelled: Examples, left: LeftOut) -> list[Problem]:
    sentence = text(
        "{p}: {k} of {n} {w} without labels are used; {i} are of the study itself and {c} are near copies of one, and were "
        "left out; {r} are repetitions.",
        "{p}：{n} 份无标签{w}中使用 {k} 份；{i} 份就是本研究自己的，{c} 份与其几乎相同，均已排除；{r} 份重复。",
        p=name, k=len(unlabelled), n=left.total, i=left.inside, c=left.near, r=left.repeated, w=unlabelled.medium.noun.many,
    )  # fmt: skip
    if left.unreadable:
        sentence = sentence + text("{u} cannot be opened.", "{u} 份无法打开。", u=left.unreadable)
    if not left.searched:
        sentence = sentence + text("There are too many to look for near copies.", "数量过多，未查找近似副本。")
    worth_a_look = left.inside or left.near or left.unreadable or not left.searched
    numbers: dict[str, float] = {
        "used": len(unlabelled),
        "given": left.total,
        "inside": left.inside,
        "near": left.near,
        "repeated": left.repeated,
    }
    kind, severity = f"pretrain-{unlabelled.medium.reads}", "warning" if worth_a_look else "note"
    return [Problem(kind, sentence, severity=severity, why=TOO_GOOD, numbers=numbers)]


def _unused() -> Text:
    return text("pretrain is not used: no recipe of this study does.", "pretrain 未被使用：本研究没有使用它的方案。")


def _add_recipes(task: str | None) -> Text:
    names = ["finetune", *(name for name in recipes_for(task) if RECIPES.get(name).unlabelled), "scratch"]
    return text("Add one: --recipes {n}", "请加入：--recipes {n}", n=",".join(names))
