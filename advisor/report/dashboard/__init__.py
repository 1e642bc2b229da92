"""The recommendation as one HTML file: the answer, the ranking, the charts, sliders to try, the user's task.

The file needs nothing from anywhere: style, code, plotly and data are in it, and its
Content-Security-Policy lets nothing else run or load. What can be read at once is plain HTML; the
data and plotly travel compressed and are unpacked after the first paint. Every value that came from
outside passes through Jinja's escaping or, in the page, through `textContent`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.answers.history import Timeline
from advisor.decide.requirements import NOTHING, Requirements
from advisor.model import Recommendation
from advisor.report.dashboard.answer import answer_for_page
from advisor.report.dashboard.payload import page_data
from advisor.report.dashboard.task import Task

_ASSETS = Path(__file__).parent / "assets"
# In the order in which they stand in the page: what is used by others comes first.
_SCRIPTS = (
    *("format", "sampling", "engine", "tables", "charts"),
    *("attention", "time_charts", "issues", "outlook", "calibration", "benchmarks", "gallery"),
    *("state", "words", "task", "page"),
)
_STYLES = ("colours", "page", "ranking", "controls", "figures", "task", "narrow", "paper")
# plotly adds rules to the style element of this name if it is there; a policy that forbids inline
# styles lets it add none of its own.
_PLOTLY_STYLE = "/* plotly adds its rules here */"


def render(
    answer: Recommendation,
    timeline: Timeline,
    requirements: Requirements = NOTHING,
    task: Task | None = None,
) -> str:
    """The page; equal bytes for equal input.

    Args:
        answer: what `advisor.answers.recommend.recommend` found.
        timeline: the same question over the months, from `advisor.answers.history.look_back`.
        requirements: what the user asked for, so that a saved view asks for it again.
        task: the user's own run in every library, where one was planned.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    style = "\n".join(_asset(f"{name}.css") for name in _STYLES)
    plotly = _asset("vendor/plotly-basic.min.js")
    data = json.dumps(page_data(answer, timeline, requirements), ensure_ascii=False, separators=(",", ":"))
    return environment.get_template("page.html.j2").render(
        policy=_policy(scripts=(script, plotly), styles=(style, _PLOTLY_STYLE)),
        style=style,
        plotly_style=_PLOTLY_STYLE,
        script=script,
        plotly=_packed(plotly),
        data=_packed(data),
        task=task,
        **answer_for_page(answer, timeline),
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _policy(scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
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
