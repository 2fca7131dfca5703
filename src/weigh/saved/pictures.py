"""What a saved model answers, as files: masks, or boxes in the form that was asked for, and each picture with its answer drawn over it.

Before it: `weigh predict STUDY … --masks OUT --boxes OUT --overlays OUT`. Names are those of the pictures below the folder that all of them share;
nothing is ever written outside OUT. What is written is said by the kind (`Kind.forms`).
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from weigh.data.pictures.decoding import use_picture
from weigh.disk import write_file
from weigh.errors import SpecError
from weigh.kinds.base import Form, Kind
from weigh.language import text

__all__ = ["AnswerFiles", "answer_names", "names_below"]


class AnswerFiles:
    """Writes what is known of example `i` once it is decided, and what stands in one file at the end.

    Args:
        paths: Of the pictures.
        answers: Option without its dashes -> where its files go: a folder, or a file whose ending says how it is written.
        overlays: Folder of pictures with the answer drawn over them.

    Raises:
        SpecError: Answers of this kind have no place in a picture, or are not written so.
    """

    def __init__(
        self, kind: Kind, classes: Sequence[str], paths: Sequence[str], answers: Mapping[str, Sequence[Path]],
        overlays: Path | None,
    ) -> None:  # fmt: skip
        wanted = [option for option, targets in answers.items() if targets]
        if not kind.placed or any(option != kind.written for option in wanted):
            raise _refused(kind, [*wanted, *([] if overlays is None else ["overlays"])])
        self.kind, self.classes, self.paths = kind, classes, paths
        names = names_below(paths)
        forms = [(target, _form(kind, target)) for target in answers.get(kind.written, ())]
        self.whole = [(target, partial(form.whole, names)) for target, form in forms if form.whole is not None]
        self.each = [
            (form.each, [target / name for name in answer_names(names, form.suffix)])
            for target, form in forms
            if form.each is not None
        ]
        self.drawings = [] if overlays is None else [overlays / name for name in answer_names(names)]
        self.decided: list[Any] = [None] * (len(paths) if self.whole else 0)
        for target, form in forms:
            for name, content in form.beside.items():
                write_file(target / name, content(classes))

    def write(self, i: int, decision: Any) -> None:
        """The files of example `i`; what stands in one file waits."""
        for content, files in self.each:
            write_file(files[i], content(decision), flush=False)
        if self.whole:
            self.decided[i] = decision
        if self.drawings:
            png = io.BytesIO()
            draw = self.kind.drawn
            use_picture(self.paths[i], lambda picture: draw(decision, picture, self.classes).save(png, "PNG"))
            write_file(self.drawings[i], png.getvalue(), flush=False)

    def close(self) -> None:
        """The files in which all answers stand."""
        for target, content in self.whole:
            write_file(target, content(self.decided, self.classes))


def _form(kind: Kind, target: Path) -> Form:
    """How decisions are written to `target`.

    Raises:
        SpecError: Nobody knows what its ending means.
    """
    suffix = "" if target.is_dir() else target.suffix.casefold()
    if suffix in kind.forms:
        return kind.forms[suffix]
    if set(kind.forms) == {""}:
        return kind.forms[""]  # a folder may be called anything
    files = [f"answers{suffix}" for suffix in kind.forms if suffix]
    raise SpecError(
        text("--{o} {p}: nothing is written as {s}.", "--{o} {p}：不支持写成 {s}。", o=kind.written, p=target, s=suffix),
        do=text(
            "Name a file ({f}), or a folder without an ending.", "请给出文件名（{f}），或不带后缀的文件夹名。", f=", ".join(files)
        ),
    )  # fmt: skip


def _refused(kind: Kind, wanted: Sequence[str]) -> SpecError:
    """Options that belong to another kind."""
    options = [option for option in wanted if not kind.placed or option not in (kind.written, "overlays")]
    what = " ".join(f"--{option}" for option in options)
    if kind.placed:
        return SpecError(
            text(
                "{o} cannot be written: this study predicts {k}.", "无法写出 {o}：本研究预测的是{k}。", o=what, k=kind.title
            ),
            do=text("Write --{w} OUT.", "请改用 --{w} OUT。", w=kind.written),
        )  # fmt: skip
    return SpecError(
        text(
            "{o} needs answers that have a place in a picture, and this study predicts {k}.",
            "{o} 需要在图片中有位置的回答，而本研究预测的是{k}。",
            o=what,
            k=kind.title,
        ),
        do=text("Leave it out.", "请去掉该选项。"),
    )


def names_below(paths: Sequence[str]) -> list[str]:
    """What each path is called below the folder that all of them share."""
    whole = [os.path.abspath(path) for path in paths]
    shared = os.path.commonpath([os.path.dirname(path) for path in whole]) if whole else ""
    return [Path(os.path.relpath(path, shared)).as_posix() for path in whole]


def answer_names(names: Sequence[str], suffix: str = ".png") -> list[str]:
    """Names of files, one for each name, all different: where two differ only in their suffix it stays part of the name."""
    stems = Counter(os.path.splitext(name)[0].casefold() for name in names)
    made, taken = [], Counter[str]()
    for name in names:
        stem = os.path.splitext(name)[0]
        stem = stem if stems[stem.casefold()] == 1 else name
        taken[stem.casefold()] += 1
        again = taken[stem.casefold()]
        made.append(f"{stem}{suffix}" if again == 1 else f"{stem} ({again}){suffix}")
    return made
