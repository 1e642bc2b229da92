"""The command line: arguments, printing, exit codes. One command, one file; nothing heavy up here."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(
    name="advisor",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Which library should I build on? Health measured, ranked with reasons and doubts.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong input, 3 some candidates missing, 4 nothing suitable.",
)


def main() -> None:
    """Run the command line; every error that is meant for the user becomes one line on stderr."""
    from advisor.errors import AdvisorError

    try:
        app()
    except AdvisorError as error:
        print(f"advisor: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
    except KeyboardInterrupt:
        print("advisor: interrupted", file=sys.stderr)
        sys.exit(130)


from advisor.cli import (  # noqa: E402 - they register
    backtest,  # noqa: F401
    bench,  # noqa: F401
    collect,  # noqa: F401
    collect_support,  # noqa: F401
    coverage,  # noqa: F401
    dashboard,  # noqa: F401
    explain,  # noqa: F401
    import_counts,  # noqa: F401
    inspect,  # noqa: F401
    methods,  # noqa: F401
    plan,  # noqa: F401
    preview,  # noqa: F401
    rank,  # noqa: F401
    runs,  # noqa: F401
    schema,  # noqa: F401
    stacks,  # noqa: F401
    train,  # noqa: F401
)
