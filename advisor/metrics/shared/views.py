"""The derived views that several metrics read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from advisor.metrics.shared.affiliation import AFFILIATED_SQL, BACKED_SQL
from advisor.metrics.shared.attention import PLACES_SQL


def _support_sql(routes: str) -> str:
    """Return SQL of the first day of support by the routes, and whether one of them still works."""
    return (
        "SELECT repository, family, any_value(vendor) AS vendor,"
        "  min(family_released_on) AS family_released_on,"
        f"  min(CASE WHEN {routes} THEN supported_on END) AS supported_on,"
        f"  bool_or({routes} AND supported_on IS NOT NULL AND removed_on IS NULL) AS is_supported,"
        "  max(known_until) AS known_until, list(DISTINCT source) AS sources"
        " FROM model_support GROUP BY repository, family"
    )


# Name → SQL of a view over the as-of views.
DERIVED_VIEWS: Mapping[str, str] = {
    # issues, change requests and discussions that people (not bots) opened in the last year
    "recent_threads": (
        "SELECT repository, kind, source, opened_at, closed_at, closed_by, merged_at,"
        " possibly_merged_at, first_response_at, responses_seen FROM threads WHERE NOT is_bot AND opened_at::DATE > $as_of - 365"
    ),
    # totals of the last 900 days: growth compares a total up to 400 days old with one up to 485 days older
    "recent_counts": (
        "SELECT repository, day, metric, value, low, high, source FROM counts WHERE day > $as_of - 900"
    ),
    # versions of the package index where they were collected (withdrawn ones excluded), otherwise tags and releases
    "versions": (
        "SELECT repository, released_on, is_prerelease, source FROM package_releases"
        " WHERE NOT coalesce(is_yanked, false) UNION ALL"
        " SELECT repository, released_on, is_prerelease, source FROM releases"
        " WHERE repository NOT IN (SELECT repository FROM package_releases WHERE NOT coalesce(is_yanked, false))"
    ),
    # repositories whose owner is a known backer
    "backed_repositories": BACKED_SQL,
    # commits of people in the last year, with each person's latest organisation
    "affiliated_commits": AFFILIATED_SQL,
    # percentiles of a repository's figures in the reference population
    "figure_places": PLACES_SQL,
    # one row per family, where the library's own code names it or its own files show it
    "family_support": _support_sql("route IN ('main', 'shown')"),
    # one row per family, where the library's own tests, examples, recipes or pages show it
    "shown_family_support": _support_sql("route = 'shown'"),
    # one row per family, where the library names, shows or loads it
    "any_family_support": _support_sql("route <> 'package'"),
}


def derived_views(day: date) -> Iterator[tuple[str, str]]:
    """Yield the name and the SQL of each derived view, as of a day."""
    for name, text in DERIVED_VIEWS.items():
        yield name, text.replace("$as_of", f"DATE '{day.isoformat()}'")
