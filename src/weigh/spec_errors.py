"""What pydantic says of a wrong setting, in words of ours and in both languages.

Before it: `spec.py` and the options of recipes. After it: `spec_yaml.py` reports all of them at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from weigh.language import Text, join_texts, text

__all__ = ["WrongSettingError", "explain"]

# Of several types that a setting may have, the one that was tried.
TYPE = re.compile(r"constrained-|function-|\w+\[|(str|int|float|bool)$")
SECTION = text("a section with settings", "包含设置的小节")
WANTED = {
    "string": text("text", "文本"),
    "bool": text("true or false", "true 或 false"),
    "list": text("a list", "列表"),
    "dict": SECTION,
    "model": SECTION,
}
OF_TYPE = ("string_type", "bool_parsing", "bool_type", "list_type", "dict_type", "model_type", "model_attributes_type")


class WrongSettingError(ValueError):
    """A mistake that a validator of ours sees, in both languages; pydantic carries it to `explain`."""

    def __init__(self, sentence: Text) -> None:
        self.sentence = sentence
        super().__init__(sentence.en)


def explain(
    items: Iterable[Mapping[str, Any]],
    known: Callable[[tuple], Sequence[str]] | None = None,
    elsewhere: Callable[[str], Sequence[str]] = lambda _: (),
) -> list[Text]:
    """Pydantic's errors as sentences, one for each setting.

    Of a setting that may be a number or a word, pydantic reports what is wrong as a number and what is wrong as a word: that is one mistake.

    Args:
        known: Section (as pydantic writes places) -> names that may be set in it.
        elsewhere: Name -> settings of that name in other sections ("folds": "design.folds").
    """

    def names(item: Mapping[str, Any]) -> Sequence[str]:
        return () if known is None else known(item["loc"][:-1])

    by_setting: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        by_setting.setdefault(_setting(item["loc"]), []).append(item)
    sentences = []
    for setting, mistakes in by_setting.items():
        wanted = [_wanted(item["type"]) for item in mistakes]
        if len(mistakes) > 1 and None not in wanted:
            types = join_texts(dict.fromkeys(filter(None, wanted)), " or ", "或")
            sentences.append(_must_be(setting, mistakes[0], types))
            continue
        words = [item for item in mistakes if item["type"] == "literal_error"]
        others = [item for item in mistakes if item["type"] != "literal_error"]
        if not (words and others):
            sentences += [_explain_one(item, names(item), elsewhere) for item in mistakes]
            continue
        allowed = ", ".join(item.get("ctx", {}).get("expected", "") for item in words)
        first = _explain_one(others[0], names(others[0]), elsewhere)
        sentences.append(first + text("It may also be {x}.", "也可以是 {x}。", x=allowed))
    return sentences


def _setting(place: tuple) -> str:
    """ "run.jobs"; of a setting with several types pydantic also names the type that it tried: "run.jobs.constrained-int"."""
    parts = [str(part) for part in place if not TYPE.match(str(part))]
    return ".".join(parts) or "study.yaml"


def _explain_one(item: Mapping[str, Any], known: Sequence[str], elsewhere: Callable[[str], Sequence[str]]) -> Text:
    """One error as a sentence with the value and, for unknown keys, the same name in another section or the nearest known one."""
    where = _setting(item["loc"])
    mistake, value, context = item["type"], _short(item.get("input")), item.get("ctx") or {}
    if where == "run.trust_code":
        return text(
            "run.trust_code is no setting: whether code of a study's models may run is said on the command line, by whoever starts it: "
            "--trust-code (in Python: trust_code=True). A file that somebody sends must not decide it.",
            "run.trust_code 不是设置项：是否允许运行研究中模型的代码，由启动者在命令行上决定：--trust-code（Python 中：trust_code=True）。"
            "别人发来的文件不能决定这件事。",
        )
    if mistake == "extra_forbidden":
        name = str(item["loc"][-1])
        near = list(elsewhere(name)) or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = (
            text(" Did you mean '{n}'?", "您是想用“{n}”吗？", n=near[0])
            if near
            else text(" Known here: {k}.", "这里可用：{k}。", k=", ".join(known))
        )
        return text("{w}: there is no such setting.{h}", "{w}：没有这个设置。{h}", w=where, h=hint)
    if mistake == "missing":
        example = {"data": "data: photos/", "models": "models: [timm:resnet18]"}.get(where, "")
        return text("{w} is missing. {e}", "缺少 {w}。{e}", w=where, e=example)
    if mistake == "literal_error":
        return text(
            "{w}: {v} is not one of {x}.",
            "{w}：{v} 不在可选值 {x} 之中。",
            w=where,
            v=value,
            x=context.get("expected", ""),
        )
    if mistake.startswith(("greater_than", "less_than")):
        sign = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}[mistake]
        limit = context.get("gt", context.get("ge", context.get("lt", context.get("le"))))
        return text("{w}: {v} must be {s} {l}.", "{w}：{v} 必须 {s} {l}。", w=where, v=value, s=sign, l=limit)
    if mistake in ("int_parsing", "int_type", "int_from_float", "float_parsing", "float_type"):
        return text(
            "{w}: {v} is not a {t}number.",
            "{w}：{v} 不是{z}数。",
            w=where,
            v=value,
            t="whole " if mistake.startswith("int") else "",
            z="整" if mistake.startswith("int") else "",
        )
    if mistake == "finite_number":
        return text("{w}: {v} is not a finite number.", "{w}：{v} 不是有限的数。", w=where, v=value)
    if (wanted := _wanted(mistake)) is not None:
        return _must_be(where, item, wanted)
    own, message = context.get("error"), str(item.get("msg", "")).removeprefix("Value error, ")
    message = own.sentence if isinstance(own, WrongSettingError) else message
    value = "" if isinstance(item.get("input"), (dict, list)) else value
    return (
        text("{w}: {m} (got {v}).", "{w}：{m}（给出的是 {v}）。", w=where, m=message, v=value)
        if value
        else text("{w}: {m}.", "{w}：{m}。", w=where, m=message)
    )


def _wanted(mistake: str) -> Text | None:
    """What a value of another type should have been; None: it is another mistake."""
    return WANTED.get(mistake.partition("_")[0]) if mistake in OF_TYPE else None


def _must_be(setting: str, item: Mapping[str, Any], wanted: Text) -> Text:
    value = item.get("input")
    sentence = text("{w}: {v} must be {t}.", "{w}：{v} 必须是{t}。", w=setting, v=_short(value), t=wanted)
    if wanted != WANTED["string"] or not isinstance(value, dict) or len(value) != 1:
        return sentence
    ((key, inner),) = value.items()
    if isinstance(inner, (dict, list)):
        return sentence
    return sentence + text(
        "A blank behind a colon makes two words of one: write {o}.",
        "冒号后的空格把它分成了两部分：请写成 {o}。",
        o=_short(f"{key}:{inner}"),
    )


def _short(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "{…}" if isinstance(value, dict) else "[…]"
    written = repr(value) if isinstance(value, str) else str(value)
    return written if len(written) <= 60 else written[:57] + "…'"
