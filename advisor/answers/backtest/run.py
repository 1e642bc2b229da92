"""Back-test the outlook: compute it for past days and compare it with what happened."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.answers.backtest import figures
from advisor.answers.backtest.selection import Selection, select
from advisor.errors import InputError
from advisor.facts.tables import STALE_DAYS
from advisor.outlook import compute, model, panel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

DRAWS = 200
LABELS: Mapping[str, Callable[[pd.DataFrame, pd.DataFrame, int], pd.Series[float]]] = {
    model.ABANDONMENT: panel.label_abandonment,
    model.COLLAPSE: panel.label_collapse,
}
FEWEST_MEMBERS = 30  # a window with fewer known outcomes has no figures

# name → (feature, whether more of it suggests abandonment): rankings that need no model
BASELINES: Mapping[str, tuple[str, bool]] = {
    "days since last commit": ("idle_days", True),
    "commits a month": ("commits_a_month_200", False),
    "contributors": ("contributors", False),
    "downloads": ("downloads", False),
    "releases": ("releases", False),
    "stars": ("stars", False),
    "open issues over all": ("open_issue_share", True),
}


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % bootstrap interval over repositories; NaN if it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Window:
    """The figures of one day, or of all days together.

    Attributes:
        as_of: the day; None for all windows pooled.
        members: number of repositories active on that day (rows, if pooled).
        known: number of members whose outcome is in the panel.
        inactive: share of the known with the outcome; NaN if none is known.
        figures: ``auc``, ``average_precision``, ``brier``, ``calibration_error``; empty if too few are known.
    """

    as_of: date | None
    members: int
    known: int
    inactive: float
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Backtest:
    """The result of a back-test.

    Attributes:
        outcome: ``abandoned`` or ``collapsed`` (`panel.label_abandonment`, `panel.label_collapse`).
        horizon_months: 12 or 24.
        active_days: a member's last commit is at most this old.
        repositories: number of different repositories among the members.
        seen_in_training: how many of these are in the training data; trees that did not see a repository
            score it.
        windows: one for each day.
        pooled: all days together.
        baselines: name → AUC of a ranking by this value alone, pooled.
        calibration: bins of equal size over the pooled rows (`figures.calibration_table`).
        selection: what a choice by the outlook was worth; None if no group has a known outcome.
    """

    outcome: str
    horizon_months: int
    active_days: int
    repositories: int
    seen_in_training: int
    windows: tuple[Window, ...]
    pooled: Window
    baselines: Mapping[str, Figure]
    calibration: tuple[Mapping[str, float], ...]
    selection: Selection | None


def default_days(series: pd.DataFrame, months: int) -> list[date]:
    """Return the first day of every quarter for which the panel has outcomes.

    Raises:
        InputError: the panel is too short.
    """
    import pandas as pd

    first = series.day.min() + pd.Timedelta(days=STALE_DAYS)
    last = series.day.max() - pd.DateOffset(months=months) - pd.Timedelta(days=panel.LABEL_FROM_DAYS)
    days = [day.date() for day in pd.date_range(first, last, freq="QS")]
    if not days:
        raise InputError(
            f"the panel runs from {series.day.min():%Y-%m-%d} to {series.day.max():%Y-%m-%d}: too short for "
            f"outcomes {months} months later; use a longer panel"
        )
    return days


def select_repositories(series: pd.DataFrame, names_file: Path | None) -> pd.DataFrame:
    """Return the rows of the repositories that a file names; without a file, all rows.

    Raises:
        InputError: the file cannot be read, or the panel does not have one of its repositories.
    """
    if names_file is None:
        return series
    names = panel.read_names(names_file, series)
    return series[series.repository.isin(names)].reset_index(drop=True)


def forecast(
    series: pd.DataFrame, days: Sequence[date], months: int, active_days: int, trees: model.Model
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the chance of the outcome for every repository that was active on each day.

    Args:
        series: the panel.
        days: as-of dates.
        months: horizon.
        active_days: a member's last commit is at most this old.
        trees: the outlook's model for one outcome.

    Returns:
        The members (`panel.select_cohort`, with ``probability_inactive``), one row for each repository and
        day; and their features with the same index.

    Raises:
        InputError: no repository was active on any of the days.
    """
    import pandas as pd

    members = pd.concat([panel.select_cohort(series, day, active_days) for day in days], ignore_index=True)
    if members.empty:
        raise InputError(
            f"no repository of the panel was active (last commit at most {active_days} days old) on "
            + ", ".join(map(str, days))
        )
    values = compute.compute_features(series, members)
    members["probability_inactive"] = model.predict_probabilities(trees, values, members.repository, months)
    return members, values


def backtest(
    series: pd.DataFrame,
    members: pd.DataFrame,
    values: pd.DataFrame,
    trees: model.Model,
    months: int,
    active_days: int,
    outcome: str = model.ABANDONMENT,
    report_step: Callable[[str], None] = lambda _: None,
) -> Backtest:
    """Compare the forecasts with what happened.

    Args:
        series: the panel.
        members: from `forecast`.
        values: their features.
        trees: the model of the forecasts.
        months: horizon.
        active_days: a member's last commit is at most this old.
        outcome: the outcome of the forecasts.
        report_step: called with the name of each step.

    Raises:
        InputError: the panel has no outcomes for the members.
    """
    outcomes = LABELS[outcome](series, members, months).to_numpy()
    rows = (~_isnan(outcomes)).nonzero()[0]
    if not len(rows):
        raise InputError(f"the panel ends too early: it has no outcome {months} months after any of the days")
    chances = members.probability_inactive.to_numpy()
    repositories = members.repository.to_numpy(dtype=str)
    windows = []
    for day in members.as_of.unique():
        report_step(f"window {day:%Y-%m-%d}")
        day_rows = (members.as_of == day).to_numpy().nonzero()[0]
        windows.append(_window(day.date(), day_rows, outcomes, chances, repositories))
    report_step("all windows together")
    unseen = {n for n in set(repositories) if model.digest(n) not in trees.trained_on}
    all_windows = _window(None, _row_numbers(members), outcomes, chances, repositories)
    report_step("single signals")
    baselines = {
        name: _figure(
            figures.auc, outcomes[rows], _signal(values[column].to_numpy()[rows], worse), repositories[rows]
        )
        for name, (column, worse) in BASELINES.items()
    }
    report_step("the value of choosing")
    return Backtest(
        outcome=outcome,
        horizon_months=months,
        active_days=active_days,
        repositories=len(set(repositories)),
        seen_in_training=len(set(repositories)) - len(unseen),
        windows=tuple(windows),
        pooled=all_windows,
        baselines=baselines,
        calibration=tuple(figures.calibration_table(outcomes[rows], chances[rows])),
        selection=select(series, members, values) if outcome == model.ABANDONMENT else None,
    )


def _isnan(values: np.ndarray) -> np.ndarray:
    import numpy as np

    is_nan: np.ndarray = np.isnan(values)
    return is_nan


def _row_numbers(members: pd.DataFrame) -> np.ndarray:
    import numpy as np

    return np.arange(len(members))


def _signal(value: np.ndarray, more_is_worse: bool) -> np.ndarray:
    """Return a single signal as a score of risk; an unknown value gets the median."""
    import numpy as np

    middle = 0.0 if np.isnan(value).all() else float(np.nanmedian(value))
    score: np.ndarray = np.where(np.isnan(value), middle, value)
    return score if more_is_worse else -score


def _window(
    as_of: date | None, rows: np.ndarray, outcomes: np.ndarray, chances: np.ndarray, repositories: np.ndarray
) -> Window:
    known_rows = rows[~_isnan(outcomes[rows])]
    known_outcomes = outcomes[known_rows]
    window_figures: dict[str, Figure] = {}
    if len(known_rows) >= FEWEST_MEMBERS and 0 < known_outcomes.sum() < len(known_outcomes):
        for name, figure in (
            ("auc", figures.auc),
            ("average_precision", figures.average_precision),
            ("brier", figures.brier),
            ("calibration_error", figures.calibration_error),
        ):
            window_figures[name] = _figure(
                figure, known_outcomes, chances[known_rows], repositories[known_rows]
            )
    share = float(known_outcomes.mean()) if len(known_rows) else math.nan
    return Window(as_of, len(rows), len(known_rows), share, window_figures)


def _figure(
    figure: Callable[[np.ndarray, np.ndarray], float],
    outcomes: np.ndarray,
    score: np.ndarray,
    repositories: np.ndarray,
) -> Figure:
    bounds = figures.bootstrap(lambda rows: figure(outcomes[rows], score[rows]), repositories, DRAWS)
    return Figure(figure(outcomes, score), *bounds)
