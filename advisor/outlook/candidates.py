"""Outlooks of candidates: turn our own facts into the monthly rows of a panel.

So the same features work for the panel and for our facts. If the facts have no source for a column of the
panel, its features are unknown, which is different from blank (see `model`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from advisor.facts.database import table_sql
from advisor.facts.facts_view import FactsView
from advisor.facts.tables import STALE_DAYS
from advisor.model import Outlook
from advisor.outlook import compute, forecast, model
from advisor.outlook.features import FEATURES
from advisor.outlook.measurements import OLD_COMMITS
from advisor.outlook.panel import COLUMNS

MONTHS = 30  # rows before the last: windows of two years, and some more because rows are monthly
HORIZONS = (12, 24)  # months

# Running totals by day, and the newest of them on each day of the grid.
_ROWS = f"""
WITH grid AS (SELECT DISTINCT day FROM days),
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
    FROM counts AS c JOIN grid AS g ON c.day BETWEEN g.day - {STALE_DAYS} AND g.day GROUP BY ALL
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


# Rows of different as-of dates are different series: the features of one must not see the other's.
_SERIES = f"""
rows AS ({_ROWS}),
series AS MATERIALIZED (
    SELECT rows.* REPLACE (rows.repository || ' ' || days.as_of AS repository), rows.repository AS name, as_of
    FROM rows JOIN days ON rows.day = days.day
),
members AS (SELECT row_number() OVER (ORDER BY as_of, name) AS member, * FROM series WHERE day = as_of)
"""


class _Row(NamedTuple):
    """A repository on a day: its features, and those that its facts cannot give."""

    values: Mapping[str, float | None]
    unknown: tuple[str, ...]


def series_sql(days: Sequence[date]) -> str:
    """Return SQL of the tables ``days``, ``series`` and ``members``, to follow WITH.

    ``series`` has rows as `panel.read_panel` describes them for the `MONTHS` before each day, 30 days apart,
    the last on the day itself; its ``repository`` is the name and the as-of date.

    Args:
        days: as-of dates. The connection has the facts up to the last of them or later.
    """
    pairs = [(as_of, day) for as_of in sorted({*days}) for day in _days_up_to(as_of)]
    return f"days AS ({table_sql({'as_of': 'DATE', 'day': 'DATE'}, pairs)}), {_SERIES}"


def _days_up_to(as_of: date) -> list[date]:
    return [as_of - timedelta(days=30 * back) for back in range(MONTHS, -1, -1)]


def _read_features(db: Any, days: Sequence[date]) -> dict[tuple[str, date], _Row]:
    """Return (repository, as-of date) → its row; a repository without commits by then has none."""
    columns = [name for name in COLUMNS if name != "repository"]
    known = ", ".join(f"bool_or({name} IS NOT NULL) AS {name}" for name in columns)
    rows = db.execute(
        f"WITH {series_sql(days)}, {compute.features_sql()}, known AS"
        f" (SELECT repository, {known} FROM series GROUP BY repository)"
        f" SELECT m.name, m.as_of, {', '.join(f'f.{name}' for name in FEATURES)},"
        f" {', '.join(f'k.{name}' for name in columns)}"
        " FROM features AS f JOIN members AS m USING (member) JOIN known AS k USING (repository)"
    ).fetchall()
    result = {}
    for name, as_of, *cells in rows:
        values = dict(zip(FEATURES, cells, strict=False))
        blank = {c for c, is_known in zip(columns, cells[len(FEATURES) :], strict=True) if not is_known}
        result[name, as_of] = _Row(values, tuple(n for n, f in FEATURES.items() if blank & {*f.uses}))
    return result


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
    rows = _read_features(facts.connection, [facts.as_of])
    by_key = _predict(facts, rows, [facts.as_of], HORIZONS, trees, collapse, earlier_names or {})
    return {name: by_key[name, facts.as_of] for name in facts.intact_repositories}


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
    rows = _read_features(facts.connection, days)
    by_key = _predict(facts, rows, days, HORIZONS[-1:], model.load_model(model_file))
    return {day: {name: by_key[name, day][0] for name in facts.intact_repositories} for day in days}


def _predict(
    facts: FactsView,
    rows: Mapping[tuple[str, date], _Row],
    days: Sequence[date],
    horizons: Sequence[int],
    trees: model.Model,
    collapse: model.Model | None = None,
    earlier_names: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> dict[tuple[str, date], tuple[Outlook, ...]]:
    """Return (repository, as-of date) → one outlook per horizon; without a row, it abstains."""
    read_on = _read_days(facts)
    keys = [(name, day) for day in days for name in facts.intact_repositories]
    reasons = {
        (name, day): _no_outlook_reason((name, day) in rows, read_on.get(name), day) for name, day in keys
    }
    forecasts = [key for key in keys if not reasons[key]]
    predictions = forecast.predict_outlooks(
        trees,
        [rows[key].values for key in forecasts],
        horizons,
        [rows[key].unknown for key in forecasts],
        [(name, *earlier_names.get(name, ())) for name, _ in forecasts],
        collapse,
    )
    by_key = dict(zip(forecasts, predictions, strict=True))
    return {key: by_key.get(key) or tuple(_abstain(m, reasons[key]) for m in horizons) for key in keys}


def _read_days(facts: FactsView) -> dict[str, date]:
    """Return repository → the day on which its commits were last collected."""
    query = "SELECT repository, max(retrieved_at) FROM all_contributions GROUP BY repository"
    return dict(facts.connection.execute(query).fetchall())


def _no_outlook_reason(has_commits: bool, read_on: date | None, as_of: date) -> str:
    """Return why a repository has no outlook; empty if the facts allow one."""
    if read_on is not None and (as_of - read_on).days > STALE_DAYS:
        return f"{OLD_COMMITS} {read_on}"
    return "" if has_commits else "the facts have no commits for it"


def _abstain(months: int, reason: str) -> Outlook:
    return Outlook(months, None, 0.0, 1.0, abstained=True, reason=reason)
