"""The command line: arguments, printing, exit codes. One command, one file; nothing heavy up here."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = (
    "rank",
    "explain",
    "compare",
    "coverage",
    "dashboard",
    "backtest",
    "init",
    "collect",
    "collect-support",
    "merge",
    "import-counts",
    "import-gharchive",
    "import-support",
    "compact",
    "measure",
    "schema",
    "plan",
    "preview",
    "train",
    "runs",
    "stacks",
    "bench",
    "methods",
    "inspect",
)


EXIT_INTERRUPTED = 130  # as shells say it


class _Commands(TyperGroup):
    """Lists the commands as above, first what is asked first; an interrupt of any has one end."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if name in super(_Commands, self).list_commands(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C at a question is an interrupt too, where click says that it was aborted."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as error:
            if isinstance(error, typer.Abort) and not isinstance(error.__context__, KeyboardInterrupt):
                raise
            print("\nadvisor: interrupted", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None


app = typer.Typer(
    name="advisor",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Which library should I build on? Health measured, ranked with reasons and doubts.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong input, 3 some missing, 4 nothing suitable or too low.",
)


@app.callback()
def _advisor() -> None:
    """Commands stay commands where only one is loaded."""


def load(asked: str | None) -> None:
    """Import the file of a command, which registers it; of every command where none of them is asked for."""
    for name in (asked,) if asked in COMMANDS else COMMANDS:
        import_module(f"{__name__}.commands.{name.replace('-', '_')}")


def main() -> None:
    """Run the command line; every error that is meant for the user becomes one line on stderr."""
    from advisor.errors import AdvisorError

    load(next((word for word in sys.argv[1:] if not word.startswith("-")), None))
    try:
        app()
    except AdvisorError as error:
        print(f"advisor: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
