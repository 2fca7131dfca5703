"""From what a person typed to a `StudySpec`: YAML, options, `--set a.b=c`; every mistake reported at once.

Before it: the command line or `Study.from_yaml`. After it: `study.py`. Nothing here reads data or models; it does
know the registries, so that a misspelt metric or recipe is caught before anything runs.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from weigh.errors import SpecError, WeighError, did_you_mean, reason_of
from weigh.files import open_regular
from weigh.language import Text, join_texts, text
from weigh.settings import user_path
from weigh.spec import RecipeSpec, StudySpec, settings_called
from weigh.spec_errors import explain
from weigh.spec_recipes import recipes_of_study
from weigh.yaml_loader import load_yaml

__all__ = [
    "apply_settings",
    "changed_settings",
    "dump_spec",
    "kept_spec",
    "load_spec",
    "parse_duration",
    "read_yaml",
    "resolve_paths",
    "study_schema",
]

AVERAGES = ("ensemble", "average", "stacking")  # what people may take for a recipe
BUDGETED = {"design": ("curve", "order_check", "cleaned"), "output": ("words",)}  # what a short budget may turn off
USUAL = (
    "--set recipes"  # where `apply_settings` keeps what is set of recipes that nobody named, until the task is known
)
MAX_BYTES = 1_000_000  # a study.yaml is a page of text; a larger file is a mistake or an attack


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        SpecError: Not readable, not YAML, not a mapping, a key given twice.
    """
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise SpecError(
                text(
                    "{p} has more than {n} bytes; a study.yaml is short.",
                    "{p} 超过 {n} 字节；study.yaml 应该很短。",
                    p=path,
                    n=MAX_BYTES,
                )
            )
        text_read = _decoded(raw, path)
        content = load_yaml(text_read)
    except OSError as error:
        raise SpecError(
            text("{p} cannot be read: {e}.", "无法读取 {p}：{e}。", p=path, e=error.strerror or error),
            do=did_you_mean(path) if isinstance(error, FileNotFoundError) else None,
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: what PyYAML's constructors of numbers and of bytes raise
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem: Text | str = str(getattr(error, "problem", None) or reason_of(error))[:200]
        if isinstance(error, yaml.reader.ReaderError):
            where = f":{len((text_read[: error.position] + '.').splitlines())}"
            problem = text(
                "it holds the invisible character U+{c:04X}", "其中有不可见字符 U+{c:04X}", c=int(error.character)
            )
        raise SpecError(
            text("{p}{w} is not valid YAML: {e}.", "{p}{w} 不是有效的 YAML：{e}。", p=path, w=where, e=problem),
            do=text("See `weigh schema` for what a study.yaml may hold.", "study.yaml 可用的内容见 `weigh schema`。"),
        ) from None
    if not isinstance(content, dict):
        raise SpecError(
            text("{p} holds no settings.", "{p} 里没有任何设置。", p=path),
            do=text(
                "Write at least:\ndata: photos/\nmodels: [timm:resnet18]",
                "至少写上：\ndata: photos/\nmodels: [timm:resnet18]",
            ),
        )
    return content


def _decoded(raw: bytes, path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 where its first bytes say so.

    Raises:
        SpecError: In another encoding; names the line.
    """
    try:
        return raw.decode("utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = len((raw[: error.start] + b".").splitlines())
        raise SpecError(
            text(
                "{p}:{n} is not in UTF-8: a letter on that line cannot be read.",
                "{p}:{n} 不是 UTF-8 编码：该行有无法读取的字符。",
                p=path,
                n=line,
            ),
            text("In another encoding the same bytes mean other letters.", "换一种编码，同样的字节会变成别的字符。"),
            text(
                "Save the file as UTF-8 in your editor, then run the same command again.",
                "请在编辑器中把文件另存为 UTF-8，再运行同一命令。",
            ),
        ) from None


def apply_settings(content: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """`["design.folds=5", "recipes.finetune.epochs=3"]` put into the mapping; values are read as YAML.

    `recipes.NAME.FIELD` finds the recipe of that name (or label).

    Raises:
        SpecError: A setting without '=' or with a path that leads nowhere.
    """
    content = {**content}
    if isinstance(content.get("data"), str):
        content["data"] = {"train": content["data"]}
    for setting in settings:
        path, equals, value = setting.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not equals or not all(keys):
            raise SpecError(
                text("--set '{s}' is not of the form a.b=value.", "--set “{s}” 不是 a.b=值 的形式。", s=setting),
                do=text("Example: --set design.folds=10", "例如：--set design.folds=10"),
            )
        try:
            parsed = load_yaml(value) if value.strip() else None
        except (yaml.YAMLError, ValueError, RecursionError):
            parsed = value
        if parsed in ("", None) and value.strip() not in ("", "''", '""', "null", "~"):
            parsed = value.strip()  # "|" and ">" begin a block in YAML; here they are meant
        if keys[0] == "recipes" and len(keys) == 3:
            _set_recipe(content, keys[1], keys[2], parsed)
            continue
        place = content
        for key in keys[:-1]:
            inner = place.get(key)
            place[key] = {**inner} if isinstance(inner, dict) else {}
            place = place[key]
        place[keys[-1]] = parsed
    return content


def _set_recipe(content: dict[str, Any], name: str, field: str, value: Any) -> None:
    recipes = content.get("recipes")
    if not recipes:  # which run by themselves depends on the task
        options = content.get(USUAL, {})
        content[USUAL] = {**options, name: {**options.get(name, {}), field: value}}
        return
    recipes = [
        {"name": r} if isinstance(r, str) else dict(r) if isinstance(r, dict) else r
        for r in (recipes if isinstance(recipes, list) else [recipes])
    ]
    chosen = [r for r in recipes if isinstance(r, dict) and name in (r.get("name"), r.get("label"))]
    names = [str(r.get("label") or r.get("name")) for r in recipes if isinstance(r, dict)]
    if not chosen:
        raise SpecError(
            text(
                "--set recipes.{n}.{f}: the study has no recipe '{n}'.",
                "--set recipes.{n}.{f}：研究中没有方案“{n}”。",
                n=name,
                f=field,
            ),
            do=text("It has: {r}.", "其中有：{r}。", r=", ".join(names)),
        )
    for recipe in chosen:
        recipe[field] = value
    content["recipes"] = recipes


def load_spec(content: dict[str, Any], *, base: Path | None = None) -> StudySpec:
    """A validated specification; relative paths of the data are resolved against `base` where they exist there.

    Raises:
        SpecError: All problems at once, one per line.
    """
    problems: list[Text] = []
    options = content.get(USUAL, {})
    content = {key: value for key, value in content.items() if key != USUAL}
    try:
        spec = StudySpec.model_validate(content)
    except ValidationError as error:
        raise _report(explain(error.errors(include_url=False), _fields_at, settings_called)) from None
    except RecursionError:
        raise SpecError(text("The settings are nested too deeply.", "设置的嵌套层次过深。")) from None
    if "recipes" not in spec.model_fields_set:
        spec = spec.with_usual_options(options)
    recipes = _check_names(spec, problems)
    if problems:
        raise _report(problems)
    named, completed = "recipes" in spec.model_fields_set, spec.model_copy(update={"recipes": recipes})
    if not named and spec.task is None:
        completed.model_fields_set.discard(
            "recipes"
        )  # those that are not for the task can be told once the data are read
    return resolve_paths(completed, base)


def _report(problems: list[Text]) -> SpecError:
    many = len(problems) > 1
    head = text("{n} problems in the study's settings:", "研究设置中有 {n} 个问题：", n=len(problems)) if many else None
    lines = [text("- {p}", "- {p}", p=problem) for problem in problems] if many else problems
    what = join_texts([*([head] if head else []), *lines], "\n", "\n")
    return SpecError(
        what, do=text("`weigh schema` prints everything that may be set.", "`weigh schema` 会列出所有可用的设置。")
    )


def _fields_at(location: tuple) -> list[str]:
    """Names that may be set in the section at `location`."""
    model: Any = StudySpec
    for part in location:
        if isinstance(part, int) or part not in getattr(model, "model_fields", {}):
            continue
        annotation = model.model_fields[part].annotation
        options = [annotation, *get_args(annotation)]
        model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), model)
    return list(model.model_fields)


def _check_names(spec: StudySpec, problems: list[Text]) -> list[RecipeSpec]:
    """Names that the registries do not know and options that are none go to `problems`; the recipes with their options as they are read."""
    from weigh.metrics.base import METRICS
    from weigh.models.address import parse_address
    from weigh.run import RECIPES, checked_recipe

    def collect(look_up, *args) -> Any:
        try:
            return look_up(*args)
        except WeighError as error:
            problems.append(Text(*(error.render(lang).replace("\n", " ") for lang in ("en", "zh"))))

    for address in spec.models:
        collect(parse_address, address)
    for name in [spec.primary, *(spec.metrics.also or [])]:
        collect(METRICS.get, name)
    for recipe in spec.recipes:
        if recipe.name in AVERAGES and recipe.name not in RECIPES:
            problems.append(
                text(
                    "'{n}' is no recipe: every study of classes, labels or numbers with several candidates is asked whether their average is better. To save that average too: --set output.ensemble=always",
                    "“{n}”不是训练方案：类别、多标签和数值的研究只要含多个候选方案，都会判断其平均是否更好。若还要保存该平均模型：--set output.ensemble=always",
                    n=recipe.name,
                )
            )
            return []
    of_study = collect(recipes_of_study, spec, spec.task) or []
    recipes = [collect(checked_recipe, recipe, spec.task) for recipe in of_study]
    if spec.design.budget is not None:
        collect(parse_duration, spec.design.budget)
    return recipes


def study_schema() -> dict[str, Any]:
    """The JSON schema of study.yaml, with the options of every recipe, also of plugins."""
    from weigh.run import RECIPES

    schema = StudySpec.model_json_schema()
    plain = schema["$defs"]["RecipeSpec"]
    schema["$defs"]["RecipeSpec"] = {
        "anyOf": [
            {
                **plain,
                "title": recipe.name,
                "description": recipe.title.en,
                "properties": {
                    **{
                        name: field
                        for options in recipe.options.values()
                        for name, field in _fields_of(options).items()
                    },
                    **plain["properties"],
                    "name": {"const": recipe.name},
                },
                "additionalProperties": False,
            }
            for _, recipe in RECIPES.items()
        ]
    }
    return schema


def _fields_of(options: type[BaseModel]) -> dict[str, Any]:
    return options.model_json_schema()["properties"]


_UNITS = {
    3600: r"hours?|hrs?|h|小时",
    60: r"minutes?|mins?|m|分钟?",
    1: r"seconds?|secs?|s|秒",
}  # seconds -> how the unit is written
_DURATION = re.compile(
    "".join(rf"(?:([0-9]+(?:\.[0-9]+)?)\s*(?:{unit})\s*)?" for unit in _UNITS.values()), re.IGNORECASE
)


def parse_duration(written: str) -> float:
    """ "90s", "30m", "2h", "1h30m", "10 minutes" in seconds.

    Raises:
        SpecError: Not a duration, or none at all.
    """
    written = str(written).strip()
    match = _DURATION.fullmatch(written)
    seconds = sum(float(part or 0) * unit for part, unit in zip(match.groups(), _UNITS, strict=True)) if match else 0.0
    if 0 < seconds < float("inf"):
        return seconds
    if re.fullmatch(r"[0-9]{1,9}", written) and int(written):
        raise SpecError(
            text(
                "design.budget: '{w}' has no unit, so it is not a duration; write {w}m for minutes, {w}s for seconds or {w}h for hours.",
                "design.budget：“{w}”没有单位，不是时长；{w} 分钟写作 {w}m，{w} 秒写作 {w}s，{w} 小时写作 {w}h。",
                w=written,
            )
        )
    if match and written and not seconds:
        raise SpecError(
            text(
                "design.budget: in '{w}' nothing can be run; write 30s, 10m or 2h.",
                "design.budget：“{w}”内什么也做不了；请写成 30s、10m 或 2h。",
                w=written,
            )
        )
    raise SpecError(
        text(
            "design.budget: '{w}' is not a duration; write 30s, 10m, 2h or 1h30m.",
            "design.budget：“{w}”不是时长；请写成 30s、10m、2h 或 1h30m。",
            w=written,
        )
    )


def resolve_paths(spec: StudySpec, base: Path | None) -> StudySpec:
    """Paths of the data made absolute, so that the study can be resumed from any folder."""

    def absolute(written: str | None) -> str | None:
        if not written or written.startswith("hub:"):
            return written
        for folder in filter(None, (base, Path.cwd())):
            try:
                if (path := folder / user_path(written)).exists():
                    return str(path.resolve())
            except (OSError, ValueError):
                continue  # a name that no file system takes; the reader says so
        return written

    data = spec.data.model_copy(update={key: absolute(getattr(spec.data, key)) for key in ("train", "test", "root")})
    data = data.model_copy(update={"shifted": {name: str(absolute(path)) for name, path in data.shifted.items()}})
    spec = spec.model_copy(update={"data": data})
    if spec.pretrain is None:
        return spec
    named = {key: absolute(getattr(spec.pretrain, key)) for key in ("texts", "pictures")}
    return spec.model_copy(update={"pretrain": spec.pretrain.model_copy(update=named)})


def changed_settings(before: Any, after: Any, name: str = "") -> list[str]:
    """ "design.folds: 5 → 10" for every setting that differs; nothing where there was none before."""
    if before is None and not name:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return [
            line
            for key in keys
            for line in changed_settings(before.get(key), after.get(key), f"{name}.{key}".strip("."))
        ]
    return [f"{name}: {'-' if before is None else before} → {'-' if after is None else after}"]


def kept_spec(spec: StudySpec) -> dict[str, Any]:
    """The specification as a study keeps it, without what is unset. Of `BUDGETED` only what the user set: who goes on from the study's own file
    with less time has not asked for the others.
    """
    kept = spec.model_dump(mode="json", exclude_none=True)
    for section, names in BUDGETED.items():
        for name in set(names) - getattr(spec, section).model_fields_set:
            kept[section].pop(name, None)
    return kept


def dump_spec(spec: StudySpec) -> str:
    """The specification as YAML, as a study keeps it (`kept_spec`)."""
    return yaml.safe_dump(kept_spec(spec), sort_keys=False, allow_unicode=True)
