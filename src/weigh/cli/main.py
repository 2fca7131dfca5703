"""The command line: parses, calls `Study`, prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import atexit
import gc
import os
import shlex
import shutil
import sys
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from weigh.cli.output import printing, tell_unexpected
from weigh.errors import WeighError
from weigh.language import Text, detect_language, text
from weigh.notices import notices_to

__all__ = ["app", "main"]

# commands of which nothing is kept when they are interrupted
BEGIN_ANEW = (
    "cache",
    "data",
    "doctor",
    "evaluate",
    "export",
    "glue",
    "models",
    "plan",
    "read",
    "recipes",
    "report",
    "schema",
)

APART = text(
    "Several values of one option are joined with commas (--models A,B), but each setting has its own --set (--set A=1 --set B=2); a path with blanks goes "
    "into quotes.",
    "同一选项的多个值用逗号连接（--models A,B），但每项设置要各写一个 --set（--set A=1 --set B=2）；含空格的路径请加引号。",
)

app = typer.Typer(
    name="weigh",
    help="Fine-tune pretrained models and learn which one to use, and what may honestly be concluded.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(value: bool) -> None:
    if value:
        from weigh import __version__

        print(f"weigh {__version__}")
        raise typer.Exit


@app.callback()
def _before(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """What may stand before a command."""


def _register() -> None:
    if app.registered_commands:
        return
    from weigh.cli import data, evaluation, glue, models, rank, read, study, winner

    for module in (study, rank, read, glue, winner, evaluation, data, models):
        module.register(app)


@cache
def _end_quickly() -> None:
    """When this process ends, nothing is searched for cycles any more: with torch and transformers loaded that took seconds."""
    atexit.register(gc.freeze)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed or found, 2 the user's input, 70 a mistake of ours, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    language = _language(arguments)
    with printing(), notices_to(lambda sentence: print(sentence.render(language), file=sys.stderr)):
        return _run(arguments, language)


def _run(arguments: list[str], language: str) -> int:
    gc.set_threshold(200_000, 50, 100)  # short-lived commands make many small objects and few cycles
    _end_quickly()
    _register()
    try:
        code = app(args=arguments, standalone_mode=False)
        code = code if isinstance(code, int) else 0
        sys.stdout.flush()  # a full disk behind `> file` is reported now, not when the interpreter exits
    except typer.Exit as stop:
        code = stop.exit_code
    except WeighError as error:
        print(error.render(language), file=sys.stderr)
        if "pip install" in str(error) and (own := _own_pip()) is not None:
            print(own.render(language), file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:  # `weigh predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:  # a disk that is full, read-only, without permission, wherever it was touched
        from weigh.disk import storage_error

        fault = storage_error(error, None if error.filename else text("standard output", "标准输出"))
        if not error.filename:
            with suppress(OSError, ValueError):  # or the interpreter tries again as it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(fault.render(language), file=sys.stderr)
        code = fault.exit_code
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # also the panics of libraries written in Rust
        if hasattr(error, "format_message") and hasattr(error, "show"):  # a usage error of the parser
            error.show()
            if "extra argument" in error.format_message():
                print(APART.render(language), file=sys.stderr)
            code = 2
        else:
            tell_unexpected(error, language)
            code = 70
    if code == 130:
        print(_interrupted(arguments).render(language), file=sys.stderr)
    return code


def _own_pip() -> Text | None:
    """What to write for pip, where a shell finds none or that of another Python; None where it finds this one's, or this one has none."""
    of_shell = shutil.which("pip")
    if (
        not sys.executable
        or find_spec("pip") is None
        or (of_shell and Path(of_shell).parent == Path(sys.executable).parent)
    ):
        return None
    return text(
        "For pip write {p} here: it installs for the Python that runs weigh.",
        "此处请把 pip 写成 {p}：这样才会安装到运行 weigh 的 Python 中。",
        p=f"{shlex.quote(sys.executable)} -m pip",
    )


def _interrupted(arguments: list[str]) -> Text:
    """What Ctrl-C means for the command: studies and features keep what was finished."""
    if arguments and arguments[0] in BEGIN_ANEW:
        return text("\nInterrupted. The same command begins anew.", "\n已中断。再次运行同一命令会重新开始。")
    if arguments and arguments[0] == "predict":  # says itself what it keeps (`predicting.py`); this is before and after
        return text("\nInterrupted.", "\n已中断。")
    return text(
        "\nInterrupted. What was finished is kept; the same command goes on from here.",
        "\n已中断。已完成的部分都已保存；再次运行同一命令即可继续。",
    )


def _language(arguments: list[str]) -> str:
    for position, argument in enumerate(arguments):
        if argument == "--lang" and position + 1 < len(arguments):
            return detect_language(arguments[position + 1])
        if argument.startswith("--lang="):
            return detect_language(argument.partition("=")[2])
    return detect_language()


if __name__ == "__main__":
    sys.exit(main())
