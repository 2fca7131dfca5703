"""Draws docs/architecture.svg: floors and wings as import-linter checks them, rooms as their packages describe themselves.

    python docs/architecture.py

Nothing is drawn by hand: floors come from the layers in pyproject.toml, the wings from its contracts, words from the first lines of the
packages and modules. `tests/test_architecture.py` draws it again and compares.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
WIDTH, MARGIN, GAP = 980, 16, 8
LINE, PADDING = 17, 10
COLOURS = {
    "door": ("#fdf3e1", "#c98a1b"),
    "compute": ("#e6effa", "#3a6ea8"),
    "evidence": ("#e7f4ea", "#3b8256"),
    "shared": ("#f1f1f3", "#777b86"),
}


def describe(module: str) -> str:
    """The first sentence of a package or a module."""
    path = SOURCE / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").replace("`", "").strip()


def rooms_of(module: str) -> list[str]:
    """Packages inside a package."""
    path = SOURCE / module.replace(".", "/")
    return sorted(p.parent.name for p in path.glob("*/__init__.py")) if path.is_dir() else []


def floors() -> tuple[list[list[str]], set[str]]:
    """The layers from top to bottom, and the modules of the compute wing."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [layer.replace("|", ":").split(":") for layer in linter[0]["layers"]]
    return [[name.strip() for name in layer] for layer in layers], set(linter[2]["source_modules"])


def box(x: float, y: float, width: float, module: str, style: str) -> tuple[list[str], float]:
    """One room: its name, what it answers, and the rooms inside; SVG elements and its height."""
    fill, stroke = COLOURS[style]
    letters = int((width - 2 * PADDING) / 6.8)
    lines = textwrap.wrap(describe(module), letters)
    inside = rooms_of(module)
    lines += textwrap.wrap("rooms: " + ", ".join(inside), letters) if inside else []
    height = 2 * PADDING + LINE * (1 + len(lines))
    name = module.removeprefix("weigh.")
    elements = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="5" fill="{fill}" stroke="{stroke}"/>',
        f'<text x="{x + PADDING:.0f}" y="{y + PADDING + 12:.0f}" font-weight="bold">{escape(name)}</text>',
    ]
    for i, line in enumerate(lines, 1):
        elements.append(
            f'<text x="{x + PADDING:.0f}" y="{y + PADDING + 12 + i * LINE:.0f}" fill="#444">{escape(line)}</text>'
        )
    return elements, height


def row(y: float, modules: list[str], style: str, x: float, width: float) -> tuple[list[str], float]:
    """Rooms of one floor side by side, drawn equally high; SVG elements and the height."""
    each = (width - GAP * (len(modules) - 1)) / len(modules)
    drawn = [box(x + i * (each + GAP), y, each, module, style) for i, module in enumerate(modules)]
    height = max(h for _, h in drawn)
    elements = []
    for (parts, own), _ in zip(drawn, modules, strict=True):
        elements += [parts[0].replace(f'height="{own:.0f}"', f'height="{height:.0f}"'), *parts[1:]]
    return elements, height


def draw() -> str:
    """The whole picture."""
    layers, compute = floors()
    lowest = max(i for i, layer in enumerate(layers) if compute & set(layer))
    wings = next(i for i, layer in enumerate(layers) if "weigh.report" in layer)
    elements: list[str] = []
    y = float(MARGIN)
    half = (WIDTH - 2 * MARGIN - 3 * GAP) / 2

    def title(words: str, x: float, at: float) -> None:
        elements.append(f'<text x="{x:.0f}" y="{at + 12:.0f}" font-weight="bold" fill="#222">{escape(words)}</text>')

    def full(modules: list[str], style: str) -> None:
        nonlocal y
        rows = -(-len(modules) // 3)
        each = -(-len(modules) // rows)
        for start in range(0, len(modules), each):
            parts, height = row(y, modules[start : start + each], style, MARGIN, WIDTH - 2 * MARGIN)
            elements.extend(parts)
            y += height + GAP

    title("Doors: each floor imports only floors below it", MARGIN, y)
    y += 22
    full([name for layer in layers[:wings] for name in layer], "door")
    full(["weigh.execute"], "door")
    title("Compute wing: torch, no records, no statistics", MARGIN, y + 6)
    title("Evidence wing: no torch, reads records only", MARGIN + half + 3 * GAP, y + 6)
    y += 28
    bottoms = []
    middle = [name for layer in layers[wings : lowest + 1] for name in layer if name != "weigh.execute"]
    for x, style, modules in (
        (MARGIN, "compute", [name for name in middle if name in compute]),
        (MARGIN + half + 3 * GAP, "evidence", [name for name in middle if name not in compute]),
    ):
        at = y
        for module in modules:
            parts, height = row(at, [module], style, x, half)
            elements.extend(parts)
            at += height + GAP
        bottoms.append(at)
    y = max(bottoms)
    title("What both wings stand on: no torch", MARGIN, y + 6)
    y += 28
    for layer in layers[lowest + 1 :]:
        full(layer, "shared")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + MARGIN:.0f}" width="{WIDTH}" '
        'font-family="system-ui, sans-serif" font-size="12.5" role="img" aria-label="Floors and wings of weigh">'
    )
    return (
        "\n".join([head, f'<rect width="{WIDTH}" height="{y + MARGIN:.0f}" fill="white"/>', *elements, "</svg>"]) + "\n"
    )


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.svg").write_text(draw(), "utf-8")
