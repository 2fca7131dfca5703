"""Texts without labels for further pretraining: read, and freed of every text that the study has a label for.

A text that is trained on before the folds are cut would be known to the network when it stands in the test part, so none of
the study's own texts is used, whichever part it stands in. Same text: the same letters and digits; near copies are not looked for.
"""

from __future__ import annotations

from pathlib import Path

from weigh.data.examples import Examples, Problem
from weigh.data.near_texts import normalised
from weigh.data.new_texts import read_new_texts
from weigh.errors import DataError, SpecError
from weigh.language import text
from weigh.run import RECIPES
from weigh.spec import StudySpec

__all__ = ["read_unlabelled"]


def read_unlabelled(spec: StudySpec, examples: Examples) -> tuple[tuple[tuple[str, ...], ...], list[Problem]]:
    """The texts of `pretrain.texts` without blanks, repetitions, and what the study holds; and what was left out.

    Raises:
        SpecError: A recipe needs texts and there are none, or texts are given for pictures.
        DataError: The file cannot be read, or nothing is left of it.
    """
    using = [recipe.name for recipe in spec.recipes if RECIPES.get(recipe.name).unlabelled]
    if spec.pretrain is None:
        if using:
            raise SpecError(
                text("The recipe {r} needs texts without labels.", "方案 {r} 需要无标签文本。", r=using[0]),
                do=text(
                    "Name them: --set pretrain.texts=more.csv (a table with a text column, or one text per line).",
                    "请指定：--set pretrain.texts=more.csv（含文本列的表格，或每行一条文本）。",
                ),
            )
        return (), []
    if examples.texts is None and examples.tokens is None:
        raise SpecError(
            text("pretrain is for texts, and this study has pictures.", "pretrain 适用于文本，而本研究的数据是图片。")
        )
    path = Path(spec.pretrain.texts).expanduser()
    given = [" ".join(row).strip() for row in read_new_texts(path, spec)]
    own = _own(examples)
    kept: dict[str, str] = {}
    inside = repeated = 0
    for written in filter(None, given):
        plain = normalised(written)
        inside += plain in own
        repeated += plain in kept
        if plain not in own:
            kept.setdefault(plain, written)
    if not kept:
        raise DataError(
            text(
                "{p}: none of its {n} texts is left: {i} of them are texts of the study itself.",
                "{p}：其中 {n} 条文本无一可用：{i} 条就是本研究自己的文本。",
                p=path.name,
                n=len(given),
                i=inside,
            ),
            text(
                "A network that has seen the texts it is tested on scores too well.",
                "若网络已见过测试文本，得分会偏高。",
            ),
            text("Give texts of the same kind that have no labels here.", "请提供同类但不在本研究中的无标签文本。"),
        )
    return tuple((written,) for written in kept.values()), _problems(
        path.name, len(given), len(kept), inside, repeated, using
    )


def _own(examples: Examples) -> set[str]:
    if examples.texts is None:
        assert examples.tokens is not None
        return {normalised(" ".join(tokens)) for tokens in examples.tokens}
    return {normalised(part) for row in examples.texts for part in (*row, " ".join(row))}


def _problems(name: str, given: int, kept: int, inside: int, repeated: int, using: list[str]) -> list[Problem]:
    found = [
        Problem(
            "pretrain-texts",
            text(
                "{p}: {k} of {n} texts without labels are used; {i} are texts of the study itself and were left out, {r} "
                "are repetitions.",
                "{p}：{n} 条无标签文本中使用 {k} 条；{i} 条是本研究自己的文本，已排除；{r} 条重复。",
                p=name,
                k=kept,
                n=given,
                i=inside,
                r=repeated,
            ),
            severity="warning" if inside else "note",
            why=text(
                "A network that has seen the texts it is tested on scores too well.",
                "若网络已见过测试文本，得分会偏高。",
            ),
            numbers={"used": kept, "given": given, "inside": inside, "repeated": repeated},
        )
    ]
    if not using:
        found.append(
            Problem(
                "pretrain-texts",
                text(
                    "pretrain.texts is not used: no recipe of this study does (adapted, joint).",
                    "pretrain.texts 未被使用：本研究没有使用它的方案（adapted、joint）。",
                ),
                severity="warning",
                do=text(
                    "Add one: --recipes finetune,adapted,joint,scratch",
                    "请加入：--recipes finetune,adapted,joint,scratch",
                ),
            )
        )
    return found
