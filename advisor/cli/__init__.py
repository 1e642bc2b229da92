"""The command line: options, printing and exit codes.

Each command has a file in ``commands/``. Modules here import little, so that a command starts fast.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from advisor.errors import AdvisorError

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


EXIT_INTERRUPT = 130  # as shells report Ctrl-C: 128 + SIGINT


class _Commands(TyperGroup):
    """The commands in the order of `COMMANDS`, with one example a line in their help."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if name in super(_Commands, self).list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None and command.help:
            # click keeps the lines of a paragraph that begins with a backspace character
            command.help = command.help.replace("\n\nExamples:\n", "\n\n\b\nExamples:\n")
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C exits with 130, at a prompt too, where click reports an abort."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as error:
            if isinstance(error, typer.Abort) and not isinstance(error.__context__, KeyboardInterrupt):
                raise
            print("\nadvisor: interrupted", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPT) from None


app = typer.Typer(
    name="advisor",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Rank libraries by the health of their projects, with reasons and doubts.",
    epilog="Exit codes: 0 success, 1 failure, 2 wrong input, 3 partial result (repositories are missing), "
    "4 no suitable candidate, or a score is below --fail-under, 130 interrupted.",
)


@app.callback()
def _advisor() -> None:
    """Keep the group: without a callback, typer turns a single loaded command into the program."""


def load(command: str | None) -> None:
    """Import the file of a command, which registers it; without a known command, import all files."""
    for name in (command,) if command in COMMANDS else COMMANDS:
        import_module(f"{__name__}.commands.{name.replace('-', '_')}")


def main() -> None:
    """Run the command line; print an error of advisor, and a file that cannot be written, as one line."""
    from advisor.errors import AdvisorError

    load(next((word for word in sys.argv[1:] if not word.startswith("-")), None))
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except Exception as error:
        message = error if isinstance(error, AdvisorError) else _explain(error)
        if message is None:
            raise
        print(f"advisor: {message}", file=sys.stderr)
        sys.exit(message.exit_code)


def _explain(error: Exception) -> AdvisorError | None:
    """Return the message for an error of the system or of DuckDB; None for a fault of advisor."""
    from advisor.errors import AdvisorError
    from advisor.write_errors import explain_write_error

    if isinstance(error, BrokenPipeError):  # as in `advisor rank | head`
        _discard_output()
        sys.exit(AdvisorError.exit_code)
    path = None
    if isinstance(error, OSError) and error.filename is None and _is_output_broken():
        path = "the standard output"
        _discard_output()
    if (message := explain_write_error(error, path)) is not None:
        return message
    # Facts that match their hashes can still be out of DuckDB's range, or need more than its memory.
    duckdb = sys.modules.get("duckdb")
    if duckdb is not None and isinstance(error, duckdb.Error):
        return AdvisorError(f"the facts cannot be measured: {str(error).splitlines()[0]}")
    return None


def _is_output_broken() -> bool:
    """Return whether the standard output takes no byte more; after a failed write its buffer is empty."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except ValueError:  # it is not a file
        return False
    except OSError:
        return True
    return False


def _discard_output() -> None:
    """Send what remains for the standard output nowhere, so that Python says nothing more at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
