"""The record of the outlook as text, as JSON, and its forecasts as CSV."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from advisor.report.text import table

if TYPE_CHECKING:
    import pandas as pd

    from advisor.answers.backtest.run import Backtest, Figure, Window

WIDTH = 40  # characters of the calibration plot


def as_json(found: Backtest) -> str:
    """JSON with an indent of one; a figure that is not defined is null."""
    return json.dumps(_plain(asdict(found)), indent=1) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value if value is None or isinstance(value, int | str) else str(value)


def predictions(members: pd.DataFrame) -> str:
    """CSV: ``repository``, ``as_of``, ``probability_inactive``, one row a repository and day."""
    rows = members.sort_values(["as_of", "repository"])
    lines = [
        f"{repository},{day:%Y-%m-%d},{chance:.6f}"
        for repository, day, chance in zip(
            rows.repository, rows.as_of, rows.probability_inactive, strict=True
        )
    ]
    return "\n".join(["repository,as_of,probability_inactive", *lines]) + "\n"


def as_table(found: Backtest) -> str:
    """The windows, the single signals, the calibration with a plot, the value of choosing."""
    lines = [
        (
            f"Inactive: no commit on the default branch in the {found.horizon_months} months after the day. "
            f"Asked: last commit at most {found.active_days} days old."
        ),
        (
            f"{found.repositories} repositories, {found.seen_in_training} of them known from training and "
            "scored by trees that did not see them."
        ),
        "",
        *table(
            ["day", "active", "known", "inactive", "AUC", "average precision", "Brier", "calibration error"],
            [_row(w) for w in (*found.windows, found.pooled)],
        ),
        "",
        *table(
            ["AUC of", "all days"],
            [["outlook", _show(found.pooled.figures.get("auc"))]]
            + [[name, _show(f)] for name, f in found.baselines.items()],
        ),
        "",
        *_calibration(found),
    ]
    if found.selection is not None:
        s = found.selection
        lines += [
            "",
            (
                f"In {s.groups} random groups of five of one category and day, dead (idle for over a year) "
                f"{s.months} months later:"
            ),
            *table(
                ["", "dead"],
                [
                    [name, f"{share.value:.1%} [{share.low:.1%}–{share.high:.1%}]"]
                    for name, share in (
                        ("best outlook", s.pick),
                        ("random member", s.random),
                        ("most stars", s.most_starred),
                        ("last commit", s.last_committed),
                    )
                ],
            ),
        ]
    return (
        "\n".join([*lines, "", "[a–b]: 95 % bootstrap over repositories (groups: over categories and days)."])
        + "\n"
    )


def _row(window: Window) -> list[str]:
    names = ("auc", "average_precision", "brier", "calibration_error")
    return [
        str(window.as_of or "all"),
        str(window.members),
        str(window.known),
        "?" if math.isnan(window.inactive) else f"{window.inactive:.1%}",
        *(_show(window.figures.get(name)) for name in names),
    ]


def _show(figure: Figure | None) -> str:
    if figure is None or math.isnan(figure.value):
        return "?"
    return f"{figure.value:.3f} [{figure.low:.3f}–{figure.high:.3f}]"


def _calibration(found: Backtest) -> list[str]:
    """One line a bin: ``o`` what the outlook said, ``x`` what came, ``-`` its Wilson interval."""
    rows = found.calibration
    top = max(max(row["high"], row["predicted"]) for row in rows)
    body = []
    for row in rows:
        plot = [" "] * WIDTH
        for i in range(_place(row["low"], top), _place(row["high"], top) + 1):
            plot[i] = "-"
        plot[_place(row["observed"], top)] = "x"
        plot[_place(row["predicted"], top)] = "o"
        body.append(
            [f"{row['n']:.0f}", f"{row['predicted']:.1%}", f"{row['observed']:.1%}",
             f"{row['low']:.1%}–{row['high']:.1%}", "|" + "".join(plot) + "|"]
        )  # fmt: skip
    return table(["forecasts", "said", "came", "interval", f"o said, x came, 0 to {top:.0%}"], body)


def _place(share: float, top: float) -> int:
    return int(share / top * (WIDTH - 1) + 0.5)
