"""What was tried, as one HTML file: the tree of runs, their results and their loss curves.

The file needs no network, as that of the dashboard, whose colours, plotly and policy it uses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advisor.report.dashboard import PLOTLY_STYLE, read_asset, render_policy
from advisor.report.templates import read_template

_ASSETS = Path(__file__).parent / "assets"


def render(groups: Sequence[Mapping[str, Any]], caution: str) -> str:
    """Return the page; equal bytes for equal input.

    Args:
        groups: comparable runs: ``measure``, ``best`` (id of a run, or empty), ``reason``, and ``runs``, a
            parent before its children, each with ``id``, ``parent``, ``depth``, ``state``, ``outcome``,
            ``changes``, ``value``, ``interval``, ``base``, ``effect``, ``seconds``, ``bytes``, ``note``,
            ``tags``, and ``curve`` and ``held_out_curve`` as pairs of step and loss.
        caution: a sentence about the choice of the best run.
    """
    script = (_ASSETS / "page.js").read_text("utf-8")
    style = read_asset("colours.css") + (_ASSETS / "page.css").read_text("utf-8")
    plotly = read_asset("vendor/plotly.min.js")
    data = json.dumps(groups, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return read_template(_ASSETS / "page.html.j2").render(
        policy=render_policy(scripts=(script, plotly), styles=(style, PLOTLY_STYLE)),
        style=style,
        plotly_style=PLOTLY_STYLE,
        script=script,
        plotly=plotly,
        data=data,
        groups=groups,
        caution=caution,
    )
