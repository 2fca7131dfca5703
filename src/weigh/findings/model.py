"""What a finding is: one question, one answer, and everything that stands behind the answer.

`findings.json` is a `FindingsFile`; its schema is the schema of these classes. Times and other things that
change from one run to the next stand only under `measured`, so that two runs of one study give the same bytes
elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from weigh.language import Text
from weigh.stats.comparison import Relation
from weigh.stats.estimate import Estimate
from weigh.stats.interval import Claim

__all__ = ["SCHEMA", "Assumption", "Claim", "Figure", "Finding", "FindingsFile", "Relation", "Verdict"]

SCHEMA = "weigh.findings/1"
Verdict = Literal["yes", "no", "undecided"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _read_sentence(written: Any) -> Text:
    """A `Text`, or what it was written as: {"en": …, "zh": …}."""
    if isinstance(written, Text):
        return written
    if (
        isinstance(written, dict)
        and written.keys() == {"en", "zh"}
        and all(isinstance(s, str) for s in written.values())
    ):
        return Text(**written)
    raise ValueError("a sentence is a Text, or a dictionary of the strings en and zh")


WRITTEN = {
    "type": "object",
    "properties": {"en": {"type": "string"}, "zh": {"type": "string"}},
    "required": ["en", "zh"],
    "additionalProperties": False,
}
Sentence = Annotated[
    Text,
    PlainValidator(_read_sentence),
    PlainSerializer(lambda sentence: sentence._asdict()),
    WithJsonSchema(WRITTEN),
]


def _check_cells(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a table or figure. A `Text` in it would be written as a list of two strings, which no renderer knows."""
    for column, cell in row.items():
        if isinstance(cell, Text):
            raise ValueError(f"the cell {column!r} holds a Text: put its _asdict() there")
    return row


Row = Annotated[dict[str, Any], AfterValidator(_check_cells)]


class Assumption(Strict):
    """What must hold for the sentence to be true, and whether it was found to hold."""

    name: Sentence
    outcome: Literal["holds", "doubtful", "violated", "unchecked"]
    detail: Sentence | None = None


class Figure(Strict):
    """Numbers to draw; `report/figures.py` knows how to draw each `kind`. No pixels, no colours here."""

    kind: str
    title: Sentence
    rows: list[Row]
    fields: dict[str, Sentence] = Field(default_factory=dict)  # axis and column titles
    options: dict[str, Any] = Field(default_factory=dict)


class Finding(Strict):
    """One conclusion.

    Attributes:
        id: Stable and unique in the study ("comparison:a:b").
        kind: File of `findings/` or kind of data problem ("performance", "leak", …); what `--fail-on` names.
        question: The question that `verdict` answers.
        claim: What the conclusion speaks about; None for facts that are not inferences.
        relation: For comparisons.
        verdict: Answer to the stated question; of an open question ("which …") only whether it is settled.
        answer: What the verdict says, as a sentence of its own; None for open and undecided questions (`questions.py`).
        severity: "headline" opens the report, "problem" is a warning, "evidence" is the body, "detail" is folded away.
        sentence: The conclusion with its numbers.
        estimates: Every number in the sentence, by name.
        assumptions: Each with its outcome.
        examples: Every file concerned (relative paths, as in the data).
        candidates: Candidate ids concerned.
        next: What to do next, most useful first.
        figure: Numbers to draw.
        table: Rows to show (list of flat dictionaries; keys are column names).
        references: Papers or standards followed.
        measured: Everything that changes from run to run: times, bytes, temperature of the room.
    """

    id: str
    kind: str
    question: Sentence
    claim: Claim | None = None
    relation: Relation | None = None
    verdict: Verdict
    answer: Sentence | None = None
    severity: Literal["headline", "problem", "evidence", "detail"] = "evidence"
    sentence: Sentence
    estimates: dict[str, Estimate] = Field(default_factory=dict)
    assumptions: list[Assumption] = Field(default_factory=list)
    examples: list[str] = Field(default_factory=list)
    candidates: list[str] = Field(default_factory=list)
    next: list[Sentence] = Field(default_factory=list)
    figure: Figure | None = None
    table: list[Row] = Field(default_factory=list)
    references: list[str] = Field(default_factory=list)
    measured: dict[str, Any] = Field(default_factory=dict)


class FindingsFile(Strict):
    """The whole of findings.json. `schema_` is written as `schema`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: str = Field(default=SCHEMA, alias="schema")
    study: dict[str, Any]
    findings: list[Finding]
    measured: dict[str, Any] = Field(default_factory=dict)
