"""The rows of `weigh predict`, written as they are computed; a table that a kill cut short is gone on with by the same command.

Before it: `Study.predictor`. After it: a file (`growing.py`), or standard output, where nothing can be gone on with.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from weigh.cli.output import print_data
from weigh.cli.rows import RowWriter
from weigh.data.rows.listing import PICTURE_SUFFIXES
from weigh.errors import Interrupted, SpecError
from weigh.execute.interruption import interruptible
from weigh.growing import GrowingFiles, check_place, part_of, unfinished_names
from weigh.language import Text, join_texts, text
from weigh.report.visible import visible_line
from weigh.saved.pictures import refuse_collisions

if TYPE_CHECKING:
    from weigh.saved.predicting import Predictor
    from weigh.screen import Screen

__all__ = ["StandardOutput", "check_no_picture", "check_places", "summary", "write_predictions"]

# what `Predictor.described`, this file and `GrowingFiles.changed` call it
CHANGED = {
    "model": text("another model", "模型不同"),
    "inputs": text("other inputs", "输入不同"),
    "options": text("other options", "选项不同"),
    "versions": text("other versions of weigh, torch or Pillow", "weigh、torch 或 Pillow 的版本不同"),
    "files": text("files that were changed since or are damaged", "文件此后被修改或已损坏"),
    "answers": text("files of answers that are gone", "部分结果文件已不存在"),
}


class RowsWritten(NamedTuple):
    """How many rows there are, and how many of them without an answer."""

    rows: int = 0
    failed: int = 0


class StandardOutput:
    """Where rows go that go into no file. A terminal gets them at the end: before, bars are drawn there.

    Opened before the screen, which takes standard output's place where it draws.
    """

    def __init__(self) -> None:
        self.stream: TextIO = sys.stdout
        self.waiting: Any = None
        if self.stream.isatty():
            self.waiting = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115

    def write(self, written: str) -> None:
        """Rows into a file or a pipe at once."""
        if self.waiting is None:
            print_data(written, self.stream)
        else:
            self.waiting.write(written)

    def leave(self) -> None:
        """Nobody reads any more (`| head`): what follows is dropped."""
        with suppress(OSError, ValueError):  # no file stands behind it
            number = self.stream.fileno()
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)

    def close(self) -> None:
        """What waited for the end, on the terminal."""
        if self.waiting is not None:
            self.waiting.seek(0)
            while chunk := self.waiting.read(1 << 20):
                print_data(chunk, self.stream)
            self.waiting.close()


def write_predictions(
    predictor: Predictor, write_to: Path | StandardOutput, format: str, options: dict[str, Any], screen: Screen
) -> RowsWritten:
    """Predict everything and write the rows, block by block.

    Memory: that of a block of rows (`Predictor.blocks`); rows without an answer wait as long as no input could be read.

    Args:
        write_to: A file goes on where the same command was stopped.
        options: Values of JSON that the files depend on besides.

    Raises:
        Interrupted: Somebody asked for the end; says what is kept.
        StorageError: The disk does not take it; what was written before is kept.
    """
    output = write_to if isinstance(write_to, Path) else None
    targets = [*([] if output is None else [output]), *predictor.targets]
    described = (
        {} if output is None else {**predictor.described(), "options": json.dumps([format, options], sort_keys=True)}
    )

    def lacks(notes: Mapping[str, Any]) -> bool:
        return predictor.lacks(notes.get("rows", 0), notes.get("failed", 0))

    growing = GrowingFiles(targets, described, resumes=output is not None, lacks=lacks)
    counted = RowsWritten()

    def write(written: str) -> None:
        if isinstance(write_to, Path):
            growing.append(write_to, written.encode("utf-8", "backslashreplace"))
            return
        try:
            write_to.write(written)
        except BrokenPipeError:
            if predictor.files is None:
                raise
            write_to.leave()  # the files of answers are wanted nevertheless

    try:
        with interruptible() as interruption, growing:
            _tell_beginning(growing, len(predictor), screen)
            start, failed = growing.kept.get("rows", 0), growing.kept.get("failed", 0)
            counted, rows = RowsWritten(start, failed), RowWriter(format, growing.kept.get("columns", ()))
            language = screen.language
            for block in predictor.blocks(growing, start=start, progress=screen.progress, language=language):
                # before rows are written: a library may have turned the interrupt into an error of an example
                interruption.check()
                _tell_failed(block, screen)
                write(rows.text(block))
                failed += sum(bool(row.get("error")) for row in block)
                counted = RowsWritten(counted.rows + len(block), failed)
                if not rows.waiting:
                    growing.mark(rows=counted.rows, failed=failed, columns=rows.columns)
            if rows.waiting:
                write(rows.rest())
            growing.finish()
    except KeyboardInterrupt:
        raise _interrupted(growing, counted, len(predictor)) from None
    return counted


def _tell_beginning(growing: GrowingFiles, n: int, screen: Screen) -> None:
    """What is done with what an earlier process left."""
    if growing.changed:
        why = join_texts([CHANGED.get(name, Text(name, name)) for name in growing.changed], ", ", "、")
        line = text(
            "{p} cannot be gone on with ({w}): all is predicted anew.",
            "无法接续 {p}（{w}）：全部重新预测。",
            p=part_of(growing.targets[0]),
            w=why,
        )
        screen.tell(line.render(screen.language))  # also with --quiet: what was computed is given up
    if growing.kept:
        screen.say(
            text(
                "{p} holds the rows of {k} of {n} {n:|input|inputs}: it is gone on with.",
                "{p} 中已有 {n} 个输入中 {k} 个的结果：从该处继续。",
                p=part_of(growing.targets[0]),
                k=growing.kept["rows"],
                n=n,
            )
        )


def _tell_failed(block: Sequence[dict[str, Any]], screen: Screen) -> None:
    for row in block:
        if error := row.get("error"):
            named = visible_line(row.get("path", row.get("row")))
            screen.tell(error if "path" in row and named in error else f"{named}: {error}")


def _interrupted(growing: GrowingFiles, counted: RowsWritten, n: int) -> Interrupted:
    if not growing.resumes:
        return Interrupted(
            text(
                "Interrupted after {k} of {n} {n:|input|inputs}.",
                "已中断：{n} 个输入中完成了 {k} 个。",
                k=counted.rows,
                n=n,
            ),
            text("Rows on standard output cannot be gone on with.", "写往标准输出的结果无法接续。"),
            text(
                "With a file the same command goes on where it was stopped: --output answers.csv",
                "写入文件时，同一命令可从中断处继续：--output answers.csv",
            ),
        )
    kept = growing.marked.get("rows", 0)
    if not kept:
        return Interrupted(
            text(
                "Interrupted before any rows were complete: nothing is kept.",
                "在第一批结果完成之前已中断：没有保存任何内容。",
            ),
            do=text("Run the same command again.", "请再次运行同一命令。"),
        )
    return Interrupted(
        text(
            "Interrupted. The rows of {k} of {n} {n:|input|inputs} are kept in {p}.",
            "已中断。{n} 个输入中 {k} 个的结果保存在 {p} 中。",
            k=kept,
            n=n,
            p=part_of(growing.targets[0]),
        ),
        do=text("The same command goes on from there.", "再次运行同一命令即可从该处继续。"),
    )


def check_places(
    output: Path | None,
    files: Sequence[str],
    *,
    masks: Path | None = None,
    boxes: Sequence[Path] = (),
    overlays: Path | None = None,
) -> None:
    """Raise an error if rows would have no place, or take that of something else: before a model is loaded.

    Args:
        files: To be predicted.
        masks, boxes, overlays: Of the options of these names.

    Raises:
        SpecError: --output would replace what is to be predicted, or two options name one file; or an input has no name.
        StorageError: No file can be written there.
    """
    if "" in files:
        raise SpecError(
            text("One of the files has an empty name.", "有一个文件的名称为空。"),
            text("A variable of the shell may be unset.", "可能是某个 shell 变量没有设置。"),
        )
    as_folders = [one for one in boxes if one.is_dir() or not one.suffix]  # by the rule of `AnswerFiles`
    growing = [] if output is None else [("output", output)]
    growing += [("boxes", one) for one in boxes if one not in as_folders]
    folders = [("boxes", one, ".txt") for one in as_folders]
    folders += [(option, one, ".png") for option, one in (("masks", masks), ("overlays", overlays)) if one is not None]
    refuse_collisions(growing, folders)
    for option, path in growing:
        _refuse_unfinished(option, path, [*growing, *((name, folder) for name, folder, _ in folders)])
    if output is None:
        return
    check_place(output)
    for place in (output, *unfinished_names(output)):
        if place.exists() and any(_same_file(place, file) for file in files):
            other = output.with_name(f"{output.stem}-answers{output.suffix}")
            raise SpecError(
                text(
                    "{p} is to be predicted, and --output would replace it.",
                    "{p} 是要预测的文件，--output 会将其覆盖。",
                    p=place,
                ),
                do=text("Name another file: --output {o}", "请指定另一个文件：--output {o}", o=shlex.quote(str(other))),
            )


def _refuse_unfinished(option: str, path: Path, outputs: Sequence[tuple[str, Path]]) -> None:
    """Raise an error if an output has a name that is needed until the file `path` of `option` is whole."""
    needed = {os.path.realpath(one) for one in unfinished_names(path)}
    other = next((one for one in outputs if os.path.realpath(one[1]) in needed), None)
    if other is not None:
        raise SpecError(
            text(
                "--{a} {p}: a file of this name is needed until --{b} {f} is whole.",
                "--{a} {p}：在 --{b} {f} 写完之前需要使用该文件名。",
                a=other[0], p=other[1], b=option, f=path,
            ),
            do=text("Give one of them another name.", "请为其中之一改用别的名称。"),
        )  # fmt: skip


def check_no_picture(output: Path | None, sources: Sequence[Path]) -> None:
    """Raise an error if --output would be one of the pictures in a folder that is to be predicted.

    Args:
        sources: Folders that the inputs were listed from.

    Raises:
        SpecError: It would.
    """
    if output is None or output.suffix.casefold() not in PICTURE_SUFFIXES:
        return
    place = Path(os.path.realpath(output))
    inside = next((one for one in sources if place.is_relative_to(os.path.realpath(one))), None)
    if inside is not None:
        raise SpecError(
            text("{p}, named with --output, is called like a picture and lies in a folder of pictures ({f}).", "--output 指定的文件 {p} 使用了图片的后缀，且位于图片文件夹 {f} 中。", p=output, f=inside),
            text("It would replace a picture, or be read as one the next time.", "它会覆盖图片，或在下次被当作图片读取。"),
            text("Give the file another ending: --output {o}", "请改用其他后缀：--output {o}", o=shlex.quote(str(output.with_suffix(".csv")))),
        )  # fmt: skip


def _same_file(one: Path, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def summary(counted: RowsWritten, output: Path | None) -> Text | None:
    """What was written, for people; None where all rows stand on standard output and have an answer."""
    values = {"p": output, "n": counted.rows - counted.failed, "f": counted.failed, "m": counted.rows}
    empty = text(
        "{f} of {m} {m:|input|inputs} {f:|has no answer: its row is|have no answer: their rows are} empty.",
        "{m} 个输入中有 {f} 个没有预测结果，对应的行为空。",
        **values,
    )
    if output is None:
        return empty if counted.failed else None
    made = text("{p}: {n} {n:|prediction|predictions}", "{p}：{n} 条预测", **values)
    return text("{a}; {b}", "{a}；{b}", a=made, b=empty) if counted.failed else made
