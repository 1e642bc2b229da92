"""Our own facts as rows of a panel: a candidate as the lists would have shown it, month by month.

So one definition of the features serves both. Where the facts have no source for a column of the panel,
its features are unknown, which is not the same as blank (see `model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.facts import reading
from advisor.facts.store import Store
from advisor.model import Outlook
from advisor.outlook import compute, model
from advisor.outlook.features import FEATURES
from advisor.outlook.panel import COLUMNS, DATES

if TYPE_CHECKING:
    import pandas as pd

MONTHS = 30  # rows before the last; two years of windows and the slack of monthly rows
HORIZONS = (12, 24)
FRESH_DAYS = 62  # a history read longer ago than this, or a count older than this, says nothing

_ROWS = """
WITH grid AS (SELECT unnest($days::DATE[]) AS day),
born AS (SELECT repository, min(day) AS created FROM contributions GROUP BY repository),
works AS (
    SELECT c.repository, g.day, max(c.day) AS last_commit, sum(c.commits) AS commits,
           sum(c.commits) FILTER (c.day > g.day - 90) AS recent_commits, -- NULL for none, as in the lists
           count(DISTINCT c.author) AS contributors
    FROM contributions AS c JOIN grid AS g ON c.day <= g.day GROUP BY ALL
),
tags AS (
    SELECT r.repository, g.day, max(released_on) FILTER (NOT is_prerelease) AS last_release,
           count(*) AS releases
    FROM releases AS r JOIN grid AS g ON r.released_on <= g.day GROUP BY ALL
),
asked AS (
    SELECT t.repository, g.day, count(*) AS change_requests
    FROM threads AS t JOIN grid AS g ON t.opened_at::DATE <= g.day
    WHERE t.kind = 'change_request' GROUP BY ALL
),
seen AS (
    SELECT c.repository, g.day, c.metric, arg_max(c.value, c.day) AS value
    FROM counts AS c JOIN grid AS g ON c.day BETWEEN g.day - {fresh} AND g.day GROUP BY ALL
),
wide AS (
    SELECT repository, day,
           max(value) FILTER (metric = 'stars') AS stars, max(value) FILTER (metric = 'forks') AS forks,
           max(value) FILTER (metric = 'open_issues') AS open_issues,
           max(value) FILTER (metric = 'closed_issues') AS closed_issues,
           max(value) FILTER (metric = 'downloads_30d') AS downloads
    FROM seen GROUP BY ALL
)
SELECT w.repository, w.day::TIMESTAMP AS day, NULL::VARCHAR AS category, created::TIMESTAMP AS created,
       last_commit::TIMESTAMP AS last_commit, last_release::TIMESTAMP AS last_release,
       w.commits::DOUBLE AS commits, w.recent_commits::DOUBLE AS recent_commits,
       contributors::DOUBLE AS contributors, stars, forks, NULL::DOUBLE AS watchers,
       open_issues, closed_issues, change_requests::DOUBLE AS change_requests,
       releases::DOUBLE AS releases, NULL::DOUBLE AS dependents, downloads
FROM works AS w JOIN born USING (repository) LEFT JOIN tags USING (repository, day)
     LEFT JOIN asked USING (repository, day) LEFT JOIN wide USING (repository, day)
ORDER BY w.repository, w.day
"""


def series_of(db: Any, as_of: date) -> pd.DataFrame:
    """Rows as `panel.read_panel` gives them, 30 days apart and the last on the as-of date.

    Args:
        db: from `facts.connect`; its views are cut at the as-of date.
        as_of: day of the last row.
    """
    days = [as_of - timedelta(days=30 * back) for back in range(MONTHS, -1, -1)]
    found: pd.DataFrame = db.execute(_ROWS.format(fresh=FRESH_DAYS), {"days": days}).df()[list(COLUMNS)]
    return found.astype(dict.fromkeys(DATES, "datetime64[us]"))


def outlooks(
    store: Store, repositories: Sequence[str], as_of: date, model_file: Path
) -> dict[str, tuple[Outlook, ...]]:
    """The outlook of each repository for 12 and 24 months; it abstains where too little is known.

    Args:
        store: the facts; every file that is read must be sound (see `facts.verify`).
        repositories: whom to look at.
        as_of: nothing later is looked at.
        model_file: see `model.load`.

    Raises:
        FactsError: the model's file cannot be read.
    """
    trees = model.load(model_file)
    with reading.connect(store, repositories, as_of) as db:
        series = series_of(db, as_of)
        read_on = dict(
            db.execute(
                "SELECT repository, max(retrieved_at) FROM all_contributions GROUP BY repository"
            ).fetchall()
        )
    last = series[series.day.dt.date == as_of]
    values = compute.features(series, last)
    rows = dict(zip(last.repository, values.to_dict("records"), strict=True))
    found = {}
    for repository in repositories:
        of_it = series[series.repository == repository]
        stale = (as_of - (read_on.get(repository) or as_of)).days > FRESH_DAYS
        if repository not in rows or stale:
            when = f"was last read on {read_on[repository]}" if stale else "is not in the facts"
            found[repository] = tuple(
                Outlook(m, None, 0.0, 1.0, abstained=True, reason=f"its history {when}") for m in HORIZONS
            )
            continue
        blank = {name for name in COLUMNS if of_it[name].isna().all()}
        unknown = [name for name, feature in FEATURES.items() if blank & set(feature.uses)]
        found[repository] = model.outlooks(trees, rows[repository], HORIZONS, unknown)
    return found
