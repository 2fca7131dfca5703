"""What a saved model answers, as files: masks, or boxes in the form that was asked for, and each picture with its answer drawn over it.

Before it: `weigh predict STUDY … --masks OUT --boxes OUT --overlays OUT`. Names are those of the pictures below the folder that all of them share;
nothing is ever written outside OUT. What is written is said by the kind (`Kind.forms`).
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weigh.data.pictures.decoding import use_picture
from weigh.disk import make_folder, write_file
from weigh.errors import SpecError
from weigh.growing import GrowingFiles
from weigh.kinds.base import Kind
from weigh.kinds.shown import Form
from weigh.language import text

__all__ = ["AnswerFiles", "answer_names", "names_below", "refuse_among_pictures", "refuse_collisions"]


class AnswerFiles:
    """Writes what is known of example `i` once it is decided: a file of its own, or its rows in a file that grows.

    Memory: the names of all pictures, no answers.

    Args:
        paths: Of the pictures.
        answers: Option without its dashes -> where its files go: a folder, or a file whose ending says how it is written.
        overlays: Folder of pictures with the answer drawn over them.
        sources: Folders that the pictures were listed from.

    Attributes:
        targets: The files that grow.

    Raises:
        SpecError: Answers of this kind have no place in a picture, or are not written so; or they would replace the pictures, or each other.
    """

    def __init__(
        self, kind: Kind, classes: Sequence[str], paths: Sequence[str], answers: Mapping[str, Sequence[Path]],
        overlays: Path | None, sources: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        wanted = [option for option, targets in answers.items() if targets]
        if not kind.placed or any(option != kind.written for option in wanted):
            raise _refused(kind, [*wanted, *([] if overlays is None else ["overlays"])])
        self.kind, self.classes, self.paths = kind, classes, paths
        self.names = names_below(paths)
        self.forms = [(target, _form(kind, target)) for target in answers.get(kind.written, ())]
        self.targets = [target for target, form in self.forms if form.whole is not None]
        self.overlays = overlays
        folders = [(kind.written, target, form.suffix) for target, form in self.forms if form.each is not None]
        folders += [] if overlays is None else [("overlays", overlays, ".png")]
        refuse_collisions([(kind.written, target) for target in self.targets], folders)
        self.names_of = {suffix: answer_names(self.names, suffix) for _, _, suffix in folders}
        for option, folder, suffix in folders:
            refuse_among_pictures(option, folder, self.names_of[suffix], paths, self.names, sources)

    def open(self, growing: GrowingFiles) -> None:
        """Begin, or go on.

        Raises:
            StorageError: A folder cannot be made or written.
        """
        self.growing = growing
        for target, form in self.forms:
            if form.each is not None:
                make_folder(target)
            for name, content in form.beside.items():
                write_file(target / name, content(self.classes))
        if self.overlays is not None:
            make_folder(self.overlays)
        self.rows = [
            (target, form.whole, form.whole.rows(self.names, self.classes)) for target, form in self.forms if form.whole
        ]
        for target, layout, _ in self.rows:
            if not growing.size(target):
                growing.append(target, layout.head)

    def write(self, i: int, decision: Any) -> None:
        """The files of example `i`, and its rows in those that hold all."""
        for target, form in self.forms:
            if form.each is not None:
                write_file(target / self.names_of[form.suffix][i], form.each(decision), flush=False)
        for target, layout, rows_of in self.rows:
            if rows := rows_of(i, decision):
                before = layout.between if self.growing.size(target) > len(layout.head) else b""
                self.growing.append(target, before + layout.between.join(rows))
        if self.overlays is not None:
            png = io.BytesIO()
            draw = self.kind.drawn
            use_picture(self.paths[i], lambda picture: draw(decision, picture, self.classes).save(png, "PNG"))
            write_file(self.overlays / self.names_of[".png"][i], png.getvalue(), flush=False)

    def lacks(self, upto: int, failed: int) -> bool:
        """Whether files that were written of the first `upto` examples are gone.

        Args:
            failed: How many of these could not be read; they have no files.
        """
        places = [(target, form.suffix) for target, form in self.forms if form.each is not None]
        places += [] if self.overlays is None else [(self.overlays, ".png")]
        gone = [
            sum(not os.path.isfile(folder / name) for name in self.names_of[suffix][:upto]) for folder, suffix in places
        ]
        return max(gone, default=0) > failed

    def close(self) -> None:
        """What stands behind the last row."""
        for target, layout, _ in self.rows:
            self.growing.append(target, layout.tail)


def refuse_collisions(files: Sequence[tuple[str, Path]], folders: Sequence[tuple[str, Path, str]]) -> None:
    """Raise an error if two outputs would stand in one place.

    Args:
        files: Option without its dashes, and the file that it names.
        folders: Option, folder, and how the names of the files in it end.

    Raises:
        SpecError: They would.
    """
    outputs = [(option, path, "") for option, path in files] + list(folders)
    places = [Path(os.path.realpath(path)) for _, path, _ in outputs]
    for j, (b, path, suffix) in enumerate(outputs):
        for i, (a, other, other_suffix) in enumerate(outputs[:j]):
            if places[i] == places[j] and (suffix == other_suffix or "" in (suffix, other_suffix)):
                raise SpecError(
                    text("--{a} and --{b} both name {p}.", "--{a} 与 --{b} 指定了同一位置 {p}。", a=a, b=b, p=path),
                    text("One would replace what the other writes.", "其中一个会覆盖另一个写入的内容。"),
                    text("Name two places.", "请分别指定不同的位置。"),
                )
            if not other_suffix and places[i] in places[j].parents:
                raise _inside_a_file(a, other, b, path)
            if not suffix and places[j] in places[i].parents:
                raise _inside_a_file(b, path, a, other)


def _inside_a_file(file_option: str, file: Path, option: str, path: Path) -> SpecError:
    return SpecError(
        text(
            "--{a} {f} is to be a file, and --{b} {p} lies in a folder of that name.",
            "--{a} {f} 是要写入的文件，而 --{b} {p} 位于同名的文件夹中。",
            a=file_option, f=file, b=option, p=path,
        ),
        do=text("Name two places.", "请分别指定不同的位置。"),
    )  # fmt: skip


def refuse_among_pictures(
    option: str, folder: Path, made: Sequence[str], paths: Sequence[str], names: Sequence[str], sources: Sequence[Path]
) -> None:
    """Raise an error if what is written would replace a picture or labels beside it, or be taken for a picture the next time.

    Args:
        made: Names of what is written to `folder`.
        names: Of the pictures, below the folder that all of them share.
        sources: Folders that the pictures were listed from.

    Raises:
        SpecError: It would.
    """
    place, pictures = Path(os.path.realpath(folder)), any(name.endswith(".png") for name in made)
    inside = next((one for one in sources if place.is_relative_to(os.path.realpath(one))), None)
    if inside is None and not pictures:
        beside = {os.path.realpath(one) for one in {os.path.dirname(place / name) for name in made}}
        folders = dict.fromkeys(os.path.dirname(path) or "." for path in paths)
        inside = next((one for one in folders if os.path.realpath(one) in beside), None)
    if inside is not None:
        why = text(
            "What is written there would replace pictures, or be read as pictures the next time.",
            "写入的文件会覆盖图片，或在下次被当作图片读取。",
        )
        labels = text("Labels that lie beside the pictures would be replaced.", "图片旁已有的标注文件会被覆盖。")
        raise SpecError(
            text(
                "--{o} {f}: what is written would lie in {s}, the folder of the pictures.",
                "--{o} {f}：写入的文件会位于图片文件夹 {s} 中。",
                o=option,
                f=folder,
                s=inside,
            ),
            why if pictures else labels,
            text("Name a folder outside of it.", "请指定该文件夹以外的文件夹。"),
        )
    if not pictures:
        return
    try:
        below, originals = os.path.relpath(place, os.path.realpath(_shared(paths))), set(names)
    except ValueError:  # on another drive of Windows
        return
    lost = next(
        (name for name in made if Path(os.path.normpath(os.path.join(below, name))).as_posix() in originals), None
    )
    if lost is not None:
        raise SpecError(
            text(
                "--{o} {f}: {n} there is one of the pictures.",
                "--{o} {f}：其中的 {n} 就是要预测的图片之一。",
                o=option,
                f=folder,
                n=lost,
            ),
            text("It would be replaced by the answer.", "它会被预测结果覆盖。"),
            text("Name another folder.", "请指定另一个文件夹。"),
        )


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
    shared = _shared(paths)
    return [Path(os.path.relpath(path, shared)).as_posix() for path in paths]


def _shared(paths: Sequence[str]) -> str:
    """The deepest folder that all paths lie in.

    Raises:
        SpecError: There is none: they lie on several drives of Windows.
    """
    try:
        return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]) if paths else ""
    except ValueError:
        raise SpecError(
            text("The pictures lie on several drives.", "图片位于多个驱动器上。"),
            text("Answers are named after the folder that all pictures share.", "结果文件按所有图片共同的文件夹命名。"),
            text(
                "Predict the pictures of each drive with a command of their own.",
                "请对每个驱动器上的图片分别运行命令。",
            ),
        ) from None


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
