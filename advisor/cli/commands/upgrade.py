"""advisor upgrade: what breaks between two releases of a library, and where code uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.messages import print_note, show_wait
from advisor.cli.options import BUNDLED_STORE, AsOf, Store, parse_as_of, store_or_default
from advisor.cli.output import Output, table_width, write_report
from advisor.report.formats import Format, UpgradeFormat


@app.command()
def upgrade(
    library: Annotated[str, typer.Argument(help="The library: owner/name, or only its name.")],
    old: Annotated[
        str, typer.Option("--from", metavar="VERSION", help="The version that you use, or its series.")
    ],
    new: Annotated[
        str | None,
        typer.Option("--to", metavar="VERSION", help="The version to upgrade to. Default: the newest one."),
    ] = None,
    code: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Show only what the Python code in this folder uses, and where."),
    ] = None,
    as_of: AsOf = None,
    store: Store = None,
    format: Annotated[
        UpgradeFormat,
        typer.Option(help="Format of the report. csv and json have the place of each parameter."),
    ] = Format.table,
    output: Output = None,
) -> None:
    """Show what breaks between two releases of a library, and where your code uses it.

    Compares the public names that `advisor collect-stability` read. It imports neither the library nor your
    code.

    Examples:
      advisor upgrade trl --from 0.9 --to 1.9
      advisor upgrade trl --from 0.9 --code src
    """
    from advisor.answers.code_uses import find_uses
    from advisor.answers.dependencies.health import bundled_stores, open_stores
    from advisor.answers.upgrade import find_library, read_upgrade
    from advisor.report.upgrade import render

    with show_wait("comparing the releases"):
        paths = [] if store == BUNDLED_STORE else [store_or_default(store)]
        paths += bundled_stores() if store in {None, BUNDLED_STORE} else []
        facts = find_library(library, open_stores(paths), parse_as_of(as_of))
        answer = read_upgrade(facts, old, new)
        uses, notes = find_uses(code, answer) if code else (None, [])
    for note in notes:
        print_note(note)
    write_report(
        render(answer, format, uses, table_width(output), [facts]),
        output,
        has_sentences=format is Format.table,
    )
