"""`weigh.model(factory, …)`: a user's own model as an address, which stands wherever addresses stand.

    study = Study.from_data("photos", ["timm:resnet18", weigh.model(my_models.build, preprocess=transform, name="mine")])

The address says all that was said here, so that studies, worker processes and saved models need nothing else. Before it: a function in a
module. After it: `own_model.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any
from urllib.parse import quote

from weigh.errors import ModelError
from weigh.language import Text, text
from weigh.models.address import OwnModel
from weigh.models.own_code import find_code
from weigh.models.preprocessing import Preprocessing
from weigh.models.transforms import read_transform

__all__ = ["model"]

LONGEST = 60  # characters of a name


def model(factory: Callable[..., Any], *, preprocess: Any = None, name: str = "") -> OwnModel:
    """The address of a user's own model.

    Args:
        factory: A function of a module, without arguments or with `pretrained`; returns a `torch.nn.Module` that takes pictures `(n, 3, size, size)`.
            A class of modules is one too.
        preprocess: How its pictures are prepared: a `Compose` of torchvision (Resize, CenterCrop, ToDtype, Normalize), `weights.transforms()`,
            or `dict(size=…, mean=…, std=…)`. Default: 224 pixels and the statistics of ImageNet, which is told.
        name: What reports call it.

    Returns:
        "python:MODULE:FACTORY?name=…&size=…": who wrote it in Python trusts its code; in a study.yaml it takes --trust-code.

    Raises:
        ModelError: A function that cannot be imported by name, or a preparation that cannot be read.
    """
    place = _place(factory)
    find_code(place)
    options: dict[str, str] = {}
    if name:
        if len(name) > LONGEST or not name.isprintable() or not name.strip():
            raise ModelError(
                text("name={n} cannot be shown.", "名称 {n} 无法显示。", n=ascii(name[:LONGEST])),
                do=text("Use up to {m} printable characters.", "请使用不超过 {m} 个可显示字符。", m=LONGEST),
            )
        options["name"] = name
    if preprocess is not None:
        prepared = read_transform(preprocess)
        for field in fields(Preprocessing):
            value = getattr(prepared, field.name)
            if value != field.default:
                options[field.name] = ":".join(map(repr, value)) if isinstance(value, tuple) else str(value)
    query = "&".join(f"{key}={quote(value, safe=':')}" for key, value in options.items())
    return OwnModel(f"python:{place}" + (f"?{query}" if query else ""))


def _place(factory: Any) -> str:
    """ "package.module:function".

    Raises:
        ModelError: Nobody else could find it by a name.
    """
    module, qualified = getattr(factory, "__module__", None), getattr(factory, "__qualname__", None)
    if not callable(factory) or not module or not qualified:
        raise _not_importable(text("a {k} has no name in a module", "{k} 在模块中没有名称", k=type(factory).__name__))
    if "<lambda>" in qualified:
        raise _not_importable(text("a lambda has no name", "lambda 没有名称"))
    if "<locals>" in qualified:
        local = qualified.replace(".<locals>", "")
        raise _not_importable(text("{f} is defined inside a function", "{f} 定义在函数内部", f=local))
    if module != "__main__":
        named: Any = sys.modules.get(module)
        for part in qualified.split("."):
            named = getattr(named, part, None)
        if named is not factory:
            raise _not_importable(text("{m}.{f} is something else", "{m}.{f} 是别的对象", m=module, f=qualified))
    return f"{module}:{qualified}"


def _not_importable(reason: Text) -> ModelError:
    return ModelError(
        text("This factory cannot be imported by name: {r}.", "无法按名称导入该工厂函数：{r}。", r=reason),
        text(
            "Worker processes, a resumed study and `weigh predict` build the model anew.",
            "工作进程、恢复的研究和 `weigh predict` 都要重新构建模型。",
        ),
        text(
            "Write `def build(): return …` at the top level of a file such as my_models.py and give weigh.model(my_models.build).",
            "请在文件（例如 my_models.py）的顶层写 `def build(): return …`，并使用 weigh.model(my_models.build)。",
        ),
    )
