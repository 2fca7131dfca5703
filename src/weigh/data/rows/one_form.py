"""Labels, groups and metadata of a listing in one Unicode form: "ö" may be written in two ways, and is one class.

Before it: a listing, whatever it was read from (file systems of Macs take letters apart, spreadsheets put them together). After it:
`assembly.py` compares names. Paths stay as they are on disk; `paths.py` compares them in this form.
"""

from __future__ import annotations

from weigh.data.names import compose
from weigh.data.rows.listing import Listing
from weigh.language import text
from weigh.problem import Problem

__all__ = ["compose_names"]


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
