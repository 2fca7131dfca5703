"""An average of several saved models on disk: it predicts as the out-of-fold average was measured (`Kind.averaged`).

Its folder holds one saved model for each member (`member-RUN`, as `model.py` writes it) and a config.json that names them, with their
shares and the digests of their own config.json: a member that was exchanged or damaged is never predicted with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weigh.data.examples import Examples, NewExamples
from weigh.errors import ModelError, reason_of
from weigh.language import text
from weigh.saved.folder import CONFIG, FORMAT, check_format, read_config, write_config
from weigh.saved.meaning import Each, Meaning, Progress
from weigh.saved.model import SavedModel, load_saved

__all__ = ["Member", "SavedAverage", "load_average", "member_folder", "read_members", "save_average"]


class Member(NamedTuple):
    """One of the models that are averaged.

    Attributes:
        candidate: Its id in the study.
        share: Of its answers in the average; all shares sum to 1.
        run: Key of the refit that it was saved from.
    """

    candidate: str
    share: float
    run: str


@dataclass(frozen=True)
class SavedAverage:
    """Several models ready to predict together.

    Attributes:
        meaning: What their averaged outputs mean: its temperature is that of the average, its bias that of the members, averaged.
        members: Models with the same task and classes.
        shares: Of each; they sum to 1.
    """

    meaning: Meaning
    members: tuple[SavedModel, ...]
    shares: tuple[float, ...]

    def outputs(
        self,
        examples: Examples,
        *,
        failed: dict[int, Exception] | None = None,
        done: Callable[[int], None] = lambda _: None,
    ) -> np.ndarray:
        """`(n, k)` float64 of examples; members answer one after the other. See `SavedModel.outputs`."""
        passes, told = 0, 0

        def member_done(n: int) -> None:
            nonlocal passes, told
            passes += n
            done(passes // len(self.members) - told)
            told = passes // len(self.members)

        answers = [member.outputs(examples, failed=failed, done=member_done) for member in self.members]
        return self.meaning.kind.averaged(answers, np.asarray(self.shares))

    def predict_new(
        self, new: NewExamples, *, progress: Progress | None = None, each: Each | None = None
    ) -> list[dict[str, Any]]:
        """One dictionary per example, in order (`Meaning.predict_new`)."""
        return self.meaning.predict_new(new, self.outputs, progress=progress, each=each)


def member_folder(folder: Path, run: str) -> Path:
    """Where the member that was saved from this run lies: names of candidates are users' text and name no folder.

    Raises:
        ValueError: No key of a run.
    """
    if not re.fullmatch("[0-9a-f]{8,64}", run):
        raise ValueError("a member is named by what is no run")
    return folder / f"member-{run[:12]}"


def save_average(folder: Path, members: Sequence[Member], *, temperature: float, facts: Mapping[str, Any]) -> None:
    """Write the file that makes an average of the members that lie in `folder` already.

    Raises:
        StorageError: The disk does not take it.
    """
    from weigh import __version__

    own = {
        "format": FORMAT,
        "version": __version__,
        "members": [member._asdict() for member in members],
        "temperature": temperature,
        "facts": dict(facts),
    }
    configs = [member_folder(folder, member.run) / CONFIG for member in members]
    write_config(folder, {"weigh": own}, [path.relative_to(folder).as_posix() for path in configs])


def read_members(folder: Path) -> list[Member]:
    """Who is averaged, if the average and all its members are as they were written.

    Raises:
        OSError, ValueError, KeyError, TypeError: They are not, or one is missing.
        ModelError: It was written by another version.
    """
    own = read_config(folder)["weigh"]
    check_format(own, folder)
    members = [Member(str(one["candidate"]), float(one["share"]), str(one["run"])) for one in own["members"]]
    shares = [member.share for member in members]
    if not (members and min(shares) > 0 and math.isclose(sum(shares), 1.0, abs_tol=1e-6)):
        raise ValueError("the shares of its members do not sum to 1")
    for member in members:
        read_config(member_folder(folder, member.run))
    return members


def load_average(folder: Path, *, trust_code: bool = False) -> SavedAverage:
    """The saved average in `folder`.

    Args:
        trust_code: See `load_saved`.

    Raises:
        ModelError: Not there, another format, or members that are damaged, missing or of another kind.
    """
    try:
        members = read_members(folder)
        temperature = float(read_config(folder)["weigh"]["temperature"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, reason_of(error)) from None
    models = tuple(load_saved(member_folder(folder, member.run), trust_code=trust_code) for member in members)
    first = models[0].meaning
    for member, model in zip(members, models, strict=True):
        other = model.meaning
        if (other.task, other.kind, other.classes, other.pair) != (first.task, first.kind, first.classes, first.pair):
            raise _unreadable(folder, f"{member.candidate} answers another question than {members[0].candidate}")
    if first.kind.unaveraged is not None:
        raise _unreadable(folder, first.kind.unaveraged.en)
    shares = tuple(member.share for member in members)
    bias = sum(share * model.meaning.bias for share, model in zip(shares, models, strict=True))
    return SavedAverage(replace(first, temperature=temperature, bias=np.asarray(bias), margins=None), models, shares)


def _unreadable(folder: Path, reason: str) -> ModelError:
    return ModelError(
        text("The average in {f} cannot be loaded: {e}", "无法加载 {f} 中的平均模型：{e}", f=folder, e=reason),
        text("With another member it would not be what was measured.", "换了成员，它就不再是评估过的那个平均模型。"),
        text(
            "Save it again: weigh run {s} --set output.ensemble=always. Only what is missing is refitted.",
            "请重新保存：weigh run {s} --set output.ensemble=always。只会重新拟合缺失的部分。",
            s=folder.parent,
        ),
    )
