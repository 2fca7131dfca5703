"""Tasks of Label Studio as rows of a table: what each holds, and what its annotators chose.

Before it: objects of JSON. After it: `table_files.py` makes columns of the rows; `sentences/objects.py` reads entities, and asks here whose count.

    {"data": {"text": …}, "annotations": [{"result": [{"from_name": "tone", "value": {"choices": ["good"]}}], "was_cancelled": false}]}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from weigh.data.names import compose

__all__ = ["ANNOTATIONS", "DISAGREE", "UNANSWERED", "Tasks", "finished", "holds_choices", "tasks_of", "was_skipped"]

ANNOTATIONS = ("annotations", "completions")  # completions: versions before 1.0
# what Label Studio itself says of a task; anything else beside the data is the user's
OWN = frozenset(
    (
        "id", "data", "annotations", "completions", "predictions", "drafts", "file_upload", "meta", "created_at", "updated_at", "inner_id",
        "total_annotations", "cancelled_annotations", "total_predictions", "comment_count", "unresolved_comment_count", "last_comment_updated_at",
        "project", "updated_by", "comment_authors", "overlap", "is_labeled", "agreement", "annotators", "reviewers", "allow_skip", "state",
        "avg_lead_time", "draft_exists", "storage_filename", "source", "completed_at", "precomputed_agreement",
    )
)  # fmt: skip
# a choice beside one of these is that of a part of the text or picture
REGION = ("start", "x", "points", "rle", "format")
UNANSWERED = "unanswered"  # nobody finished an annotation, or nothing was chosen
DISAGREE = "disagree"  # finished annotations differ


class Tasks(NamedTuple):
    """Tasks as rows.

    Attributes:
        rows: Cells by name: the data of each task, and a list of what was chosen (a name, where nobody chose several) for each question.
        chosen: Names of the questions.
        undecided: Question -> places of rows in `rows` without a settled answer, and why (`UNANSWERED`, `DISAGREE`, `prodigy.REJECTED`).
        tool: Whose export this is.
    """

    rows: list[dict[str, Any]]
    chosen: tuple[str, ...]
    undecided: dict[str, dict[int, str]]
    tool: str = "Label Studio"


def finished(task: Any) -> list[dict[str, Any]] | None:
    """The annotations of a task that count: submitted ones, not those that were skipped; None where it is no task with annotations."""
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        return None
    listed = next((task[name] for name in ANNOTATIONS if isinstance(task.get(name), list)), None)
    if listed is None:
        return None
    return [
        one for one in listed if isinstance(one, dict) and isinstance(one.get("result"), list) and not was_skipped(one)
    ]


def was_skipped(annotation: dict[str, Any]) -> bool:
    """Whether an annotator left the task undone (the answers that it holds do not count)."""
    return bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def holds_choices(task: Any) -> bool:
    """Whether somebody chose something for the whole of a task."""
    return any(True for one in finished(task) or () for _ in _answers(one))


def tasks_of(objects: Sequence[dict[str, Any]]) -> Tasks | None:
    """The tasks of an export, or of a file that is to be annotated; None where objects are something else, or annotated otherwise than by choices."""
    if not objects or not all(isinstance(one.get("data"), dict) for one in objects):
        return None
    answers = [[dict(_answers(one)) for one in finished(task) or ()] for task in objects]
    chosen = dict.fromkeys(question for task in answers for one in task for question in one)
    if not chosen and not all(
        OWN.issuperset(task) and not any(one["result"] for one in finished(task) or ()) for task in objects
    ):
        return None
    rows = [{**{k: v for k, v in task.items() if k not in OWN}, **task["data"]} for task in objects]
    taken = {str(name) for row in rows for name in row}
    names = {question: question if question not in taken else f"{question} (annotation)" for question in chosen}
    undecided: dict[str, dict[int, str]] = {}
    for question, name in names.items():
        settled = [_settled([one.get(question, frozenset()) for one in task]) for task in answers]
        undecided[name] = {i: answer for i, answer in enumerate(settled) if isinstance(answer, str)}
        several = any(len(answer) > 1 for answer in settled if not isinstance(answer, str))
        for row, answer in zip(rows, settled, strict=True):
            decided = [] if isinstance(answer, str) else sorted(answer)
            row[name] = decided if several else decided[0] if decided else None
    return Tasks(rows, tuple(names.values()), undecided)


def _answers(annotation: dict[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """Each question that is answered for the whole task, and the names that were chosen; of choices within choices ("Animal / Cat") all of them."""
    for one in annotation["result"]:
        value = one.get("value") if isinstance(one, dict) else None
        if not isinstance(value, dict) or any(name in value for name in REGION):
            continue
        written = next((value[kind] for kind in ("choices", "taxonomy") if isinstance(value.get(kind), list)), [])
        paths = [name if isinstance(name, list) else [name] for name in written]
        names = frozenset(" / ".join(map(str, path)) for path in paths if path)
        if names:
            yield compose(str(one.get("from_name") or "choice")), names


def _settled(answers: Sequence[frozenset[str]]) -> frozenset[str] | str:
    """What all annotators chose, or why nothing is settled: `UNANSWERED`, `DISAGREE`."""
    different = set(answers)
    if len(different) > 1:
        return DISAGREE
    return next(iter(different), frozenset()) or UNANSWERED
