"""An average of several saved models on disk: it predicts as the out-of-fold average was measured (`Kind.averaged`).

Its folder holds one saved model for each member (`member-RUN`, as `model.py` writes it) and a config.json that names them, with their
shares and the digests of their own config.json: a member that was exchanged or damaged is never predicted with. An average that its study has
gone past stays, and says so whenever it is opened.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weigh.data.examples import Examples, NewExamples
from weigh.errors import ModelError, reason_of
from weigh.language import Text, text
from weigh.notices import Progress, notice
from weigh.saved.folder import CONFIG, FORMAT, check_format, read_config, rewrite_config, write_config
from weigh.saved.meaning import Each, Meaning
from weigh.saved.model import SavedModel, load_saved

__all__ = [
    "AverageFile",
    "Member",
    "SavedAverage",
    "keep_outdated",
    "load_average",
    "member_folder",
    "read_average",
    "save_average",
]

OUTDATED = "outdated"  # a key of the file that describes the average


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


class AverageFile(NamedTuple):
    """What the file of an average holds.

    Attributes:
        temperature: Of the average; 1 where there are no probabilities.
        outdated: Whether its study has results since that give another average, or none.
    """

    members: list[Member]
    temperature: float
    outdated: bool = False


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
        passes, reported = 0, 0

        def member_done(n: int) -> None:
            nonlocal passes, reported
            passes += n
            done(passes // len(self.members) - reported)
            reported = passes // len(self.members)

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


def keep_outdated(folder: Path, *, outdated: bool) -> None:
    """Keep with the average that its study has other results since, or has them no more; it is told whenever it is opened (`load_average`).

    Raises:
        OSError, ValueError, KeyError, TypeError: It is not as it was written. StorageError: The disk does not take it.
    """
    config = read_config(folder)
    rewrite_config(folder, config, facts={**config["weigh"].get("facts", {}), OUTDATED: outdated})


def read_average(folder: Path) -> AverageFile:
    """What is averaged, if the average and all its members are as they were written.

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
    return AverageFile(members, float(own["temperature"]), bool(own.get("facts", {}).get(OUTDATED)))


def load_average(folder: Path, *, trust_code: bool = False) -> SavedAverage:
    """The saved average in `folder`; that its study has other results since is told.

    Args:
        trust_code: See `load_saved`.

    Raises:
        ModelError: Not there, another format, or members that are damaged, missing or of another kind.
    """
    try:
        members, temperature, outdated = read_average(folder)
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
    if outdated:
        notice(_outdated(folder), always=True)
    return SavedAverage(replace(first, temperature=temperature, bias=np.asarray(bias), margins=None), models, shares)


def _outdated(folder: Path) -> Text:
    return text(
        "The average in {f} was made before the last runs of its study, and none has been saved since: it has other members, shares or "
        "probabilities than the average that the report speaks of. To save that one: weigh run {s} --set output.ensemble=always.",
        "{f} 中的平均模型是在其研究的最近这些运行之前生成的，此后没有再保存：它的成员、份额或概率与报告所说的平均模型不同。若要保存后者：weigh run {s} --set output.ensemble=always。",
        f=folder,
        s=shlex.quote(str(folder.parent)),
    )


def _unreadable(folder: Path, reason: str) -> ModelError:
    return ModelError(
        text("The average in {f} cannot be loaded: {e}", "无法加载 {f} 中的平均模型：{e}", f=folder, e=reason),
        text("With another member it would not be what was measured.", "换了成员，它就不再是评估过的那个平均模型。"),
        text(
            "Save it again: weigh run {s} --set output.ensemble=always. Only what is missing is refitted.",
            "请重新保存：weigh run {s} --set output.ensemble=always。只会重新拟合缺失的部分。",
            s=shlex.quote(str(folder.parent)),
        ),
    )
