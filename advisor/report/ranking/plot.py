"""The ranking as a figure of plotly, for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.errors import InputError
from advisor.model import Recommendation
from advisor.report.ranking.text import context

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_ROWS = 30
"""Candidates that a figure shows, the best first."""


def draw_scores(answer: Recommendation) -> go.Figure:
    """Return the scores as bars, each with the bounds of what is possible; excluded candidates are grey.

    Raises:
        InputError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError:
        raise InputError(
            "plotly is missing: pip install 'library-advisor[plot]', or '.[plot]' in a clone"
        ) from None

    rows = [r for r in answer.ranking if r.score is not None][:MOST_ROWS]
    scores = [r.score or 0.0 for r in rows]
    figure = go.Figure(
        go.Bar(
            x=scores,
            y=[r.candidate.name for r in rows],
            orientation="h",
            marker_color=["#999999" if r.excluded else "#3b78c2" for r in rows],
            text=["excluded" if r.excluded else f"wins {r.wins:.0%}" for r in rows],
            error_x={
                "type": "data",
                "array": [r.high - score for r, score in zip(rows, scores, strict=True)],
                "arrayminus": [score - r.low for r, score in zip(rows, scores, strict=True)],
            },
            hovertemplate="%{y}: %{x:.0f}<extra></extra>",
        )
    )
    figure.update_layout(
        title=context(answer),
        xaxis={"title": "score, with the bounds of what is possible", "range": [0, 100]},
        yaxis={"autorange": "reversed"},
    )
    return figure
