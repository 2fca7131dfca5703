"""The index of a data set of texts: classification, sentiment, sentence pairs, and similarity on a scale.

Before it: `spec.DataSpec` and `sources.py`. After it: `checks.py` looks for what is wrong; `plan/` assigns folds. Nothing is
cut into tokens here: that depends on the model.
"""

from __future__ import annotations

from collections.abc import Sequence

from weigh.data.contents import identified
from weigh.data.examples import Examples
from weigh.data.rows.assembly import assemble
from weigh.data.texts.sources import TextSource
from weigh.files import refuse_long_texts
from weigh.kinds.base import Kind
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.media import medium_named
from weigh.notices import Progress
from weigh.problem import Problem
from weigh.spec import DataSpec

__all__ = ["read_texts"]


def read_texts(
    spec: DataSpec, kinds: Sequence[Kind] = (LABEL, LABELS), *, offline: bool = False, progress: Progress | None = None
) -> tuple[Examples, list[Problem]]:
    """Texts (one or two per example) with classes or numbers, training and test together, and everything that was set aside.

    Args:
        spec: A table, a folder with a file per part (train, dev, test), a folder of text files per class, a folder of the
            `datasets` library, or a hub name. Columns that are not named are guessed, and the guess is among the problems.
            Of lines "COARSE:fine text" (TREC) the class is COARSE; the fine one is metadata.
        kinds: What a target may be; the last one where a source separates several labels.
        offline: Hub names are refused.

    Raises:
        DataError: Nothing usable; says what is wrong and what to do.
    """
    source = TextSource(spec, numbers=not kinds[0].typed, offline=offline, progress=progress)
    examples, problems = assemble(spec, source.list_rows, medium_named("texts"), kinds)
    refuse_long_texts(examples.rows, lambda i: str(examples.path[i]))
    return identified(examples, problems)
