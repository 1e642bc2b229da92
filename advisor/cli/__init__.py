"""The command line: options, printing and exit codes.

Each command has a file in ``commands/``. Modules here import little, so that a command starts fast.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from advisor.errors import EXIT_FAILURE, InputError

# A pydantic plugin would see the user's files, and the search for plugins reads all installed packages.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
COMMANDS = (
    "rank",
    "explain",
    "compare",
    "domains",
    "goals",
    "config",
    "coverage",
    "recipes",
    "upgrade",
    "dashboard",
    "backtest",
    "replay-adoption",
    "init",
    "collect",
    "collect-support",
    "collect-docs",
    "collect-stability",
    "collect-weight",
    "merge",
    "import-counts",
    "import-gharchive",
    "import-support",
    "compact",
    "measure",
    "schema",
    "plan",
    "probe",
    "bases",
    "preview",
    "train",
    "runs",
    "stacks",
    "bench",
    "methods",
    "inspect",
    "mcp",
)


EXIT_INTERRUPT = 130  # as shells report Ctrl-C: 128 + SIGINT


class _Commands(TyperGroup):
    """The commands in the order of `COMMANDS`, each with --quiet, --verbose and the settings as defaults."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if name in super(_Commands, self).list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _complete_command(command)
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from advisor.cli.messages import reset_verbosity

        reset_verbosity()
        _complete_command(self)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, and give it the settings as defaults of its options."""
        from advisor.cli.settings import apply_settings

        _refuse_empty_words(args)
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None and not ctx.resilient_parsing:  # not in a completion
            ctx.default_map = {name: apply_settings(name, command.params)}
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C exits with 130, at a prompt too, where click reports an abort."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as error:
            if isinstance(error, typer.Abort) and not isinstance(error.__context__, KeyboardInterrupt):
                raise
            raise typer.Exit(_report_interrupt()) from None


def _report_interrupt() -> int:
    """Print what Ctrl-C did, and return the exit code."""
    print("\nadvisor: interrupted", file=sys.stderr)
    return EXIT_INTERRUPT


def _complete_command(command: Any) -> None:
    """Add to a command, and to the commands of a group, what all commands have."""
    from advisor.cli.messages import verbosity_options

    if command.help:
        # click keeps the lines of a paragraph that begins with a backspace character
        command.help = command.help.replace("\n\nExamples:\n", "\n\n\b\nExamples:\n")
    if all(parameter.name != "quiet" for parameter in command.params):
        command.params.extend(verbosity_options())
    for parameter in command.params:
        if hasattr(parameter.type, "case_sensitive"):
            parameter.type.case_sensitive = False
    if not isinstance(command, _Commands):
        for inner in getattr(command, "commands", {}).values():
            _complete_command(inner)


def _refuse_empty_words(words: list[str]) -> None:
    """Refuse a word without letters: a variable of a script that is not set, not a wish for the default."""
    before = ""
    for word in words:
        option, sign, value = word.partition("=") if word.startswith("--") else ("", "", word)
        if not value.strip() and (sign or not option):
            option = option or (before if before.startswith("-") and "=" not in before else "an argument")
            raise InputError(f"empty value for {option}: leave it out, or give a value")
        before = word


app = typer.Typer(
    name="advisor",
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Rank libraries by the health of their projects, with reasons and doubts.",
    epilog="Exit codes: 0 success, 1 failure, 2 wrong input, 3 partial result (repositories are missing), "
    "4 no suitable candidate, or a score is below --fail-under, 130 interrupted.",
)


def _print_version(flag: bool) -> None:
    if flag:
        from advisor import __version__

        typer.echo(f"advisor {__version__}")
        raise typer.Exit


@app.callback()
def _advisor(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Keep the group: without a callback, typer turns a single loaded command into the program."""


def load(command: str | None) -> None:
    """Import the file of a command, which registers it; without a known command, import all files."""
    for name in (command,) if command in COMMANDS else COMMANDS:
        import_module(f"{__name__}.commands.{name.replace('-', '_')}")


def main() -> None:
    """Run the command line; print every error as one line on stderr, never a traceback.

    With the variable ADVISOR_TRACEBACK set, an error of advisor itself keeps its traceback.
    """
    from advisor.cli.streams import discard_output, prepare_streams
    from advisor.errors import AdvisorError
    from advisor.texts import replace_controls

    try:
        prepare_streams()
        load(next((word for word in sys.argv[1:] if not word.startswith("-")), None))
        _run()
    except AdvisorError as error:
        from advisor.cli.settings import name_origins

        discard_output()
        message = f"{error}{name_origins(str(error))}"
        print(f"advisor: {replace_controls(message)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # before the command, while Python loads it, or in its last output
        discard_output()
        sys.exit(_report_interrupt())
    except BrokenPipeError:  # the reader, for example head, has enough
        discard_output()
        sys.exit(EXIT_FAILURE)
    except Exception as error:
        if os.environ.get("ADVISOR_TRACEBACK"):
            raise
        discard_output()
        code, message = _explain(error)
        print(f"advisor: {replace_controls(message)}", file=sys.stderr)
        sys.exit(code)


def _run() -> None:
    """Run the command, and write all of its output before Python ends."""
    try:
        app()
    finally:
        sys.stdout.flush()


def _explain(error: Exception) -> tuple[int, str]:
    """Return the exit code and the sentence for an error that no module of advisor raised on purpose."""
    from advisor.write_errors import explain_write_error

    if (message := explain_write_error(error)) is not None:
        return message.exit_code, str(message)
    duckdb = sys.modules.get("duckdb")
    if duckdb is not None and isinstance(error, duckdb.InterruptException):
        return EXIT_INTERRUPT, "interrupted"
    if duckdb is not None and isinstance(error, duckdb.Error):
        # Facts that match their hashes can still be out of DuckDB's range, or need more than its memory.
        return EXIT_FAILURE, f"the facts cannot be measured: {str(error).splitlines()[0]}"
    if isinstance(error, OSError) and error.filename is not None:
        return EXIT_FAILURE, f"cannot use {os.fsdecode(error.filename)!r}: {(error.strerror or '').lower()}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    text = str(error).split("\n")[0]
    return EXIT_FAILURE, (
        f"internal error: {type(error).__name__}: {text} ({where}). "
        "This is a defect of advisor: report it with the output of the same command under ADVISOR_TRACEBACK=1"
    )
