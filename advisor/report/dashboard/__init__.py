"""The recommendation as one HTML file: answer, ranking, charts, weight sliders, and the user's task.

The file needs no network: it holds its styles, scripts, plotly and data, and its Content-Security-Policy
blocks everything else. The answer is plain HTML. The data, the script and plotly are compressed, and a small
script unpacks them after the first paint, or at once before a print. Jinja or, in the page, `textContent`
escapes every value from outside.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advisor.answers.history import Timeline
from advisor.decide.requirements import NO_REQUIREMENTS, Requirements
from advisor.model import Ranked, Recommendation
from advisor.report.dashboard.answer import answer_for_page, rows_of_others
from advisor.report.dashboard.payload import page_data
from advisor.report.dashboard.task import Task

_ASSETS = Path(__file__).parent / "assets"
# A script comes after those that it uses. The charts do not use each other.
_SCRIPTS = (
    *("data", "format", "links", "tips", "sampling", "engine", "tables", "plot", "pictures", "charts/*"),
    *("measurement_table", "gallery", "state", "words", "ranking_table", "first_screen", "task"),
    *("saved_view", "page"),
)
_STYLES = ("colours", "page", "ranking", "controls", "figures", "task", "narrow", "first_screen", "paper")
# plotly adds its rules to a style element with this text; the policy blocks other inline styles.
PLOTLY_STYLE = "/* plotly adds its rules here */"


def render(
    answer: Recommendation,
    timeline: Timeline,
    requirements: Requirements = NO_REQUIREMENTS,
    task: Task | None = None,
    others: Sequence[Ranked] = (),
) -> str:
    """Return the page; equal bytes for equal input.

    Args:
        answer: the recommendation, from `advisor.answers.recommend.recommend`.
        timeline: the same question month by month, from `advisor.answers.history.read_timeline`.
        requirements: the user's requirements, which a saved view repeats.
        task: the user's own run in every library; None: no task on the page.
        others: candidates that only a table shows, because there are too many to draw.
    """
    from advisor.report.templates import read_template

    files = [file for pattern in _SCRIPTS for file in sorted(_ASSETS.glob(f"{pattern}.js"))]
    script = _without_comments("\n".join(file.read_text(encoding="utf-8") for file in files))
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    style = re.sub(
        r"/\*.*?\*/", "", "\n".join(read_asset(f"{name}.css") for name in _STYLES), flags=re.DOTALL
    )
    style = _without_comments(style)
    loader = read_asset("vendor/fflate-unzlib.min.js") + _without_comments(read_asset("loader.js"))
    plotly = read_asset("vendor/plotly.min.js")
    data = json.dumps(page_data(answer, timeline, requirements), ensure_ascii=False, separators=(",", ":"))
    return read_template(_ASSETS / "page.html.j2").render(
        policy=render_policy(scripts=(loader, script, plotly), styles=(style, PLOTLY_STYLE)),
        style=style,
        plotly_style=PLOTLY_STYLE,
        loader=loader,
        script=_compress(script),
        plotly=_compress(plotly),
        data=_compress(data),
        task=task,
        others=rows_of_others(others),
        **answer_for_page(answer, timeline),
    )


def read_asset(name: str) -> str:
    """Return the text of a style or a script."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def _without_comments(text: str) -> str:
    """Return the lines without indents, lines of comments and empty lines; no text spans lines."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


# Base 85 without signs that HTML would escape.
_WITHOUT_MARKUP = bytes.maketrans(b"&<>", b",.:")


def _compress(text: str) -> str:
    return base64.b85encode(zlib.compress(text.encode(), 9)).translate(_WITHOUT_MARKUP).decode()


def render_policy(scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
    """Return the Content-Security-Policy that allows only these inline scripts and styles."""

    def hashes(texts: tuple[str, ...]) -> str:
        digests = (base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts)
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    rules: Mapping[str, Any] = {
        "default-src": "'none'",
        "script-src": hashes(scripts),
        "style-src": hashes(styles),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
