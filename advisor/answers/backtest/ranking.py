"""Back-test scores: does a higher score mean a better fate than that of another library of the category?

The score of a library on a past day uses the product's own scales and the panel's nearest equivalent of each
metric. What a panel does not show (backing, model coverage, the spread of the work over people) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from advisor.answers.backtest.figures import bootstrap
from advisor.decide.utilities import utility
from advisor.domain.domain import Criterion, available_domains, load_domain
from advisor.domain.files import data_folder, read_toml
from advisor.domain.fitted_weights import CRITERIA, OUTCOMES, WITHOUT, complete_weights
from advisor.errors import InputError
from advisor.files import read_text
from advisor.outlook import model, panel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FORMAT = 1
MONTHS = 24
DRAWS = 200
GENERIC_DOMAIN = "libraries"  # its names of goals come first
FEWEST_RIVALS = 3
DAYS_A_YEAR, DAYS_A_MONTH = 365, 30
# Weights that people chose before anything was fitted, as far as a panel shows the criteria.
EXPERT_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "3:2:3:1": {"contributors": 3, "issues": 2, "activity": 3, "adoption": 1},
    "4:1:5:1": {"contributors": 4, "issues": 1, "activity": 5, "adoption": 1},
}


@dataclass(frozen=True)
class Concordance:
    """How often a score puts the library with the better outcome first, of two of one category and day.

    Attributes:
        value: share of the pairs; equal scores count half.
        low, high: 95 % bootstrap interval over categories.
        gain: the value minus that of the reference score, for the same pairs.
        gain_low, gain_high: its interval, paired.
        pairs: number of pairs with different outcomes.
    """

    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    pairs: int


@dataclass(frozen=True)
class Record:
    """How well scores ordered libraries that nobody had learned from.

    Attributes:
        days: the first and the last day of the scores.
        repositories: number of libraries.
        weights: goal → criterion → its weight, from the file of weights.
        outcomes: outcome → score → concordance; the gain is over the same weights without the outlook.
    """

    days: tuple[date, date]
    repositories: int
    weights: Mapping[str, Mapping[str, float]]
    outcomes: Mapping[str, Mapping[str, Concordance]]


@cache
def read_criteria() -> tuple[Criterion, ...]:
    """Read the bundled criteria that a panel can measure, at least in part."""
    folder = data_folder() / "criteria"
    return tuple(
        Criterion.model_validate({"name": name, **read_toml(folder / f"{name}.toml")}) for name in CRITERIA
    )


def read_weights(path: Path) -> Mapping[str, Any]:
    """Read a file of scripts/fit_weights.py: ``outcomes``, outcome → criterion → weight, and ``trained_on``.

    Raises:
        InputError: it cannot be read or has another format.
    """
    try:
        content: Mapping[str, Any] = json.loads(read_text(path))
        is_known = content["format"] == FORMAT and set(OUTCOMES) <= set(content["outcomes"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read the weights {path}: {error}") from None
    if not is_known:
        raise InputError(
            f"cannot read the weights {path}: it is no file of this version's scripts/fit_weights.py"
        )
    return content


def judge_weights(
    weights: Mapping[str, Any], series: pd.DataFrame, members: pd.DataFrame, values: pd.DataFrame
) -> Record:
    """Compare the fitted weights, the weights of goals, and single signals with what happened.

    Args:
        weights: from `read_weights`.
        series: the panel.
        members: from `run.forecast` for 24 months.
        values: their features.

    Raises:
        InputError: the weights were learned from one of the members' repositories, or from later days.
    """
    import numpy as np

    training_repositories = {
        n for n in set(members.repository) if model.digest(n) in set(weights["trained_on"])
    }
    if count := len(training_repositories):
        raise InputError(
            f"the weights were learned from {count} of these repositories: leave them out with"
            " scripts/fit_weights.py --leave-out, and name them with --only"
        )
    until = weights["about"]["until"]
    if until is None or members.as_of.min() < _timestamp(until):
        raise InputError(
            f"the weights were learned from rows up to {until or 'the end of the panel'}: fit them with"
            " --until, and ask about later days with --at"
        )
    criteria = score_criteria(read_criteria(), compute_metrics(series, members, values))
    outcomes = read_outcomes(series, members, values)
    rivals = find_rivals(members, np.ones(len(members), dtype=bool))
    goals = {
        name: complete_weights(names, {}, CRITERIA, weights["outcomes"])
        for names, name in _name_goals().items()
    }
    record = {}
    for outcome in OUTCOMES:
        with_outlook, without = weights["outcomes"][outcome], weights["outcomes"][outcome + WITHOUT]
        scores = {
            "fitted weights": weigh(criteria, with_outlook),
            "fitted" + WITHOUT: weigh(criteria, without),
            **{f"goal {name}": weigh(criteria, goal) for name, goal in goals.items()},
            **{f"weights {name}": weigh(criteria, expert) for name, expert in EXPERT_WEIGHTS.items()},
            "outlook": -members.probability_inactive.to_numpy(),
            "most stars": values.stars.fillna(0).to_numpy(),
            "last commit": -values.idle_days.to_numpy(),
        }
        record[outcome] = compare_scores(rivals, scores, outcomes[outcome].to_numpy(), "fitted" + WITHOUT)
    days = (members.as_of.min().date(), members.as_of.max().date())
    goal_weights = {name: {c: round(w, 4) for c, w in goal.items()} for name, goal in goals.items()}
    return Record(days, members.repository.nunique(), goal_weights, record)


def _name_goals() -> dict[tuple[str, ...], str]:
    """Return the outcomes of the goals of all bundled domains, each with the name of a goal that has them."""
    domains = [load_domain(name) for name in sorted(available_domains(), key=lambda n: n != GENERIC_DOMAIN)]
    goals = [(g.outcomes, name) for d in domains for name, g in d.goals.items() if g.outcomes]
    return dict(reversed(goals))


def weigh(criteria: pd.DataFrame, weights: Mapping[str, float]) -> np.ndarray:
    """Return the score of each member with these weights."""
    total: np.ndarray = criteria[list(weights)].to_numpy() @ list(weights.values())
    return total


def _timestamp(day: str) -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp(day)


def compute_metrics(
    series: pd.DataFrame, members: pd.DataFrame, values: pd.DataFrame
) -> dict[str, pd.Series[float]]:
    """Return metric → the panel's nearest equivalent for each member; NaN: unknown."""
    ago = _counts_near(series, members, members.day - _days(DAYS_A_YEAR), "nearest", 75)
    a_year = DAYS_A_YEAR / DAYS_A_MONTH
    return {
        "contributors": values.contributors,
        "new_contributors": values.newcomers_365.clip(lower=0),
        "newcomer_share": (values.newcomers_365 / values.contributors).clip(lower=0),
        "issues_closed_share": 1 - values.open_issue_share,
        "days_since_last_commit": values.idle_days,
        "active_weeks": 52 * values.fresh_share_365,
        "code_changes_commits": a_year * values.commits_a_month_400.clip(lower=0),
        "release_frequency": values.releases_365.clip(lower=0),
        "downloads": values.downloads,
        "stars": values.stars,
        "stars_growth": values.star_growth_365,
        "downloads_growth": values.downloads / ago.downloads.where(ago.downloads > 0) - 1,
        "inactive_in_24_months": members.probability_inactive,
    }


def score_criteria(criteria: Sequence[Criterion], metrics: Mapping[str, pd.Series[float]]) -> pd.DataFrame:
    """Return the utility of each criterion for each member; an unknown metric has the mean of the members."""
    import pandas as pd

    columns = {}
    for criterion in criteria:
        scales = [s for s in criterion.scales if s.metric in metrics]
        parts = [
            metrics[s.metric].map(lambda x, s=s: float("nan") if pd.isna(x) else utility(s, float(x)))
            for s in scales
        ]
        total = sum(s.weight for s in scales)
        columns[criterion.name] = sum(
            s.weight / total * part.fillna(part.mean()) for s, part in zip(scales, parts, strict=True)
        )
    return pd.DataFrame(columns)


def read_outcomes(series: pd.DataFrame, members: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Return what became of each member 24 months later, more is better; NaN: unknown.

    ``alive``: not abandoned. ``kept up``: a commit in the last 90 days and, in the second year, at least
    four commits and a fifth of the year before. ``downloads gained``, ``newcomers gained``: growth, as a
    logarithm. ``issues answered``: issues closed for each one opened.
    """
    import numpy as np
    import pandas as pd

    year, two = (
        _counts_near(series, members, members.as_of + pd.DateOffset(months=m) - _days(20), "forward", 150)
        for m in (12, MONTHS)
    )
    before = DAYS_A_YEAR / DAYS_A_MONTH * values.commits_a_month_400.clip(lower=0)
    span = ((two.day - year.day).dt.days).clip(lower=180)
    second = (two.commits - year.commits) * DAYS_A_YEAR / span
    is_recent = (two.day - two.last_commit).dt.days <= 90
    kept_up = is_recent & (second >= panel.COLLAPSE_SHARE * before) & (second >= 4)
    answers = two.closed_issues - values.closed_issues
    questions = answers + two.open_issues.fillna(0) - values.open_issues.fillna(0)
    has_downloads = values.downloads >= 100
    downloads = ((two.downloads + 100) / (values.downloads + 100)).map(np.log)
    people = ((two.contributors + 3) / (values.contributors + 3)).map(np.log)
    return pd.DataFrame(
        {
            "alive": 1 - panel.label_abandonment(series, members, MONTHS),
            "kept up": kept_up.astype(float).where(second.notna() & before.notna()),
            "downloads gained": downloads.where(has_downloads),
            "newcomers gained": people.where(two.contributors >= values.contributors),
            "issues answered": (answers / questions).clip(0, 1.5).where(questions >= 10),
        }
    )


def find_rivals(members: pd.DataFrame, rows: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return (category, row numbers) of the selected members of one category and day, three or more."""
    part = members.loc[rows, ["as_of", "category"]]
    return [
        (str(category), group.index.to_numpy())
        for (_, category), group in part.groupby(["as_of", "category"], sort=True)
        if len(group) >= FEWEST_RIVALS and "other" not in str(category).lower()
    ]


def compare_scores(
    rivals: Sequence[tuple[str, np.ndarray]],
    scores: Mapping[str, np.ndarray],
    outcome: np.ndarray,
    reference: str,
) -> dict[str, Concordance]:
    """Return the concordance of each score with an outcome, and its gain over one of them.

    Args:
        rivals: from `find_rivals`.
        scores: name → score of each member, more is better.
        outcome: outcome of each member, more is better; NaN: unknown.
        reference: name of the score to compare with.

    Returns:
        Name → concordance; empty if no two rivals have different known outcomes.
    """
    import numpy as np

    categories, counts = [], []
    for category, group in rivals:
        known = group[~np.isnan(outcome[group])]
        is_better = outcome[known][:, None] > outcome[known]
        if not is_better.any():
            continue
        row = [float(is_better.sum())]
        for score in scores.values():
            order = np.sign(score[known][:, None] - score[known])
            row.append(float((is_better * (order + 1) / 2).sum()))
        categories.append(category)
        counts.append(row)
    if not counts:
        return {}
    table, groups = np.array(counts), np.array(categories)
    everything, base = np.arange(len(table)), 1 + list(scores).index(reference)
    result = {}
    for place, name in enumerate(scores, start=1):

        def share(rows: np.ndarray, column: int = place) -> float:
            return float(table[rows, column].sum() / table[rows, 0].sum())

        def gain(rows: np.ndarray, share: Callable[..., float] = share) -> float:
            return share(rows) - share(rows, base)

        result[name] = Concordance(
            share(everything),
            *bootstrap(share, groups, DRAWS),
            gain(everything),
            *bootstrap(gain, groups, DRAWS),
            int(table[:, 0].sum()),
        )
    return result


def _days(days: int) -> pd.Timedelta:
    import pandas as pd

    return pd.Timedelta(days=days)


def _counts_near(
    series: pd.DataFrame,
    members: pd.DataFrame,
    at: pd.Series[Any],
    direction: Literal["backward", "forward", "nearest"],
    within_days: int,
) -> pd.DataFrame:
    columns = ("day", "last_commit", "commits", "contributors", "closed_issues", "open_issues", "downloads")
    return panel.find_rows(series, members, at, direction, within_days, columns)
