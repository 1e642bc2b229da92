"""The track record of the outlook as text or JSON, and its forecasts as CSV."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, assert_never

from advisor.report.csv import write_csv
from advisor.report.formats import BacktestFormat, Format
from advisor.report.json import write_json
from advisor.report.tables import text_table

if TYPE_CHECKING:
    import pandas as pd

    from advisor.answers.backtest.ranking import Record
    from advisor.answers.backtest.run import Backtest, Figure, Window

_DEFINITIONS = {
    "abandoned": (
        "Abandoned {months} months later: no commit on the default branch in the 365 days before that day."
    ),
    "collapsed": (
        "Collapsed {months} months later: in the year before that day, less than a fifth of the commits of "
        "the year before the forecast."
    ),
}
WIDTH = 32  # characters of the calibration plot


def render(backtest: Backtest, output_format: BacktestFormat) -> str:
    """Return the track record in a format; in JSON a figure that is not defined is null."""
    match output_format:
        case Format.table:
            return _text(backtest)
        case Format.json:
            return write_json("backtest", asdict(backtest))
        case _:
            assert_never(output_format)


def render_record(record: Record, output_format: BacktestFormat) -> str:
    """Return how well weights ordered libraries, in a format."""
    if output_format is Format.json:
        return write_json("weights-record", asdict(record))
    first, last = record.days
    lines = [
        f"{record.repositories} repositories of which the weights had learned nothing, {first} to {last}.",
        "Of two libraries of one category and day: how often the one that fared better 24 months later has",
        "the higher score; 50 % is chance. Gain: over the fitted weights without the outlook, same pairs.",
    ]
    for outcome, scores in record.outcomes.items():
        rows = [
            [
                name,
                f"{c.value:.1%} [{c.low:.1%}–{c.high:.1%}]",
                f"{c.gain:+.1%} [{c.gain_low:+.1%}, {c.gain_high:+.1%}]",
            ]
            for name, c in scores.items()
        ]
        pairs = next((c.pairs for c in scores.values()), 0)
        lines += ["", *text_table([f"{outcome}, {pairs} pairs", "ordered rightly", "gain"], rows)]
    return "\n".join([*lines, "", "[a–b]: 95 % bootstrap interval over categories."]) + "\n"


def render_forecasts(members: pd.DataFrame) -> str:
    """Return CSV of ``repository``, ``as_of``, ``probability_inactive`` with a row for each forecast."""
    rows = members.sort_values(["as_of", "repository"])
    return write_csv(
        ["repository", "as_of", "probability_inactive"],
        (
            [repository, f"{day:%Y-%m-%d}", f"{chance:.6f}"]
            for repository, day, chance in zip(
                rows.repository, rows.as_of, rows.probability_inactive, strict=True
            )
        ),
    )


def _text(backtest: Backtest) -> str:
    """Return the windows, the baselines, the calibration with a plot, and the value of a choice."""
    lines = [
        (
            f"{_DEFINITIONS[backtest.outcome].format(months=backtest.horizon_months)} "
            f"Active: the last commit is at most {backtest.active_days} days old."
        ),
        (
            f"{backtest.repositories} repositories; {backtest.seen_in_training} of them were in the training "
            "data, and trees that did not see them score them."
        ),
        "",
        *text_table(
            [
                "day",
                "active",
                "outcome known",
                backtest.outcome,
                "AUC",
                "average precision",
                "Brier",
                "calibration error",
            ],
            [_row(w) for w in (*backtest.windows, backtest.pooled)],
        ),
        "",
        *text_table(
            ["AUC of", "all days"],
            [["outlook", _show(backtest.pooled.figures.get("auc"))]]
            + [[name, _show(f)] for name, f in backtest.baselines.items()],
        ),
        "",
        *_calibration(backtest),
    ]
    if backtest.selection is not None:
        s = backtest.selection
        lines += [
            "",
            (
                f"{s.groups} random groups of five libraries of the same category and day. "
                f"Abandoned: no commit in the 365 days before the day {s.months} months later."
            ),
            *text_table(
                ["choice", "abandoned"],
                [
                    [name, f"{share.value:.1%} [{share.low:.1%}–{share.high:.1%}]"]
                    for name, share in (
                        ("best outlook", s.pick),
                        ("random member", s.random),
                        ("most stars", s.most_starred),
                        ("latest commit", s.last_committed),
                    )
                ],
            ),
        ]
    note = "[a–b]: 95 % bootstrap interval over repositories (for the groups: over categories and days)."
    return "\n".join([*lines, "", note]) + "\n"


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


def _calibration(backtest: Backtest) -> list[str]:
    """Return a line for each bin: ``o`` the forecast, ``x`` the outcome, ``-`` its Wilson interval."""
    rows = backtest.calibration
    top = max(max(row["high"], row["predicted"]) for row in rows)
    body = []
    for row in rows:
        plot = [" "] * WIDTH
        for i in range(_column(row["low"], top), _column(row["high"], top) + 1):
            plot[i] = "-"
        plot[_column(row["observed"], top)] = "x"
        plot[_column(row["predicted"], top)] = "o"
        body.append(
            [f"{row['n']:.0f}", f"{row['predicted']:.1%}", f"{row['observed']:.1%}",
             f"{row['low']:.1%}–{row['high']:.1%}", "|" + "".join(plot) + "|"]
        )  # fmt: skip
    plot_title = f"o forecast, x outcome, 0 to {top:.0%}"
    return text_table(["forecasts", "forecast", "outcome", "interval", plot_title], body)


def _column(share: float, top: float) -> int:
    return int(share / top * (WIDTH - 1) + 0.5)
