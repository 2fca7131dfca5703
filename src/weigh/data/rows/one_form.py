"""Labels, groups and metadata of a listing in one Unicode form: "ö" may be written in two ways, and is one class.

Before it: a listing, whatever it was read from (file systems of Macs take letters apart, spreadsheets put them together). After it:
`assembly.py` compares names. Paths stay as they are on disk; `paths.py` compares them in this form.
"""

from __future__ import annotations

from weigh.data.names import compose
from weigh.data.rows.listing import Listing, set_aside_if_any
from weigh.language import text
from weigh.problem import Problem

__all__ = ["compose_names", "one_label_each"]


def compose_names(listing: Listing) -> list[Problem]:
    """Labels, groups and metadata of a listing in one form, in place (groups without blanks around them); a note where two spellings became one class."""
    written = set(listing.label)
    listing.label = [compose(label) for label in listing.label]
    if listing.group is not None:
        listing.group = [compose(group).strip() for group in listing.group]
    listing.columns = {compose(name): [compose(cell) for cell in column] for name, column in listing.columns.items()}
    if listing.separator is not None:
        listing.separator = compose(listing.separator)
    forms: dict[str, int] = {}
    for name in written:
        forms[compose(name)] = forms.get(compose(name), 0) + 1
    twice = sorted(name for name, n in forms.items() if n > 1)
    if not twice:
        return []
    return [
        Problem(
            "class-names",
            text(
                "Names that are written in two Unicode forms are one class: {n} ({l}).",
                "同一名称的不同 Unicode 写法按一个类别处理：{n} 个（{l}）。",
                n=len(twice),
                l=", ".join(twice[:5]),
            ),
            severity="note",
            numbers={"n": len(twice)},
        )
    ]


def one_label_each(sources: list[Listing]) -> list[Listing]:
    """The sources, the training data first. Where these give each example one label, rows of the others with several, or with none, are set aside and named."""
    for source in sources[1:] if sources[0].separator is None else ():
        if source.separator is None:
            continue
        names = [{name.strip() for name in label.split(source.separator)} - {""} for label in source.label]
        left = [path for path, of_row in zip(source.path, names, strict=True) if len(of_row) != 1]
        source.keep([i for i, of_row in enumerate(names) if len(of_row) == 1])
        source.problems += set_aside_if_any(
            "label-conflict",
            text(
                "Test examples with several labels, or with none, though training examples have one each: {n} (first: {f}); set aside.",
                "有 {n} 个测试样本带有多个标签或没有标签（第一个：{f}），而训练样本各只有一个标签，已搁置。",
            ),
            left,
            text(
                "Give each of them one label. If examples may have several, write the labels of the training data as lists, too.",
                "请让它们各只有一个标签。如果样本可以有多个标签，请把训练数据的标签也写成列表。",
            ),
        )
    return sources
