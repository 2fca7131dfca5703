"""The code of a user's own model: the factory, the files that it is written in, and their hash.

Only what stands in files of Python can be hashed, so only that is loaded: the module of the factory, and what it imports from the same
folder, found by reading `import` statements. Before it: an address that somebody trusts. After it: `own_model.py`.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import random
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weigh.errors import ModelError, reason_of
from weigh.language import Text, text

__all__ = ["Code", "files_of", "find_code", "first_digest", "running"]

MOST_FILES = 1_000


@dataclass(frozen=True)
class Code:
    """A factory and where it is written.

    Attributes:
        factory: Returns the model.
        takes_pretrained: It has a parameter `pretrained`.
        files: Of its module, and of those that it imports from beside it.
        digest: Hash of their contents.
    """

    factory: Callable[..., Any]
    takes_pretrained: bool
    files: tuple[Path, ...]
    digest: str

    def make(self, *, pretrained: bool) -> Any:
        """What the factory returns."""
        return self.factory(pretrained=pretrained) if self.takes_pretrained else self.factory()


def find_code(place: str) -> Code:
    """The factory at "package.module:function"; its module is imported.

    Raises:
        ModelError: No such module or function, one that cannot be called so, or one that changed since this process imported it.
    """
    name, _, attribute = place.partition(":")
    factory: Any = _import(name)
    for part in attribute.split("."):
        factory = getattr(factory, part, None)
    if not callable(factory):
        known = sorted(k for k, v in vars(sys.modules[name]).items() if callable(v) and k[0] != "_")[:8]
        raise ModelError(
            text("The module {m} has no function {f}.", "模块 {m} 中没有函数 {f}。", m=name, f=attribute),
            do=text("It has: {k}.", "其中有：{k}。", k=", ".join(known) or "–"),
        )
    takes_pretrained = _check_parameters(factory, place)
    files = files_of(name)
    digest = _digest(files)
    if digest != first_digest(name):
        raise ModelError(
            text(
                "{f} changed since this process imported it.",
                "{f} 在本进程导入之后被修改过。",
                f=files[0].name,
            ),
            text(
                "Python goes on with the former code, and results must not be kept under the name of the new one.",
                "Python 仍在使用原来的代码，其结果不能记在新代码名下。",
            ),
            text(
                "Start Python anew (in a notebook: restart the kernel).", "请重新启动 Python（在笔记本中：重启内核）。"
            ),
        )
    return Code(factory, takes_pretrained, files, digest)


@contextlib.contextmanager
def running(place: str, what: Text) -> Iterator[None]:
    """Around code of the user: what it prints goes to standard error, its settings of torch end with it, what it draws follows from
    torch's seed, its errors are ours to tell.

    Args:
        what: What was being done, for the error: "was imported".

    Raises:
        ModelError: The code raised something.
    """
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    states, seed = (random.getstate(), np.random.get_state()), torch.initial_seed() % 2**32
    try:
        random.setstate(random.Random(seed).getstate())  # what it draws is the same in every process
        np.random.set_state(np.random.RandomState(seed).get_state())
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        raise ModelError(
            text("{p}: an error occurred while it {w}: {e}", "{p}：{w}时出错：{e}", p=place, w=what, e=_told(error)),
            do=text(
                'Try it in Python, where the whole error is shown: python -c "import {m}; {m}.{f}()"',
                '请在 Python 中试运行，可看到完整的错误：python -c "import {m}; {m}.{f}()"',
                m=place.partition(":")[0],
                f=place.partition(":")[2],
            ),
        ) from None
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        random.setstate(states[0])
        np.random.set_state(states[1])


def _told(error: BaseException) -> str:
    """The error of a user's code with the line where it arose."""
    others = (
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
        str(Path(__file__).parents[1]),
        "<",
    )
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(others)]
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {reason_of(error)}{where}"


def _import(name: str) -> Any:
    if name == "__main__":
        raise ModelError(
            text(
                "A factory of the script that is running cannot be imported elsewhere.",
                "正在运行的脚本中的工厂函数无法在别处导入。",
            ),
            text(
                "Worker processes and `weigh predict` import it by its module.",
                "工作进程和 `weigh predict` 需要按模块导入它。",
            ),
            text("Put it into a file of its own, such as my_models.py.", "请把它放进单独的文件，例如 my_models.py。"),
        )
    try:
        with running(name, text("was imported", "导入")):
            try:
                importlib.invalidate_caches()  # a file that a notebook wrote a moment ago
                return importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                    raise  # one that it needs
    except ModelError as error:
        raise ModelError(
            error.what, error.why, text('Try it: python -c "import {m}"', '请试运行：python -c "import {m}"', m=name)
        ) from None
    raise ModelError(
        text("There is no module {m}.", "没有模块 {m}。", m=name),
        text(
            "It is looked for in {p}, and where packages are installed.",
            "查找位置：{p}，以及软件包的安装位置。",
            p=Path.cwd(),
        ),
        text(
            "Start the command in the folder that holds {f}, or name that folder: PYTHONPATH=FOLDER weigh …",
            "请在 {f} 所在的文件夹中启动命令，或指明该文件夹：PYTHONPATH=文件夹 weigh …",
            f=f"{name.partition('.')[0]}.py" if "." not in name else f"{name.partition('.')[0]}/",
        ),
    )


def _check_parameters(factory: Callable[..., Any], place: str) -> bool:
    """Whether it takes `pretrained`.

    Raises:
        ModelError: It needs something else.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # built in
        return False
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if others := [name for name in needed if name != "pretrained"]:
        raise ModelError(
            text("{p} needs the argument {a}.", "{p} 需要参数 {a}。", p=place, a=others[0]),
            text(
                "weigh calls a factory without arguments, or with pretrained=True or False.",
                "weigh 调用工厂函数时不带参数，或只带 pretrained=True 或 False。",
            ),
            text(
                "Write a function that calls it: def build(): return {f}(…)",
                "请写一个调用它的函数：def build(): return {f}(…)",
                f=place.partition(":")[2],
            ),
        )
    return any(p.name == "pretrained" for p in parameters)


# Its files --------------------------------------------------------------------------------------------------------------


def files_of(name: str) -> tuple[Path, ...]:
    """The file of a module, and those of modules that it imports from the folder that holds it, in a stable order.

    Of an installed package only its own files: what it depends on has a version.

    Raises:
        ModelError: The module is in no file.
    """
    top = name.partition(".")[0]
    origin = getattr(sys.modules[name], "__file__", None)
    if origin is None or not Path(origin).is_file():
        raise ModelError(
            text("The module {m} is in no file.", "模块 {m} 不在文件中。", m=name),
            text(
                "Its code enters the names of its results, so it must be readable.",
                "代码会计入结果的标识，因此必须可读。",
            ),
        )
    first = Path(origin).resolve()
    depth = name.count(".") + (first.name == "__init__.py")
    root = first.parents[depth]
    installed = any("site-packages" in part or "dist-packages" in part for part in root.parts) or root == Path(
        sysconfig.get_path("stdlib")
    )
    files, waiting = {first}, [(first, name)]
    while waiting and len(files) < MOST_FILES:
        path, module = waiting.pop()
        for imported in _imports(path, module):
            if installed and imported.partition(".")[0] != top:
                continue
            for inner, beside in _of_module(root, imported):
                if beside not in files:
                    files.add(beside)
                    waiting.append((beside, inner))
    return (first, *sorted(files - {first}))


def _of_module(root: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Names and files of a module below `root` and of the packages that hold it, as far as they are there."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        place, inner = root.joinpath(*parts[:count]), ".".join(parts[:count])
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path.is_file():
                yield inner, path.resolve()
                break


def _imports(path: Path, module: str) -> Iterator[str]:
    """Absolute names of what a file imports, wherever in it that is said."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):  # an extension in C
        return
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            of = ".".join([*base, *filter(None, [node.module])])
            if of:
                yield of
            yield from (f"{of}.{alias.name}".strip(".") for alias in node.names)


def _digest(files: tuple[Path, ...]) -> str:
    """Hash of names and contents; line ends do not count, as they differ between systems."""
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        digest.update(f"{path.name}\x1f".encode() + path.read_bytes().replace(b"\r\n", b"\n") + b"\x1f")
    return digest.hexdigest()


@cache
def first_digest(name: str) -> str:
    """The hash of a module's files when this process first looked at them."""
    return _digest(files_of(name))
