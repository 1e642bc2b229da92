"""Ask the outlook on past days and look at what became of the libraries."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from advisor.answers.backtest import figures
from advisor.answers.backtest.selection import Selection, select
from advisor.errors import InputError
from advisor.outlook import compute, model, panel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

DRAWS = 200
FEWEST_MEMBERS = 30  # a window with fewer known outcomes gets no figures of its own

# name → (feature, whether more of it speaks for inactivity): rankings that need no model
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
    """A figure with its 95 % bootstrap interval over repositories; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Window:
    """One day, or all together.

    Attributes:
        as_of: the day; None for all windows pooled.
        members: repositories active on it (rows, if pooled).
        known: those whose outcome the panel shows.
        inactive: share of the known that became inactive; NaN if none is known.
        figures: ``auc``, ``average_precision``, ``brier``, ``calibration_error``; empty if too few are known.
    """

    as_of: date | None
    members: int
    known: int
    inactive: float
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Backtest:
    """What a back-test found.

    Attributes:
        horizon_months: 12 or 24.
        active_days: a member's last commit is at most this old.
        repositories: different ones among the members.
        seen_in_training: how many of these the outlook was trained on; each of them is scored by trees
            that did not see it.
        windows: one a day.
        pooled: all together.
        baselines: name → AUC of ranking by that alone, pooled.
        calibration: bins of equal size over the pooled rows (`figures.calibration_table`).
        selection: what choosing by the outlook was worth; None if no group's fate is known.
    """

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
    """The first day of every quarter for which the panel can show an outcome.

    Raises:
        InputError: it is too short for that.
    """
    import pandas as pd

    first = series.day.min() + pd.Timedelta(days=panel.LOOK_BACK_DAYS)
    last = series.day.max() - pd.DateOffset(months=months) - pd.Timedelta(days=panel.LABEL_FROM_DAYS)
    days = [day.date() for day in pd.date_range(first, last, freq="QS")]
    if not days:
        raise InputError(
            f"the panel runs from {series.day.min():%Y-%m-%d} to {series.day.max():%Y-%m-%d}: too short "
            f"to see what became of anybody {months} months later; give a longer one"
        )
    return days


def forecast(
    series: pd.DataFrame, days: Sequence[date], months: int, active_days: int, trees: model.Model
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The chance of inactivity of everybody who was active on each day.

    Returns:
        The members (`panel.cohort`, with ``probability_inactive``), one row a repository and day; and
        their features with the same index.

    Raises:
        InputError: nobody was active on any of the days.
    """
    import pandas as pd

    members = pd.concat([panel.cohort(series, day, active_days) for day in days], ignore_index=True)
    if members.empty:
        raise InputError(
            f"no repository of the panel was active (last commit at most {active_days} days old) on "
            + ", ".join(map(str, days))
        )
    values = compute.features(series, members)
    members["probability_inactive"] = model.probabilities(trees, values, members.repository, months)
    return members, values


def backtest(
    series: pd.DataFrame,
    members: pd.DataFrame,
    values: pd.DataFrame,
    trees: model.Model,
    months: int,
    active_days: int,
    say: Callable[[str], None] = lambda _: None,
) -> Backtest:
    """Compare the forecasts with what happened.

    Args:
        series: the panel.
        members: as `forecast` gives them.
        values: their features.
        trees: what made the forecasts.
        months: horizon.
        active_days: of the cohort.
        say: told what is being done.

    Raises:
        InputError: the panel shows the outcome of nobody.
    """
    happened = panel.inactive_after(series, members, months).to_numpy()
    known = ~_isnan(happened)
    if not known.any():
        raise InputError(
            f"the panel ends too early: it shows no outcome {months} months after any of the days"
        )
    chance = members.probability_inactive.to_numpy()
    repositories = members.repository.to_numpy(dtype=str)
    windows = []
    for day in members.as_of.unique():
        say(f"window {day:%Y-%m-%d}")
        rows = (members.as_of == day).to_numpy().nonzero()[0]
        windows.append(_window(day.date(), rows, happened, chance, repositories))
    say("all windows together")
    rows = known.nonzero()[0]
    unseen = {n for n in set(repositories) if model.digest(n) not in trees.trained_on}
    pooled = _window(None, _every(members), happened, chance, repositories)
    say("single signals")
    baselines = {
        name: _figure(
            figures.auc, happened[rows], _signal(values[column].to_numpy()[rows], worse), repositories[rows]
        )
        for name, (column, worse) in BASELINES.items()
    }
    say("the value of choosing")
    return Backtest(
        horizon_months=months,
        active_days=active_days,
        repositories=len(set(repositories)),
        seen_in_training=len(set(repositories)) - len(unseen),
        windows=tuple(windows),
        pooled=pooled,
        baselines=baselines,
        calibration=tuple(figures.calibration_table(happened[rows], chance[rows])),
        selection=select(series, members, values),
    )


def _isnan(values: np.ndarray) -> np.ndarray:
    import numpy as np

    found: np.ndarray = np.isnan(values)
    return found


def _every(members: pd.DataFrame) -> np.ndarray:
    import numpy as np

    return np.arange(len(members))


def _signal(value: np.ndarray, more_is_worse: bool) -> np.ndarray:
    """A single signal as a score of inactivity; an unknown value stands in the middle."""
    import numpy as np

    middle = 0.0 if np.isnan(value).all() else float(np.nanmedian(value))
    filled: np.ndarray = np.where(np.isnan(value), middle, value)
    return filled if more_is_worse else -filled


def _window(
    as_of: date | None, rows: np.ndarray, happened: np.ndarray, chance: np.ndarray, repositories: np.ndarray
) -> Window:
    seen = rows[~_isnan(happened[rows])]
    outcome = happened[seen]
    found: dict[str, Figure] = {}
    if len(seen) >= FEWEST_MEMBERS and 0 < outcome.sum() < len(outcome):
        for name, figure in (
            ("auc", figures.auc),
            ("average_precision", figures.average_precision),
            ("brier", figures.brier),
            ("calibration_error", figures.calibration_error),
        ):
            found[name] = _figure(figure, outcome, chance[seen], repositories[seen])
    share = float(outcome.mean()) if len(seen) else math.nan
    return Window(as_of, len(rows), len(seen), share, found)


def _figure(
    figure: Callable[[np.ndarray, np.ndarray], float],
    happened: np.ndarray,
    score: np.ndarray,
    repositories: np.ndarray,
) -> Figure:
    bounds = figures.bootstrap(lambda rows: figure(happened[rows], score[rows]), repositories, DRAWS)
    return Figure(figure(happened, score), *bounds)
