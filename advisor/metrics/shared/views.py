"""The derived views that several metrics read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from advisor.metrics.shared.affiliation import AFFILIATED_SQL, BACKED_SQL
from advisor.metrics.shared.attention import PLACES_SQL

# Name → SQL of a view over the as-of views.
DERIVED_VIEWS: Mapping[str, str] = {
    # issues, change requests and discussions that people (not bots) opened in the last year
    "recent_threads": (
        "SELECT repository, kind, source, opened_at, closed_at, closed_by, merged_at, first_response_at,"
        " responses_seen FROM threads WHERE NOT is_bot AND opened_at::DATE > $as_of - 365"
    ),
    # totals of the last 900 days: growth compares a total up to 400 days old with one up to 485 days older
    "recent_counts": (
        "SELECT repository, day, metric, value, low, high, source FROM counts WHERE day > $as_of - 900"
    ),
    # repositories whose owner is a known backer
    "backed_repositories": BACKED_SQL,
    # commits of people in the last year, with each person's latest organisation
    "affiliated_commits": AFFILIATED_SQL,
    # percentiles of a repository's figures in the reference population
    "figure_places": PLACES_SQL,
    # one row per family: the first day by any route except the package, and whether one still works
    "family_support": (
        "SELECT repository, family, any_value(vendor) AS vendor,"
        "  min(family_released_on) AS family_released_on, min(supported_on) AS supported_on,"
        "  bool_or(supported_on IS NOT NULL AND removed_on IS NULL) AS is_supported,"
        "  max(known_until) AS known_until, list(DISTINCT source) AS sources"
        " FROM model_support WHERE route <> 'package' GROUP BY repository, family"
    ),
}


def derived_views(day: date) -> Iterator[tuple[str, str]]:
    """Yield the name and the SQL of each derived view, as of a day."""
    for name, text in DERIVED_VIEWS.items():
        yield name, text.replace("$as_of", f"DATE '{day.isoformat()}'")
