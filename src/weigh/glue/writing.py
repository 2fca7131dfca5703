"""The GLUE table for a terminal, for Markdown and for programs.

Before it: `glue/table.py`. Below the table stands what it does not hold, so that no mean is taken for GLUE's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.cells import cell_len

from weigh.findings.amounts import written_level
from weigh.glue.table import GlueTable
from weigh.glue.tasks import GLUE
from weigh.language import Text, join_texts, text
from weigh.report.markdown import escape_markdown
from weigh.report.visible import visible_line
from weigh.stats.estimate import Estimate

__all__ = ["render_glue"]

NOTHING = "–"


def render_glue(table: GlueTable, format: str, language: str) -> str:
    """The table as "text", "md" or "json"."""
    if format == "json":
        return _json(table)
    mean = text("mean of {k}", "{k} 项均值", k=len(table.scored)).render(language)
    heads = [text("candidate", "候选方案").render(language), *table.columns, mean]
    estimates = [[*(row.scores.get(column) for column in table.columns), row.mean] for row in table.rows]
    names = [row.candidate for row in table.rows]
    notes = [note.render(language) for note in _notes(table)]
    if format == "md":
        lines = [heads, ["---"] * len(heads)]
        lines += [[n, *(_whole(e) for e in of)] for n, of in zip(names, estimates, strict=True)]
        body = ["| " + " | ".join(escape_markdown(c) if c != "---" else c for c in line) + " |" for line in lines]
        return "\n".join([*body, "", *(f"- {escape_markdown(note)}" for note in notes)]) + "\n"
    cells: list[list[str]] = [heads]
    for name, of in zip(names, estimates, strict=True):
        cells.append([visible_line(name), *(NOTHING if e is None else f"{e.value:.3f}" for e in of)])
        cells.append(["", *(_ends(e) for e in of)])
    return "\n".join([*_aligned(cells), "", *notes]) + "\n"


def _whole(estimate: Estimate | None) -> str:
    return NOTHING if estimate is None else f"{estimate.format()} (n = {estimate.n})"


def _ends(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None:
        return ""
    return f"{estimate.format()}".partition(" ")[2]


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, numbers to the right."""
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append(
            "  ".join([row[0] + padded[0], *(p + c for p, c in zip(padded[1:], row[1:], strict=True))]).rstrip()
        )
    return lines


def _notes(table: GlueTable) -> list[Text]:
    scored = ", ".join(f"{c} {table.metrics[c].en}" for c in table.columns if c not in table.missing)
    scored_zh = "、".join(f"{c} {table.metrics[c].zh}" for c in table.columns if c not in table.missing)
    sizes = {c: row.scores[c].n for row in table.rows for c in table.columns if c in row.scores}
    level = next((row.scores[c].level for row in table.rows for c in row.scores), 0.95)
    notes = [
        text(
            "Scores of the refitted models on each study's test part (the development set where GLUE keeps the labels of the test set), "
            "with {l} % intervals over its examples: {s}.",
            "得分为重新拟合的模型在各研究测试部分上的结果（GLUE 不公开测试集标签时为开发集），区间为对其样本的 {l} % 区间：{s}。",
            l=written_level(level),
            s=Text(scored, scored_zh),
        ),
        text("Examples: {n}.", "样本数：{n}。", n=", ".join(f"{c} {n}" for c, n in sizes.items())),
    ]
    if table.missing:
        notes.append(
            text(
                "Missing: {m}. The mean is over {k} of {n} tasks and is not GLUE's score.",
                "缺少：{m}。均值只包含 {n} 项任务中的 {k} 项，不是 GLUE 总分。",
                m=join_texts([text("{t} ({w})", "{t}（{w}）", t=t, w=w) for t, w in table.missing.items()], ", ", "、"),
                k=len(table.scored),
                n=len(GLUE),
            )
        )
    notes += [
        text("{c} has no mean: it lacks {t}.", "{c} 没有均值：缺少 {t}。", c=row.candidate, t=", ".join(row.lacking))
        for row in table.rows
        if row.lacking
    ]
    if len(table.rows) > 1:
        notes.append(
            text(
                "The rows answer the same examples: whether one is better than another is told by the comparison in each study's "
                "report, not by whether intervals overlap.",
                "各行回答的是同样的样本：孰优孰劣应看各研究报告中的比较，而不是看区间是否重叠。",
            )
        )
    return notes


def _json(table: GlueTable) -> str:
    notes = [{"en": note.en, "zh": note.zh} for note in _notes(table)]
    content = {
        "schema": "weigh.glue/1",
        "columns": {c: {"en": table.metrics[c].en, "zh": table.metrics[c].zh} for c in table.columns},
        "rows": [
            {
                "candidate": row.candidate,
                "scores": {c: row.scores[c].model_dump() if c in row.scores else None for c in table.columns},
                "mean": None if row.mean is None else row.mean.model_dump(),
                "lacking": list(row.lacking),
            }
            for row in table.rows
        ],
        "mean_over": list(table.scored),
        "missing": {task: {"en": why.en, "zh": why.zh} for task, why in table.missing.items()},
        "notes": notes,
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
