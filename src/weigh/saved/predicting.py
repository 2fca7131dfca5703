"""A saved model and the new examples that it is asked about: rows block by block, the files of answers beside them, and what both depend on.

Before it: `model.py` or `average.py`, and a reader of new examples. After it: `Study.predict`, and `weigh predict`, which writes rows as they come
and goes on where it was killed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch

from weigh.data.contents import hash_file
from weigh.data.examples import NewExamples
from weigh.data.pages import split_page
from weigh.data.readers import READERS
from weigh.growing import GrowingFiles
from weigh.heads.network_task import network_task
from weigh.kinds.base import rows_of
from weigh.language import text
from weigh.notices import Progress, notice
from weigh.saved.average import SavedAverage, load_average
from weigh.saved.folder import CONFIG, saved_folder, tell_passed
from weigh.saved.meaning import blank_examples
from weigh.saved.model import SavedModel, load_saved
from weigh.saved.pictures import AnswerFiles
from weigh.settings import user_path

__all__ = ["Predictor", "open_predictor"]

RESERVED = 16  # tokens for signs around a text and for what a model wants before it; a token has a byte at least
COUNTED = 5_000  # texts that are counted at a time


@dataclass(frozen=True)
class Predictor:
    """What predicts, and what is to be predicted.

    Attributes:
        folder: Of the saved model.
        files: Of the answers; None where rows are all that is asked for.
    """

    folder: Path
    model: SavedModel | SavedAverage
    new: NewExamples
    files: AnswerFiles | None = None

    def __len__(self) -> int:
        return len(self.new.path)

    @property
    def targets(self) -> list[Path]:
        """Files of answers that grow with the rows."""
        return [] if self.files is None else self.files.targets

    def lacks(self, upto: int, failed: int) -> bool:
        """`AnswerFiles.lacks`."""
        return self.files is not None and self.files.lacks(upto, failed)

    def blocks(
        self,
        growing: GrowingFiles | None = None,
        *,
        start: int = 0,
        progress: Progress | None = None,
        language: str = "en",
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows from example `start` on (`Meaning.blocks`); the files of answers are written as far as the last block that was given.

        Memory: one block, and what names the inputs, which are read first (`NewExamples`, `AnswerFiles`).

        Args:
            growing: Holds `targets`, as they were when the block before `start` ended; not needed where there are no files of answers.
            language: Of what is said of inputs that cannot be read.
        """
        if self.files is not None:
            assert growing is not None, "files of answers need a place to grow in"
            self.files.open(growing)
        each = None if self.files is None else self.files.write
        yield from self.model.meaning.blocks(
            self.new, self.model.outputs, start=start, progress=progress, each=each, language=language
        )
        if self.files is not None:
            self.files.close()

    def described(self) -> dict[str, str]:
        """What decides the rows: while it is the same, so are they."""
        from weigh import __version__

        return {
            "model": hash_file(self.folder / CONFIG),  # which holds the hashes of the weights and of all other files
            "inputs": _inputs_digest(self.new),
            "versions": f"weigh {__version__}, torch {torch.__version__}, Pillow {PIL.__version__}",
        }


def open_predictor(
    study: Path, examples: Any, *, masks: str | Path | None = None, boxes: str | Path | Sequence[str | Path] = (),
    overlays: str | Path | None = None, ensemble: bool = False, trust_code: bool = False, encoding: str | None = None,
) -> Predictor:  # fmt: skip
    """The saved model of the study in a folder, with what it is to predict. Arguments as of `Study.predict`.

    Args:
        encoding: What the user says that files of the study are written in.

    Raises:
        RecordError: The study has no refitted model yet.
        ModelError: It cannot be loaded.
        DataError: A table without the columns of the training data.
        SpecError: Files that answers of this kind are not written to, or that would replace the pictures.
    """
    folder = saved_folder(study, ensemble=ensemble)
    model = (load_average if ensemble else load_saved)(folder, trust_code=trust_code)
    if not ensemble:
        tell_passed(study)
    meaning = model.meaning
    new = READERS.get(meaning.medium.name).new(examples, meaning.written, pair=meaning.pair, encoding=encoding)
    _tell_cut(model, new)
    several = [boxes] if isinstance(boxes, (str, Path)) else boxes
    answers = {"masks": [] if masks is None else [user_path(masks)], "boxes": [user_path(one) for one in several]}
    if overlays is None and not any(answers.values()):
        return Predictor(folder, model, new)
    drawn = None if overlays is None else user_path(overlays)
    files = AnswerFiles(meaning.kind, meaning.classes, new.path.tolist(), answers, drawn, new.sources)
    return Predictor(folder, model, new, files)


def _tell_cut(model: SavedModel | SavedAverage, new: NewExamples) -> None:
    """Say how many of the new texts are longer than a model reads: the rest of them has no part in the answer.

    Only texts that may be that long are cut into tokens for it; sentences of which every word is labelled are read whole.
    """
    meaning = model.meaning
    if new.rows is None or not meaning.medium.in_words or meaning.medium.in_windows:
        return
    for one in model.members if isinstance(model, SavedAverage) else (model,):
        apart = meaning.pair and one.frozen  # each text of a pair is read by itself
        given = [(part,) for row in new.rows for part in row] if apart else new.rows.tolist()
        room = one.preparation.size - RESERVED
        long = [row for row in given if sum(len(part.encode("utf-8", "surrogatepass")) for part in row) > room]
        cut = 0
        for start in range(0, len(long), COUNTED):
            rows = rows_of(long[start : start + COUNTED])
            some = blank_examples(meaning.kind, meaning.classes, meaning.medium, np.full(len(rows), ""), rows)
            counted = network_task(meaning.task).feed.facts(some, one.preparation).get("texts")
            cut += counted["cut"] if counted else 0
        if cut:
            notice(
                text(
                    "Of {m} {m:|text|texts}, {n} {n:|is|are} longer than the model reads ({k} tokens); what stands after that was not read.",
                    "{m} 条文本中有 {n} 条超出模型的读取长度（{k} 个词元），其后的内容没有读取。",
                    m=len(given),
                    n=cut,
                    k=one.preparation.size,
                )
            )
            return


def _inputs_digest(new: NewExamples) -> str:
    """Hash of what is to be predicted: of files their names, sizes and times of change; of rows all that is in them."""
    digest = hashlib.blake2b(digest_size=16)
    for part in _stamped(new.path) if new.rows is None else _written(new.rows):
        digest.update(part + b"\x1f")
    return digest.hexdigest()


def _stamped(paths: Iterable[Any]) -> Iterator[bytes]:
    for path in map(str, paths):
        page = split_page(path)
        try:
            status = (Path(path) if page is None else page[0]).stat()
            stamp = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):  # it is not there: told when it is read
            stamp = "-"
        yield f"{path} {stamp}".encode("utf-8", "surrogatepass")


def _written(rows: Iterable[tuple]) -> Iterator[bytes]:
    for row in rows:
        for value in row:
            yield value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode("utf-8", "surrogatepass")
        yield b"\x1e"
