"""Outlooks of candidates: turn our own facts into the monthly rows of a panel.

So the same features work for the panel and for our facts. If the facts have no source for a column of the
panel, its features are unknown, which is different from blank (see `model`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.facts.facts_view import FactsView
from advisor.facts.tables import STALE_DAYS
from advisor.model import Outlook
from advisor.outlook import compute, forecast, model
from advisor.outlook.features import FEATURES
from advisor.outlook.panel import COLUMNS, DATES

if TYPE_CHECKING:
    import pandas as pd

MONTHS = 30  # rows before the last: windows of two years, and some more because rows are monthly
HORIZONS = (12, 24)  # months

# Running totals by day, and the newest of them on each day of the grid.
_ROWS = """
WITH grid AS (SELECT unnest($days::DATE[]) AS day),
first_commits AS (SELECT repository, min(day) AS created FROM contributions GROUP BY repository),
places AS (
    SELECT repository, created, day, day - 90 AS before FROM first_commits JOIN grid ON created <= day
),
first_days AS (SELECT repository, min(day) AS day FROM contributions GROUP BY repository, author),
commit_days AS (
    SELECT repository, day, max(day) FILTER (NOT is_bot) AS human_day, sum(commits) AS commits
    FROM contributions GROUP BY ALL
),
commit_totals AS (
    SELECT repository, day, max(human_day) OVER w AS last_commit, sum(c.commits) OVER w AS commits,
           sum(coalesce(f.people, 0)) OVER w AS contributors
    FROM commit_days AS c
         LEFT JOIN (SELECT repository, day, count(*) AS people FROM first_days GROUP BY ALL) AS f
         USING (repository, day)
    WINDOW w AS (PARTITION BY repository ORDER BY day)
),
tag_days AS (
    SELECT repository, released_on AS day, max(released_on) FILTER (NOT is_prerelease) AS final_day,
           count(*) AS tags
    FROM releases GROUP BY ALL
),
tag_totals AS (
    SELECT repository, day, max(final_day) OVER w AS last_release, sum(tags) OVER w AS releases
    FROM tag_days WINDOW w AS (PARTITION BY repository ORDER BY day)
),
change_request_days AS (
    SELECT repository, opened_at::DATE AS day, count(*) AS opened
    FROM threads WHERE kind = 'change_request' GROUP BY ALL
),
change_request_totals AS (
    SELECT repository, day, sum(opened) OVER w AS change_requests
    FROM change_request_days WINDOW w AS (PARTITION BY repository ORDER BY day)
),
latest_counts AS (
    SELECT c.repository, g.day, c.metric, arg_max(c.value, c.day) AS value
    FROM counts AS c JOIN grid AS g ON c.day BETWEEN g.day - {stale_days} AND g.day GROUP BY ALL
),
wide AS (
    SELECT repository, day,
           max(value) FILTER (metric = 'stars') AS stars, max(value) FILTER (metric = 'forks') AS forks,
           max(value) FILTER (metric = 'open_issues') AS open_issues,
           max(value) FILTER (metric = 'closed_issues') AS closed_issues,
           max(value) FILTER (metric = 'downloads_30d') AS downloads
    FROM latest_counts GROUP BY ALL
)
SELECT p.repository, p.day::TIMESTAMP AS day, NULL::VARCHAR AS category, created::TIMESTAMP AS created,
       c.last_commit::TIMESTAMP AS last_commit, last_release::TIMESTAMP AS last_release,
       c.commits::DOUBLE AS commits,
       -- NULL for none, as in the panel
       nullif(c.commits - coalesce(b.commits, 0), 0)::DOUBLE AS recent_commits,
       c.contributors::DOUBLE AS contributors, stars, forks, NULL::DOUBLE AS watchers,
       open_issues, closed_issues, change_requests::DOUBLE AS change_requests,
       releases::DOUBLE AS releases, NULL::DOUBLE AS dependents, downloads
FROM places AS p ASOF JOIN commit_totals AS c ON p.repository = c.repository AND p.day >= c.day
     ASOF LEFT JOIN commit_totals AS b ON p.repository = b.repository AND p.before >= b.day
     ASOF LEFT JOIN tag_totals AS t ON p.repository = t.repository AND p.day >= t.day
     ASOF LEFT JOIN change_request_totals AS r ON p.repository = r.repository AND p.day >= r.day
     LEFT JOIN wide AS w ON p.repository = w.repository AND p.day = w.day
ORDER BY p.repository, p.day
"""


def read_series(db: Any, as_of: date) -> pd.DataFrame:
    """Return rows as `panel.read_panel` does, 30 days apart, the last on the as-of date.

    Args:
        db: from `reading.open_views`, as of the same date or a later one.
        as_of: day of the last row.
    """
    return _read_rows(db, _days_up_to(as_of))


def _days_up_to(as_of: date) -> list[date]:
    return [as_of - timedelta(days=30 * back) for back in range(MONTHS, -1, -1)]


def _read_rows(db: Any, days: Sequence[date]) -> pd.DataFrame:
    rows: pd.DataFrame = db.execute(_ROWS.format(stale_days=STALE_DAYS), {"days": days}).df()
    return rows[list(COLUMNS)].astype(dict.fromkeys(DATES, "datetime64[us]"))


def compute_outlooks(
    facts: FactsView, model_file: Path, earlier_names: Mapping[str, Collection[str]] | None = None
) -> dict[str, tuple[Outlook, ...]]:
    """Return the outlook of each repository for 12 and 24 months; it abstains if too little is known.

    Args:
        facts: the repositories, and the day of the outlook.
        model_file: see `model.load_model`.
        earlier_names: repository → names that it had before; the training data may have one of them.

    Raises:
        FactsError: the model's file cannot be read.
    """
    trees = model.load_model(model_file)
    collapse = model.load_model(model_file, model.COLLAPSE)
    as_of = facts.as_of
    series = read_series(facts.connection, as_of)
    read_on = _read_days(facts)
    last = series[series.day.dt.date == as_of]
    values = compute.compute_features(series, last)
    rows = dict(zip(last.repository, _records(values), strict=True))
    unknown = _unknown_features(series)
    reasons = {
        name: _no_outlook_reason(name in rows, read_on.get(name), as_of) for name in facts.intact_repositories
    }
    forecasts = [name for name, reason in reasons.items() if not reason]
    predictions = forecast.predict_outlooks(
        trees,
        [rows[n] for n in forecasts],
        HORIZONS,
        [unknown[n] for n in forecasts],
        [(n, *(earlier_names or {}).get(n, ())) for n in forecasts],
        collapse,
    )
    by_name = dict(zip(forecasts, predictions, strict=True))
    return {
        name: by_name.get(name) or tuple(_abstain(m, reason) for m in HORIZONS)
        for name, reason in reasons.items()
    }


def compute_past_outlooks(
    facts: FactsView, days: Sequence[date], model_file: Path
) -> dict[date, dict[str, Outlook]]:
    """Return the outlook for 24 months on many days, without a collapse.

    Args:
        facts: the repositories, with facts up to the last of the days or later.
        days: as-of dates.
        model_file: see `model.load_model`.

    Raises:
        FactsError: the model's file cannot be read.
    """
    import pandas as pd

    months = HORIZONS[-1]
    all_rows = _read_rows(facts.connection, sorted({d for day in days for d in _days_up_to(day)}))
    all_rows = all_rows[all_rows.repository.isin(facts.intact_repositories)]
    # Rows of different as-of dates are different series: the features of one must not see the other's.
    parts = []
    for day in days:
        part = all_rows[all_rows.day.isin(pd.to_datetime(_days_up_to(day)))]
        parts.append(part.assign(repository=part.repository + f" {day}"))
    series = pd.concat(parts, ignore_index=True)
    ends = pd.to_datetime(series.repository.str.split(" ").str[1])
    last = series[series.day == ends].reset_index(drop=True)
    values = compute.compute_features(series, last)
    unknown = _unknown_features(series)
    chances = forecast.predict_outlooks(
        model.load_model(model_file),
        _records(values),
        [months],
        [unknown[n] for n in last.repository],
        [(n.split(" ")[0],) for n in last.repository],
    )
    by_name = {name: outlook for name, (outlook,) in zip(last.repository, chances, strict=True)}
    read_on = _read_days(facts)
    result: dict[date, dict[str, Outlook]] = {}
    for day in days:
        result[day] = {}
        for repository in facts.intact_repositories:
            name = f"{repository} {day}"
            reason = _no_outlook_reason(name in by_name, read_on.get(repository), day)
            result[day][repository] = _abstain(months, reason) if reason else by_name[name]
    return result


def _records(values: pd.DataFrame) -> list[dict[str, float | None]]:
    return [{str(name): value for name, value in row.items()} for row in values.to_dict("records")]


def _read_days(facts: FactsView) -> dict[str, date]:
    """Return repository → the day on which its commits were last collected."""
    query = "SELECT repository, max(retrieved_at) FROM all_contributions GROUP BY repository"
    return dict(facts.connection.execute(query).fetchall())


def _no_outlook_reason(has_commits: bool, read_on: date | None, as_of: date) -> str:
    """Return why a repository has no outlook; empty if the facts allow one."""
    if read_on is not None and (as_of - read_on).days > STALE_DAYS:
        return f"its commits were last collected on {read_on}"
    return "" if has_commits else "the facts have no commits for it"


def _abstain(months: int, reason: str) -> Outlook:
    return Outlook(months, None, 0.0, 1.0, abstained=True, reason=reason)


def _unknown_features(series: pd.DataFrame) -> dict[str, list[str]]:
    """Return for each repository the features that its facts cannot give: a column that they use is blank."""
    has_values = series.drop(columns="repository").notna().groupby(series.repository).any()
    unknown = {}
    for repository, row in has_values.iterrows():
        blank = set(row.index[~row])
        unknown[str(repository)] = [name for name, f in FEATURES.items() if blank & set(f.uses)]
    return unknown
