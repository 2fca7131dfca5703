"""Refits that are kept, with everything that a prediction needs: the winner in `model/`, the members of an average in `ensemble/`.

Before it: the refits that `driver.py` runs. After it: `weigh predict`, `weigh export`.
"""

from __future__ import annotations

import hashlib
import math
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from weigh.errors import WeighError, reason_of
from weigh.findings.performance.saved import told_of
from weigh.language import text
from weigh.notices import notice
from weigh.record.ensembles import read_ensemble
from weigh.record.ledger import Ledger
from weigh.record.results import OutOfFold, Results
from weigh.record.saved_checks import FACT, SavedCheck, with_check
from weigh.run import RECIPES, Outcome, Run
from weigh.saved.folder import ENSEMBLE, FORMAT, MODEL, copy_model, read_config, rewrite_config

if TYPE_CHECKING:
    from weigh.saved.average import AverageFile, Member

__all__ = ["Keeper", "model_there", "save_refit"]

NOT_COMPARABLE = "its answers have another shape, or are not finite"


@dataclass
class Keeper:
    """Saves the refits that are to be kept, and knows which of them lie on the disk already.

    Attributes:
        results: Of the cross-validation.
        winner: The refit of the winner; None where it is not saved.
        members: The refits that are averaged -> their shares; none where no average is saved.
        causes: Run key -> why its refit failed.
        refits: Candidate -> key of its refit as it would be made now, of those that are known.
        check: Raises if somebody asked for the end: no error is believed then.
    """

    ledger: Ledger
    results: Results
    winner: Run | None
    members: dict[str, tuple[Run, float]]
    causes: dict[str, str] = field(default_factory=dict)
    refits: dict[str, str] = field(default_factory=dict)
    check: Callable[[], None] = lambda: None

    @classmethod
    def of(
        cls,
        ledger: Ledger,
        results: Results,
        refits: Iterable[Run],
        shares: Mapping[str, float],
        check: Callable[[], None],
    ) -> Keeper:
        """Args:
        shares: Candidate -> its share in the average that is to be saved.
        check: See `Keeper`.
        """
        made = [run for run in refits if run.purpose == "refit"]
        kept = {run.candidate: run for run in made if run.keep_weights}
        winner = kept.get(str(results.winner)) if results.spec.output.refit else None
        members = {name: (kept[name], share) for name, share in shares.items()}
        return cls(ledger, results, winner, members, refits={run.candidate: run.key for run in made}, check=check)

    def lacks(self, run: Run) -> bool:
        """Whether the run must be trained (again) for its weights."""
        if self._is_winner(run):
            return self.ledger.fact("saved_model") != run.key or not model_there(self.ledger.folder)
        return run.candidate in self.members and not self._member_there(run)

    def keep(self, run: Run, outcome: Outcome, *, trust_code: bool = False) -> None:
        """Save what a refit left, where it is to be kept."""
        if outcome.weights is None:
            self.causes[run.key] = outcome.cause
            if self._is_winner(run) and outcome.status == "failed":
                notice(
                    text(
                        "The model is not saved: {c} could not be refitted ({e}).",
                        "模型未保存：{c} 未能重新拟合（{e}）。",
                        c=run.candidate,
                        e=outcome.cause,
                    ),
                    always=True,
                )
            return
        if self._is_winner(run):
            self.ledger.set_facts(
                saved_model=None
            )  # killed while it is written, files of one model would pass for those of a former one
            temperature = save_refit(self._model, run, outcome, self.results, trust_code=trust_code)
            self.ledger.set_facts(saved_model=run.key, temperature=temperature)
            self._check(self._model, run, outcome, trust_code=trust_code)
        elif run.candidate in self.members:
            save_refit(self._of_member(run), run, outcome, self.results, trust_code=trust_code)
            self._check(self._of_member(run), run, outcome, trust_code=trust_code)

    def close(self) -> None:
        """Make the average of its members; one that is not complete is not made, and that is said. An average of former results stays, marked as one.

        Its score on a test part is looked at once for these members with these shares, and this look is counted.
        """
        from weigh.saved.average import AverageFile, Member, save_average

        self._recalibrate()
        folder = self.ledger.folder / ENSEMBLE
        if not self.members:
            self._judge_former(folder)
            return
        for run, _ in self.members.values():
            if self._is_winner(run) and not self._member_there(run) and model_there(self.ledger.folder):
                copy_model(self._model, self._of_member(run))
        missing = [run for run, _ in self.members.values() if not self._member_there(run)]
        if missing:
            notice(
                text(
                    "The average is not saved: {c} could not be refitted ({e}).",
                    "平均模型未保存：{c} 未能重新拟合（{e}）。",
                    c=missing[0].candidate,
                    e=self.causes.get(missing[0].key) or "?",
                ),
                always=True,
            )
            self._judge_former(folder)
            return
        members = [Member(name, share, run.key) for name, (run, share) in self.members.items()]
        ensemble = self.results.once(read_ensemble)
        assert ensemble is not None
        temperature, _ = _calibration(ensemble.out_of_fold, self.results)  # the same members may have further runs
        if _written(folder) != AverageFile(members, temperature):
            save_average(folder, members, temperature=temperature, facts={"tried": len(ensemble.tried)})
        shares = {member.candidate: member.share for member in members}
        self.ledger.set_facts(saved_average={"shares": shares, "runs": [member.run for member in members]})
        run, _ = next(iter(self.members.values()))
        if len(run.test):
            self.ledger.look(_key(members), ENSEMBLE, len(run.test))
        self._sweep(folder, {self._of_member(run).name for run, _ in self.members.values()})

    def _recalibrate(self) -> None:
        """Give the saved winner the temperature and margins of all runs: its refit stays where further repeats do not change it."""
        out_of_fold = None if self.winner is None else self.results.out_of_fold(self.winner.candidate)
        if self.winner is None or out_of_fold is None or self.ledger.fact("saved_model") != self.winner.key:
            return
        try:
            config = read_config(self._model)
            own = config["weigh"]
            former, facts = (own["temperature"], own["margins"]), own.get("facts", {})
            called = facts.get("candidate") == self.winner.candidate  # or its recipe had another label
        except (OSError, ValueError, KeyError, TypeError):
            return  # damaged, and not refitted: whoever opens it is told
        temperature, margins = _calibration(out_of_fold, self.results)
        same = math.isclose(former[0], temperature, rel_tol=1e-6) and _same_margins(former[1], margins)
        if same and called:
            return
        listed = None if margins is None else margins.tolist()
        facts = {**facts, "candidate": self.winner.candidate}
        rewrite_config(self._model, config, temperature=temperature, margins=listed, facts=facts)
        self.ledger.set_facts(temperature=temperature)

    def _judge_former(self, folder: Path) -> None:
        """Where no average is saved now, mark one that lies there already, unless the results would give the same; with it, what the report says."""
        from weigh.saved.average import keep_outdated

        written, stored = _written(folder), self.ledger.fact("saved_average")
        if written is None:  # there is no average, or a damaged one: whoever opens that is told why
            if stored is not None and not folder.exists():
                self.ledger.set_facts(saved_average=None)  # somebody deleted it
            return
        outdated = self._is_outdated(written)
        if outdated != written.outdated:
            keep_outdated(folder, outdated=outdated)
        if stored is not None:
            self.ledger.set_facts(saved_average={**stored, "outdated": outdated})
        if outdated:
            notice(
                text(
                    "The average in ensemble/ was made before the last runs and is kept as it was: weigh predict --ensemble says so. To save that of "
                    "the present results: weigh run {s} --set output.ensemble=always. If it is not needed, delete the folder.",
                    "ensemble/ 中的平均模型是在最近这些运行之前生成的，保持原样：weigh predict --ensemble 会说明这一点。若要保存按现有结果得到的平均："
                    "weigh run {s} --set output.ensemble=always。若不再需要，可删除该文件夹。",
                    s=shlex.quote(str(self.ledger.folder)),
                )
            )

    def _is_outdated(self, written: AverageFile) -> bool:
        """Whether the results would give another average: other members, shares, refits or probabilities."""
        ensemble = self.results.once(read_ensemble)
        if ensemble is None or {member.candidate: member.share for member in written.members} != ensemble.members:
            return True
        if any(self.refits.get(member.candidate, member.run) != member.run for member in written.members):
            return True
        temperature, _ = _calibration(ensemble.out_of_fold, self.results)
        return not math.isclose(temperature, written.temperature, rel_tol=1e-6)

    def _check(self, folder: Path, run: Run, outcome: Outcome, *, trust_code: bool) -> None:
        """Open what was saved and ask it what the refit was asked; that it answers otherwise is recorded and told. Nothing is deleted for it."""
        from weigh.saved.check import allowed, departure_of, keep_failed

        if outcome.sample is None or outcome.weights is None:
            return
        outcome.weights.clear()  # they lie on the disk now: large networks do not stand in memory twice
        departure, reason, most = None, "", allowed(outcome.sample)
        try:
            measured = departure_of(folder, self.results.examples, outcome.sample, trust_code=trust_code)
            if measured is None:
                return
            departure = measured if math.isfinite(measured) else None
            reason = "" if departure is not None else NOT_COMPARABLE
        except Exception as error:  # whatever a library raises: the study has its results all the same
            self.check()
            reason = error.what.en if isinstance(error, WeighError) else reason_of(error)
        where = folder.relative_to(self.ledger.folder).as_posix()
        check = SavedCheck(run.candidate, where, len(outcome.sample.examples), departure, most, reason)
        self.ledger.set_facts(**{FACT: with_check(self.ledger.fact(FACT), run.key, check)})
        if check.passed:
            return
        if departure is not None:
            keep_failed(folder, departure, most)
        for sentence in told_of(check):
            notice(sentence, always=True)

    @property
    def _model(self) -> Path:
        return self.ledger.folder / MODEL

    def _of_member(self, run: Run) -> Path:
        from weigh.saved.average import member_folder

        return member_folder(self.ledger.folder / ENSEMBLE, run.key)

    def _is_winner(self, run: Run) -> bool:
        return self.winner is not None and run.key == self.winner.key

    def _member_there(self, run: Run) -> bool:
        """Whether its weights lie in the average as they were written."""
        try:
            own = read_config(self._of_member(run))["weigh"]
            return own["format"] == FORMAT and own["facts"]["run"] == run.key
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @staticmethod
    def _sweep(folder: Path, names: set[str]) -> None:
        """Delete members of former averages."""
        for path in folder.glob("member-*"):
            if path.name not in names and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def _written(folder: Path) -> AverageFile | None:
    """The average that lies there, if it is as it was written."""
    from weigh.errors import ModelError
    from weigh.saved.average import read_average

    try:
        return read_average(folder)
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        return None


def save_refit(folder: Path, run: Run, outcome: Outcome, results: Results, *, trust_code: bool = False) -> float:
    """Write a refitted network, with its temperature from the out-of-fold predictions; returns that."""
    from weigh.saved.meaning import Meaning
    from weigh.saved.model import save_model

    out_of_fold = results.out_of_fold(run.candidate)
    assert out_of_fold is not None
    assert outcome.weights is not None
    examples, choice = results.examples, outcome.facts.get("choice")
    trained = run if choice is None else replace(run, recipe=choice["recipe"], options=choice["options"])
    temperature, margins = _calibration(out_of_fold, results)
    meaning = Meaning(
        task=results.spec.task or "",
        kind=examples.kind,
        classes=examples.classes,
        temperature=temperature,
        bias=np.asarray(outcome.facts.get("bias", np.zeros(len(examples.classes)))),
        pair=examples.are_pairs,
        written=examples.written,
        margins=margins,
    )
    save_model(
        folder,
        address=run.model,
        weights=outcome.weights,
        meaning=meaning,
        options=trained.options,
        preparation=outcome.preparation,
        frozen=RECIPES.get(trained.recipe).trains == "head",
        facts={
            **outcome.model,
            "run": run.key,
            "candidate": run.candidate,
            **({} if choice is None else {"choice": choice}),
        },
        trust_code=trust_code,
    )
    return temperature


def _calibration(out_of_fold: OutOfFold, results: Results) -> tuple[float, np.ndarray | None]:
    """The temperature of out-of-fold answers, and how far quantities may be off (`stats/conformal.py`)."""
    from weigh.stats.calibration import fit_temperature
    from weigh.stats.conformal import margin

    examples = results.examples
    temperature = (
        fit_temperature(out_of_fold.answers, out_of_fold.target, present=out_of_fold.present)
        if examples.kind.probable
        else 1.0
    )
    errors = examples.kind.errors(out_of_fold.prediction(0).labels, out_of_fold.target, len(examples.classes))
    if errors is None:
        return temperature, None
    seen = out_of_fold.present[0]
    return temperature, margin(errors[seen], examples.group_at(out_of_fold.indices[seen]))


def _same_margins(former: list | None, margins: np.ndarray | None) -> bool:
    if former is None or margins is None:
        return former is None and margins is None
    return np.shape(former) == margins.shape and np.allclose(former, margins, rtol=1e-6)


def _key(members: list[Member]) -> str:
    """Names an average among what was scored on the test part."""
    written = "".join(f"{member.run} {member.share:.6f}\n" for member in sorted(members))
    return hashlib.blake2b(written.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def model_there(folder: Path) -> bool:
    """Whether the winner lies in the study folder as it was written; a damaged one is reported."""
    try:
        own = read_config(folder / MODEL).get("weigh")
        return isinstance(own, dict) and own.get("format") == FORMAT
    except (OSError, ValueError, AttributeError) as error:
        if (folder / MODEL).exists():
            notice(
                text(
                    "The saved model is not what was written ({e}): the winner is refitted.",
                    "保存的模型与写入时不符（{e}）：重新拟合优胜者。",
                    e=error,
                )
            )
        return False
