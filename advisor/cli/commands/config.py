"""advisor config: the settings that stand in for options, and where each comes from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.output import Output, write_report
from advisor.report.formats import DomainsFormat, Format


@app.command()
def config(
    format: Annotated[DomainsFormat, typer.Option(help="Format of the list.")] = Format.table,
    output: Output = None,
) -> None:
    """Show your defaults for options, and where each comes from.

    A setting has the name of an option: domain, goal, as-of, set, rules, store or format. It applies to the
    commands that answer; fail-under, min-known, without and the like apply to `advisor rank --from`. An
    option that you type comes first, then a variable such as ADVISOR_GOAL, then the table [tool.advisor] of
    the nearest pyproject.toml that has one.

    Examples:
      advisor config
      ADVISOR_GOAL=independence advisor config
    """
    from advisor.cli.settings import OPTIONS, read_settings
    from advisor.report.settings import SettingEntry, render_json

    settings = read_settings(Path.cwd(), os.environ)
    if format is Format.json:
        write_report(render_json({n: SettingEntry(s.value, s.origin) for n, s in settings.items()}), output)
        return
    lines = []
    for name in (*OPTIONS, *(name for name in settings if name not in OPTIONS)):
        setting = settings.get(name)
        value = "" if setting is None else setting.value
        parts = [part if isinstance(part, str) else part["package"] for part in value]
        text = value if isinstance(value, str) else ", ".join(parts)
        lines.append(f"{name}: not set" if setting is None else f"{name}: {text} ({setting.origin})")
    write_report("\n".join(lines) + "\n", output)
