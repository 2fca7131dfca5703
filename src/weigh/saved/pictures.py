"""What a saved model answers, as files: a mask, or a picture with the answer drawn over it, for each picture that it was given.

Before it: `weigh predict STUDY … --masks OUT --overlays OUT`. Names are those of the pictures below the folder that all of them share;
nothing is ever written outside OUT.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from weigh.data.pictures.decoding import use_picture
from weigh.disk import write_file
from weigh.errors import SpecError
from weigh.kinds.base import Kind
from weigh.language import text

__all__ = ["answer_files", "answer_names"]


def answer_files(
    kind: Kind, paths: Sequence[str], masks: Path | None, overlays: Path | None
) -> Callable[[int, Any], None]:
    """What writes the files of example `i` once its decision is known.

    Args:
        paths: Of the pictures.
        masks: Folder of index PNGs.
        overlays: Folder of pictures with the answer drawn over them.

    Raises:
        SpecError: Answers of this kind have no place in a picture.
    """
    if not kind.placed:
        raise SpecError(
            text(
                "--masks and --overlays need answers that have a place in a picture, and this study predicts {k}.",
                "--masks 与 --overlays 需要在图片中有位置的回答，而本研究预测的是{k}。",
                k=kind.title,
            ),
            do=text("Leave them out.", "请去掉这些选项。"),
        )
    names = answer_names(paths)

    def write(i: int, decision: Any) -> None:
        if masks is not None:
            write_file(masks / names[i], kind.file_of(decision), flush=False)
        if overlays is not None:
            content = io.BytesIO()
            use_picture(paths[i], lambda picture: kind.drawn(decision, picture).save(content, "PNG"))
            write_file(overlays / names[i], content.getvalue(), flush=False)

    return write


def answer_names(paths: Sequence[str]) -> list[str]:
    """Names of PNG files, one for each path, all different: where two pictures differ only in their suffix it stays part of the name."""
    whole = [os.path.abspath(path) for path in paths]
    shared = os.path.commonpath([os.path.dirname(path) for path in whole]) if whole else ""
    inside = [os.path.relpath(path, shared) for path in whole]
    stems = Counter(os.path.splitext(name)[0].casefold() for name in inside)
    names, taken = [], Counter[str]()
    for name in inside:
        stem = os.path.splitext(name)[0]
        stem = stem if stems[stem.casefold()] == 1 else name
        taken[stem.casefold()] += 1
        again = taken[stem.casefold()]
        names.append(f"{stem}.png" if again == 1 else f"{stem} ({again}).png")
    return names
