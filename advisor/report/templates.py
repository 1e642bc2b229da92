"""The HTML templates of reports: every value is escaped, and an unknown name is an error."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2


def read_template(path: Path, *, keeps_last_line_end: bool = True) -> jinja2.Template:
    """Return a template, without the indents of its lines; it may include others of its folder."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(
            lambda name: re.sub(r"^ +", "", (path.parent / name).read_text("utf-8"), flags=re.MULTILINE)
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=keeps_last_line_end,
    )
    return environment.get_template(path.name)
