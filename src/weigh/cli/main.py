"""The command line: parses, calls `Study`, prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import gc
import os
import sys

import typer

from weigh.errors import WeighError
from weigh.language import detect_language, text

__all__ = ["app", "main"]

app = typer.Typer(
    name="weigh",
    help="Fine-tune pretrained models and learn which one to use, and what may honestly be concluded.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _register() -> None:
    if app.registered_commands:
        return
    from weigh.cli import data, glue, models, read, study, winner

    for module in (study, read, glue, winner, data, models):
        module.register(app)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed or found, 2 the user's input, 130 interrupted."""
    gc.set_threshold(200_000, 50, 100)  # short-lived commands make many small objects and few cycles
    _register()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    language = _language(arguments)
    try:
        code = app(args=arguments, standalone_mode=False)
        code = code if isinstance(code, int) else 0
    except typer.Exit as stop:
        code = stop.exit_code
    except WeighError as error:
        print(error.render(language), file=sys.stderr)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:  # `weigh predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if not hasattr(error, "format_message"):  # not a usage error of the parser: a bug of ours, shown in full
            raise
        if hasattr(error, "show"):
            error.show()
        code = 2
    if code == 130:
        said = text(
            "\nInterrupted. What was finished is kept; the same command goes on from here.",
            "\n已中断。已完成的部分都已保存；再次运行同一命令即可继续。",
        )
        print(said.render(language), file=sys.stderr)
    return code


def _language(arguments: list[str]) -> str:
    for position, argument in enumerate(arguments):
        if argument == "--lang" and position + 1 < len(arguments):
            return detect_language(arguments[position + 1])
        if argument.startswith("--lang="):
            return detect_language(argument.partition("=")[2])
    return detect_language()


if __name__ == "__main__":
    sys.exit(main())
