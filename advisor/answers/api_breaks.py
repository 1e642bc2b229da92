"""What each release of a library broke in its public API: rows of a chart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class ReleaseBreaks:
    """A release after the first one whose public API is known.

    Attributes:
        repository: the library.
        tag: of the release.
        day: of the release.
        broken: number of public names that it removed or changed incompatibly.
        deprecations: how many of them the release before had marked as deprecated.
        names: the first of them by name.
    """

    repository: str
    tag: str
    day: date
    broken: int
    deprecations: int
    names: tuple[str, ...]


BREAKS_SQL = """
WITH broken_names AS (
    SELECT repository, version, name, bool_and(was_deprecated) AS was_announced
    FROM api_changes WHERE NOT is_alias GROUP BY ALL
),
broken AS (
    SELECT repository, version, count(*) AS names, count(*) FILTER (was_announced) AS deprecations,
           list(name ORDER BY name)[:3] AS examples
    FROM broken_names GROUP BY ALL
)
SELECT r.repository, r.tag, r.released_on, coalesce(b.names, 0), coalesce(b.deprecations, 0),
       coalesce(array_to_string(b.examples, ' '), '')
FROM api_releases AS r LEFT JOIN broken AS b ON b.repository = r.repository AND b.version = r.version
WHERE r.reason IS NULL AND r.step IS DISTINCT FROM 'first'
ORDER BY r.repository, r.released_on, r.tag
"""
"""No public name has a space."""


def build_breaks(rows: Iterable[tuple[str, str, date, int, int, str]]) -> tuple[ReleaseBreaks, ...]:
    """Return the releases from rows of `BREAKS_SQL`."""
    return tuple(
        ReleaseBreaks(repository, tag, day, broken, deprecations, tuple(names.split()))
        for repository, tag, day, broken, deprecations, names in rows
    )
