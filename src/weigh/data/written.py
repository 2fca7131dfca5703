"""How the training data are written: kept with the study and with the saved model, so that new texts are read in the same way.

Before it: the reader of the training data. After it: `texts/new_texts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["SPANS", "Written"]

SPANS = "spans"  # layout of sentences that are texts with spans of characters


@dataclass(frozen=True)
class Written:
    """How a table of texts is written.

    Attributes:
        layout: "CSV", "TSV", "JSON", "Parquet", "fastText", "TREC", "lines", "CoLA", …, `SPANS`; "" where it is not known.
        separator: Of cells; "" where there is none.
        quoted: Cells may stand in double quotes.
        backslash: Inside of them a backslash stands before quotes and before itself.
        named: The file has a header; else columns are called by their numbers, from 1.
        names: Of the columns, in the order of the file.
        text: The columns of texts, one or two; of sentences the one of texts or tokens, where the user named it.
        labels: The column of the label, or those of 0 and 1.
        encoding: What it was read as.
        first_words: Of lines that begin with a label: all labels.
    """

    layout: str = ""
    separator: str = ""
    quoted: bool = True
    named: bool = True
    names: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    encoding: str = "UTF-8"
    first_words: tuple[str, ...] = ()
    backslash: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values, for files."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Written | None:
        """What `as_json` gave; None for None."""
        if kept is None:
            return None
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in kept.items()}
        return cls(**values)
