"""Outlooks of candidates: turn our own facts into the monthly rows of a panel.

So the same features work for the panel and for our facts. If the facts have no source for a column of the
panel, its features are unknown, which is different from blank (see `model`).
"""

from __future__ import annotations

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

_ROWS = """
WITH grid AS (SELECT unnest($days::DATE[]) AS day),
first_commits AS (SELECT repository, min(day) AS created FROM contributions GROUP BY repository),
commit_totals AS (
    SELECT c.repository, g.day, max(c.day) FILTER (NOT c.is_bot) AS last_commit, sum(c.commits) AS commits,
           sum(c.commits) FILTER (c.day > g.day - 90) AS recent_commits, -- NULL for none, as in the panel
           count(DISTINCT c.author) AS contributors
    FROM contributions AS c JOIN grid AS g ON c.day <= g.day GROUP BY ALL
),
tags AS (
    SELECT r.repository, g.day, max(released_on) FILTER (NOT is_prerelease) AS last_release,
           count(*) AS releases
    FROM releases AS r JOIN grid AS g ON r.released_on <= g.day GROUP BY ALL
),
change_request_totals AS (
    SELECT t.repository, g.day, count(*) AS change_requests
    FROM threads AS t JOIN grid AS g ON t.opened_at::DATE <= g.day
    WHERE t.kind = 'change_request' GROUP BY ALL
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
SELECT w.repository, w.day::TIMESTAMP AS day, NULL::VARCHAR AS category, created::TIMESTAMP AS created,
       last_commit::TIMESTAMP AS last_commit, last_release::TIMESTAMP AS last_release,
       w.commits::DOUBLE AS commits, w.recent_commits::DOUBLE AS recent_commits,
       contributors::DOUBLE AS contributors, stars, forks, NULL::DOUBLE AS watchers,
       open_issues, closed_issues, change_requests::DOUBLE AS change_requests,
       releases::DOUBLE AS releases, NULL::DOUBLE AS dependents, downloads
FROM commit_totals AS w JOIN first_commits USING (repository) LEFT JOIN tags USING (repository, day)
     LEFT JOIN change_request_totals USING (repository, day) LEFT JOIN wide USING (repository, day)
ORDER BY w.repository, w.day
"""


def read_series(db: Any, as_of: date) -> pd.DataFrame:
    """Return rows as `panel.read_panel` does, 30 days apart, the last on the as-of date.

    Args:
        db: from `reading.open_views`, as of the same date.
        as_of: day of the last row.
    """
    days = [as_of - timedelta(days=30 * back) for back in range(MONTHS, -1, -1)]
    rows: pd.DataFrame = db.execute(_ROWS.format(stale_days=STALE_DAYS), {"days": days}).df()
    return rows[list(COLUMNS)].astype(dict.fromkeys(DATES, "datetime64[us]"))


def compute_outlooks(facts: FactsView, model_file: Path) -> dict[str, tuple[Outlook, ...]]:
    """Return the outlook of each repository for 12 and 24 months; it abstains if too little is known.

    Args:
        facts: the repositories, and the day of the outlook.
        model_file: see `model.load_model`.

    Raises:
        FactsError: the model's file cannot be read.
    """
    trees = model.load_model(model_file)
    collapse = model.load_model(model_file, model.COLLAPSE)
    as_of = facts.as_of
    series = read_series(facts.connection, as_of)
    read_on = dict(
        facts.connection.execute(
            "SELECT repository, max(retrieved_at) FROM all_contributions GROUP BY repository"
        ).fetchall()
    )
    last = series[series.day.dt.date == as_of]
    values = compute.compute_features(series, last)
    rows = dict(zip(last.repository, values.to_dict("records"), strict=True))
    outlooks = {}
    for repository in facts.intact_repositories:
        own_rows = series[series.repository == repository]
        is_stale = (as_of - (read_on.get(repository) or as_of)).days > STALE_DAYS
        if repository not in rows or is_stale:
            reason = (
                f"its commits were last collected on {read_on[repository]}"
                if is_stale
                else "the facts have no commits for it"
            )
            outlooks[repository] = tuple(
                Outlook(m, None, 0.0, 1.0, abstained=True, reason=reason) for m in HORIZONS
            )
            continue
        blank = {name for name in COLUMNS if own_rows[name].isna().all()}
        unknown = [name for name, feature in FEATURES.items() if blank & set(feature.uses)]
        outlooks[repository] = forecast.predict_outlooks(trees, rows[repository], HORIZONS, unknown, collapse)
    return outlooks
