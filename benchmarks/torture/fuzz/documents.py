"""Study files, sentences with tags, JSON: written well first, then bent. Each function writes one input and returns the command."""

from __future__ import annotations

import json
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel

from benchmarks.torture.fuzz.bend import NASTY, bend_bytes, chance, encode, harmed, nasty, pick

__all__ = ["write_entities", "write_json", "write_lines", "write_yaml"]

WORDS = [
    "the",
    "a",
    "film",
    "story",
    "day",
    "play",
    "we",
    "saw",
    "it",
    "was",
    "and",
    "then",
    "with",
    "some",
    "people",
    "music",
    "great",
    "awful",
    "Berlin",
    "东京",
    "été",
]
ODD_SETTINGS = 0.15  # of the settings of a study file
TAGS = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def write_yaml(rng: np.random.Generator, folder: Path) -> list[str]:
    """A study.yaml whose settings are right, nearly right or absurd."""
    from weigh.spec import StudySpec

    data = folder / "texts.csv"
    data.write_text("text,label\n" + "".join(f"good day {i},{'ab'[i % 2]}\n" for i in range(12)), "utf-8")
    content: dict[str, Any] = {"data": "texts.csv", "models": ["timm:resnet18"]}
    others = sorted(set(StudySpec.model_fields) - ({"data", "models"} if chance(rng, 0.7) else set()))
    for name in rng.permutation(others)[: int(rng.integers(0, 5))].tolist():
        value = _setting(rng, StudySpec.model_fields[name].annotation, 0)
        if harmed(rng, 0.4) or _fits(name, value):
            content[name] = value
    if harmed(rng, 0.05):
        content[nasty(rng)] = _odd(rng, 0)
    path = folder / "study.yaml"
    written = _yaml(rng, content, 0) + ("\n" if chance(rng, 0.9) else "")
    path.write_bytes(
        bend_bytes(rng, encode(rng, written) if chance(rng, 0.3) else written.encode("utf-8", "surrogatepass"))
    )
    settings = [
        f"{pick(rng, ['design.folds', 'run.jobs', 'data.label', 'recipes.probe.epochs', 'x', ''])}={nasty(rng)}"
    ]
    return ["plan-only", str(path), *(["--set", settings[0]] if harmed(rng, 0.2) else [])]


def _fits(name: str, value: Any) -> bool:
    """Whether a study takes this setting: types alone do not say which values go together."""
    from weigh.errors import WeighError
    from weigh.spec_yaml import load_spec

    try:
        load_spec({"data": "texts.csv", "models": ["timm:resnet18"], name: value})
    except WeighError:
        return False
    return True


def _setting(rng: np.random.Generator, annotation: Any, depth: int) -> Any:
    """A value for a setting of this type, or one that does not fit."""
    if harmed(rng, ODD_SETTINGS):
        return _odd(rng, depth)
    from weigh.spec import RecipeSpec

    options = [o for o in (annotation, *get_args(annotation)) if isinstance(o, type) and issubclass(o, BaseModel)]
    if options and depth < 3:
        fields = {**options[0].model_fields, **(_recipe_fields() if options[0] is RecipeSpec else {})}
        names = rng.permutation(sorted(fields))[: int(rng.integers(1, 4))].tolist()
        needed = [name for name, field in fields.items() if field.is_required() and chance(rng, 0.9)]
        return {name: _setting(rng, fields[name].annotation, depth + 1) for name in dict.fromkeys([*needed, *names])}
    return _fitting(rng, annotation, depth)


def _recipe_fields() -> dict[str, Any]:
    """The options of all recipes, by name."""
    from weigh.run import RECIPES

    return {
        name: field
        for _, recipe in RECIPES.items()
        for options in recipe.options.values()
        for name, field in options.model_fields.items()
    }


def _fitting(rng: np.random.Generator, annotation: Any, depth: int) -> Any:
    """A value of the type of a setting: one of its words, a small number, a list of such values."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _fitting(rng, inner[0], depth)
    if origin is Literal:
        return pick(rng, inner)
    if origin in (Union, UnionType):
        return _fitting(rng, pick(rng, inner), depth)
    if origin in (list, tuple, set, frozenset) and depth < 3:
        return [_fitting(rng, inner[0], depth + 1) for _ in range(int(rng.integers(1, 3)))]
    if annotation is bool:
        return chance(rng, 0.5)
    if annotation is int:
        return int(rng.integers(1, 11))
    if annotation is float:
        return float(pick(rng, [0.1, 0.25, 0.5, 1.0, 2.0]))
    return None if annotation is type(None) else _odd(rng, depth)


def _odd(rng: np.random.Generator, depth: int) -> Any:
    kind = int(rng.integers(9))
    if kind == 0:
        return int(rng.integers(-5, 12))
    if kind == 1:
        return pick(rng, [0, 10**9, 10**30, 10**400, -(10**20), 2**63, 1e308, float("inf"), float("nan"), 1e-320])
    if kind == 2:
        return nasty(rng)
    if kind == 3:
        return pick(rng, [None, True, False])
    if kind == 4 and depth < 4:
        return [_odd(rng, depth + 1) for _ in range(int(rng.integers(0, 4)))]
    if kind == 5 and depth < 4:
        return {nasty(rng): _odd(rng, depth + 1) for _ in range(int(rng.integers(0, 3)))}
    if kind == 6:
        return float(rng.normal())
    return pick(
        rng,
        [
            "probe",
            "finetune",
            "timm:resnet18",
            "auto",
            "split",
            "accuracy",
            "30m",
            "texts.csv",
            ".",
            "hub:x",
            "file:x@timm:y",
        ],
    )


def _yaml(rng: np.random.Generator, value: Any, depth: int) -> str:
    """As people write YAML: mostly well, keys sometimes bare that need quotes."""
    pad = "  " * depth
    if isinstance(value, dict) and value:
        lines = []
        for key, inner in value.items():
            name = key if chance(rng, 0.7) else json.dumps(key)
            nested = isinstance(inner, (dict, list)) and bool(inner)
            lines.append(
                f"{pad}{name}:" + ("\n" + _yaml(rng, inner, depth + 1) if nested else " " + _yaml(rng, inner, 0))
            )
        return "\n".join(lines)
    if isinstance(value, list) and value:
        return "\n".join(f"{pad}- " + _yaml(rng, inner, depth + 1).lstrip() for inner in value)
    if isinstance(value, str):
        return value if chance(rng, 0.5) else json.dumps(value)
    if value is None:
        return pick(rng, ["null", "~", ""])
    return str(value).lower() if isinstance(value, bool) else str(value)


def sentences(rng: np.random.Generator) -> list[tuple[list[str], list[str]]]:
    """Tokens and tags, some of both odd."""
    found = []
    for _ in range(int(rng.integers(4, 25))):
        length = int(rng.integers(1, 8))
        tokens = [nasty(rng) if harmed(rng, 0.01) else pick(rng, WORDS) for _ in range(length)]
        tags = [pick(rng, NASTY) if harmed(rng, 0.005) else pick(rng, TAGS) for _ in range(length)]
        found.append((tokens, tags))
    return found


def write_entities(rng: np.random.Generator, folder: Path) -> list[str]:
    """CoNLL columns: two to four of them, separated by blanks or tabs."""
    gap, middle = pick(rng, ["\t", " ", "\t", "  ", ","]), pick(rng, [[], [], ["NN"], ["NN", "x"]])
    blocks = []
    for tokens, tags in sentences(rng):
        rows = [gap.join([token, *middle, tag]) for token, tag in zip(tokens, tags, strict=True)]
        if harmed(rng, 0.05):
            rows.insert(0, pick(rng, ["-DOCSTART- -X- O O", "# text = x", "#", "token\ttag"]))
        blocks.append("\n".join(rows))
    content = pick(rng, ["\n\n", "\n\n", "\n \n", "\n\n\n"]).join(blocks) + pick(rng, ["\n", "", "\n\n"])
    path = folder / f"train{pick(rng, ['.conll', '.txt', '.tsv', '.bio', '.iob2', ''])}"
    path.write_bytes(bend_bytes(rng, encode(rng, content), share=0.7))
    if chance(rng, 0.2):
        (folder / "test.txt").write_bytes(bend_bytes(rng, content.encode("utf-8", "surrogatepass")))
        path = folder
    task = ["--task", "token-classification"] if chance(rng, 0.6) else []
    return ["data", str(path), "--quiet", *task]


def write_lines(rng: np.random.Generator, folder: Path) -> list[str]:
    """Text TAB label, label TAB text, bare lines, or one text per file in folders of classes."""
    if chance(rng, 0.2):
        for i in range(int(rng.integers(0, 9))):
            name = pick(rng, ["a", "b", "neg", "①", "10²", "\x1b[31m", "x\ty", "é", "e\u0301"])
            (folder / "texts" / name).mkdir(parents=True, exist_ok=True)
            written = encode(rng, " ".join(pick(rng, WORDS) for _ in range(6)) + nasty(rng))
            (folder / "texts" / name / f"{i}.txt").write_bytes(bend_bytes(rng, written, share=0.2))
        (folder / "texts").mkdir(exist_ok=True)
        return ["data", str(folder / "texts"), "--quiet"]
    rows, mixed, usual = [], harmed(rng, 0.3), int(rng.integers(4))
    for i in range(int(rng.integers(0, 40)) if harmed(rng, 0.3) else 40):
        words = " ".join(nasty(rng) if harmed(rng, 0.005) else pick(rng, WORDS) for _ in range(6))
        layouts = [f"{words}\t{'ab'[i % 2]}", f"{'ab'[i % 2]}\t{words}", f"__label__{'ab'[i % 2]} {words}", words]
        rows.append(pick(rng, layouts) if mixed else layouts[usual])
    path = folder / f"lines{pick(rng, ['.txt', '.tsv', '.all', '.dat', ''])}"
    path.write_bytes(bend_bytes(rng, encode(rng, "\n".join(rows))))
    return ["data", str(path), "--quiet"]


def write_json(rng: np.random.Generator, folder: Path) -> list[str]:
    """A list of records, one record per line, or a document of another shape."""
    rows: list[Any] = []
    for i in range(int(rng.integers(0, 30))):
        row: dict[str, Any] = {"text": " ".join(pick(rng, WORDS) for _ in range(6)), "label": "ab"[i % 2]}
        if harmed(rng, 0.04):
            row[pick(rng, ["text", "label", "id", nasty(rng)])] = _odd(rng, 0)
        rows.append(_odd(rng, 0) if harmed(rng, 0.005) else row)
    if chance(rng, 0.25):
        tagged = sentences(rng)
        rows = [{"tokens": tokens, pick(rng, ["ner_tags", "tags", "labels"]): tags} for tokens, tags in tagged]
        if rows and harmed(rng, 0.4):
            row = pick(rng, rows)
            row["tokens"] = _odd(rng, 0)
    lines = chance(rng, 0.6)
    content = "\n".join(_dump(row) for row in rows) if lines else _dump(rows)
    if harmed(rng, 0.05):
        content = pick(
            rng,
            [
                "[" * 100_000,
                '{"a":' * 50_000,
                "9" * 10_000,
                '[{"text": ' + "9" * 6000 + "}]",
                "[" + "1," * 50_000 + "1]",
            ],
        )
    path = folder / f"rows{pick(rng, ['.jsonl', '.ndjson', '.json', '.json', '.jsonl.gz'])}"
    path.write_bytes(
        bend_bytes(rng, encode(rng, content) if chance(rng, 0.3) else content.encode("utf-8", "surrogatepass"))
    )
    task = (
        ["--task", pick(rng, ["text-classification", "token-classification", "text-regression"])]
        if chance(rng, 0.3)
        else []
    )
    return ["data", str(path), "--quiet", *task]


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
