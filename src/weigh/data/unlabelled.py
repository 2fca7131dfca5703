"""Data without labels for further pretraining: read, and freed of every example that the study has a label for.

What is trained on before the folds are cut would be known to the network when it stands in the test part, so nothing of the
study's own is used, whichever part it stands in, and no near copy of it. Texts here; pictures in `unlabelled_pictures.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from weigh.data.contents import text_hashes
from weigh.data.examples import Examples
from weigh.data.pictures.unlabelled import LeftOut, read_pictures
from weigh.data.texts.near_copies import near_texts, normalised
from weigh.data.texts.new_texts import read_new_texts
from weigh.errors import DataError, SpecError
from weigh.kinds.base import rows_of
from weigh.kinds.label import LABEL
from weigh.language import Text, text
from weigh.media import PICTURES, TEXTS
from weigh.problem import Problem
from weigh.run import RECIPES
from weigh.spec import StudySpec

__all__ = ["read_unlabelled"]

Progress = Callable[[str, int, int], None]
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
    pictures = examples.texts is None and examples.tokens is None
    given = None if spec.pretrain is None else spec.pretrain.pictures if pictures else spec.pretrain.texts
    if given is None:
        raise _missing(using, pictures, section=spec.pretrain is not None)
    path = Path(given).expanduser()
    found, left_out = read_pictures(path, examples, progress) if pictures else _read_texts(path, spec, examples)
    if not len(found):
        raise DataError(
            text(
                "{p}: none of its {n} {w} is left: {i} of them are the study's own or nearly so.",
                "{p}：其中 {n} {w}无一可用：{i} {m}就是或几乎就是本研究自己的。",
                p=path.name,
                n=left_out.given,
                w=(PICTURES if pictures else TEXTS).counted,
                m=(PICTURES if pictures else TEXTS).measure,
                i=left_out.inside + left_out.near,
            ),
            TOO_GOOD,
            text("Give more of the same kind that have no labels here.", "请提供同类但不在本研究中的无标签数据。"),
        )
    return found, _problems(path.name, found, left_out, using, pictures=pictures)


def _missing(using: list[str], pictures: bool, *, section: bool) -> SpecError:  # noqa: FBT001
    do = (
        text("Name a folder: --set pretrain.pictures=more/", "请指定文件夹：--set pretrain.pictures=more/")
        if pictures
        else text(
            "Name them: --set pretrain.texts=more.csv (a table with a text column, or one text per line).",
            "请指定：--set pretrain.texts=more.csv（含文本列的表格，或每行一条文本）。",
        )
    )
    if section and pictures:
        return SpecError(text("pretrain.texts is for texts; this study has pictures.", "pretrain.texts 适用于文本，而本研究的数据是图片。"), do=do)  # fmt: skip
    if section:
        return SpecError(text("pretrain.pictures is for pictures; this study has texts.", "pretrain.pictures 适用于图片，而本研究的数据是文本。"), do=do)  # fmt: skip
    what = (PICTURES if pictures else TEXTS).many
    return SpecError(
        text("The recipe {r} needs {w} without labels.", "方案 {r} 需要无标签{w}。", r=using[0], w=what), do=do
    )


def _read_texts(path: Path, spec: StudySpec, examples: Examples) -> tuple[Examples, LeftOut]:
    given = [" ".join(row).strip() for row in read_new_texts(path, examples.written, encoding=spec.data.encoding)]
    own = _own(examples)
    kept: dict[str, str] = {}
    inside = repeated = 0
    for written in filter(None, given):
        plain = normalised(written)
        inside += plain in own
        repeated += plain in kept
        if plain not in own:
            kept.setdefault(plain, written)
    near, searched = _near(list(kept), sorted(own))
    for plain in near:
        del kept[plain]
    rows = rows_of([(written,) for written in kept.values()])
    n = len(rows)
    found = Examples(
        root=path.parent, path=np.array([f"{path.name}:{i}" for i in range(n)], dtype=str), target=np.zeros(n, np.int64), kind=LABEL,
        classes=(), part=np.full(n, "unlabelled"), order=np.arange(n), content=text_hashes(rows), texts=rows,
    )  # fmt: skip
    return found, LeftOut(len(given), inside, len(near), repeated, searched=searched)


def _own(examples: Examples) -> set[str]:
    if examples.texts is None:
        assert examples.tokens is not None
        return {normalised(" ".join(tokens)) for tokens in examples.tokens}
    return {normalised(part) for row in examples.texts for part in (*row, " ".join(row))}


def _near(plain: list[str], own: list[str]) -> tuple[list[str], bool]:
    """Which normalised texts are nearly one of the study's own, and whether they could be compared."""
    rows = [(written,) for written in (*own, *plain)]
    found = near_texts(rows, [*own, *plain])
    later = {int(j) for i, j in found.pairs if i < len(own) <= j}
    return [plain[j - len(own)] for j in sorted(later)], found.searched


def _problems(name: str, found: Examples, left: LeftOut, using: list[str], *, pictures: bool) -> list[Problem]:
    kind, noun = ("pretrain-pictures", PICTURES) if pictures else ("pretrain-texts", TEXTS)
    said = text(
        "{p}: {k} of {n} {w} without labels are used; {i} are of the study itself and {c} are near copies of one, and were "
        "left out; {r} are repetitions.",
        "{p}：{n} 份无标签{w}中使用 {k} 份；{i} 份就是本研究自己的，{c} 份与其几乎相同，均已排除；{r} 份重复。",
        p=name, k=len(found), n=left.given, i=left.inside, c=left.near, r=left.repeated, w=noun.many,
    )  # fmt: skip
    if left.unreadable:
        said = said + text("{u} cannot be opened.", "{u} 份无法打开。", u=left.unreadable)
    if not left.searched:
        said = said + text("There are too many to look for near copies.", "数量过多，未查找近似重复。")
    worth_a_look = left.inside or left.near or left.unreadable or not left.searched
    numbers: dict[str, float] = {
        "used": len(found),
        "given": left.given,
        "inside": left.inside,
        "near": left.near,
        "repeated": left.repeated,
    }
    problems = [Problem(kind, said, severity="warning" if worth_a_look else "note", why=TOO_GOOD, numbers=numbers)]
    if not using:
        problems.append(Problem(kind, _unused(), severity="warning", do=_add_recipes(pictures=pictures)))
    return problems


def _unused() -> Text:
    return text("pretrain is not used: no recipe of this study does.", "pretrain 未被使用：本研究没有使用它的方案。")


def _add_recipes(*, pictures: bool) -> Text:
    names = "finetune,adapted,scratch" if pictures else "finetune,adapted,joint,scratch"
    return text("Add one: --recipes {n}", "请加入：--recipes {n}", n=names)
