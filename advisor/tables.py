"""What a row of each fact table is, and how each table is seen as of a day.

A new column is nullable: files that were written before it are read all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from advisor.affiliation import AFFILIATED, BACKED
from advisor.attention import PLACED

_PROVENANCE = {"source": "VARCHAR", "retrieved_at": "DATE"}

TABLES: Mapping[str, Mapping[str, str]] = {
    # a repository as seen on a date; declared_status: active, unmaintained, deprecated, archived;
    # known_as: the name under which GitHub knows it now; owner_kind: Organization or User
    "repositories": {
        "repository": "VARCHAR",
        "observed_on": "DATE",
        "declared_status": "VARCHAR",
        "evidence": "VARCHAR",
        "evidence_path": "VARCHAR",
        "evidence_commit": "VARCHAR",
        "github_id": "BIGINT",
        "known_as": "VARCHAR",
        "description": "VARCHAR",
        "licence": "VARCHAR",
        "created_on": "DATE",
        "is_archived": "BOOLEAN",
        "is_fork": "BOOLEAN",
        "has_issues": "BOOLEAN",
        "owner_kind": "VARCHAR",
        "owner_name": "VARCHAR",
        "owner_company": "VARCHAR",
        "owner_is_verified": "BOOLEAN",
        "owner_since": "DATE",
    },
    # one day's commits of one author (a number by order of first appearance)
    "contributions": {
        "repository": "VARCHAR",
        "day": "DATE",
        "author": "INTEGER",
        "organisation": "VARCHAR",
        "is_bot": "BOOLEAN",
        "commits": "INTEGER",
    },
    # an issue, a change request or a discussion; closed_by is the day by which it was closed where
    # the day of closing itself is not known; without responses_seen nobody looked for a response;
    # merged_by is an author's number, merged_by_organisation the domain of the address that they merged
    # with or, with @ before it, the organisation on GitHub that they name as their company
    "threads": {
        "repository": "VARCHAR",
        "kind": "VARCHAR",
        "number": "INTEGER",
        "opened_at": "TIMESTAMP",
        "closed_at": "TIMESTAMP",
        "closed_by": "TIMESTAMP",
        "merged_at": "TIMESTAMP",
        "first_response_at": "TIMESTAMP",
        "author_association": "VARCHAR",
        "is_bot": "BOOLEAN",
        "responses_seen": "BOOLEAN",
        "merged_by": "INTEGER",
        "merged_by_organisation": "VARCHAR",
    },
    # a dated total where no rows exist; low and high bound a derived one
    "counts": {
        "repository": "VARCHAR",
        "day": "DATE",
        "metric": "VARCHAR",
        "value": "DOUBLE",
        "low": "DOUBLE",
        "high": "DOUBLE",
        "definition": "VARCHAR",
    },
    # a tag or a release
    "releases": {
        "repository": "VARCHAR",
        "tag": "VARCHAR",
        "released_on": "DATE",
        "is_prerelease": "BOOLEAN",
    },
    # a version on a package index; withdrawn (yanked) if all of its files are
    "package_releases": {
        "repository": "VARCHAR",
        "package": "VARCHAR",
        "version": "VARCHAR",
        "released_on": "DATE",
        "is_prerelease": "BOOLEAN",
        "is_yanked": "BOOLEAN",
    },
    # which packages a repository publishes, as the index (pypi, npm) says on the day of retrieval
    "packages": {
        "repository": "VARCHAR",
        "ecosystem": "VARCHAR",
        "package": "VARCHAR",
    },
    # the first day on which a library supported a model family by one route, and the day on which it
    # ceased to; supported_on NULL: not by known_until. Routes: main (its default branch names it),
    # package (so does a release on the index), transformers (no commit of its own is needed)
    "model_support": {
        "repository": "VARCHAR",
        "family": "VARCHAR",
        "vendor": "VARCHAR",
        "family_released_on": "DATE",
        "route": "VARCHAR",
        "supported_on": "DATE",
        "removed_on": "DATE",
        "known_until": "DATE",
        "evidence_name": "VARCHAR",
        "evidence_path": "VARCHAR",
        "evidence_commit": "VARCHAR",
    },
    # one figure of one library measured on one machine by `advisor bench`. figure: tokens_per_second,
    # peak_memory, …; relative_throughput and relative_peak_memory are times a plain trl run of the same
    # bench. low and high: smallest and largest of the runs, widened by the noise floor
    "benchmarks": {
        "repository": "VARCHAR",
        "day": "DATE",
        "stack": "VARCHAR",
        "version": "VARCHAR",
        "figure": "VARCHAR",
        "unit": "VARCHAR",
        "value": "DOUBLE",
        "low": "DOUBLE",
        "high": "DOUBLE",
        "setting": "VARCHAR",
        "machine": "VARCHAR",
    },
}

# What a user measured is no news of a project: these tables decide neither whom a store knows nor until when.
ASIDE = ("benchmarks",)

# The as-of views: the same names as the tables, without rows after $as_of and with later events
# undone. A metric's SQL names these and nothing else.
VIEWS: Mapping[str, tuple[str, Mapping[str, str]]] = {  # which rows, and which columns in place of their own
    "repositories": ("observed_on <= {d}", {}),
    "contributions": ("day <= {d}", {}),
    "threads": (
        "opened_at::DATE <= {d}",
        {
            **{
                name: f"CASE WHEN {name}::DATE <= {{d}} THEN {name} END"
                for name in ("closed_at", "closed_by", "merged_at", "first_response_at")
            },
            **{
                name: f"CASE WHEN merged_at::DATE <= {{d}} THEN {name} END"
                for name in ("merged_by", "merged_by_organisation")
            },
        },
    ),
    "counts": ("day <= {d}", {}),
    "releases": ("released_on <= {d}", {}),
    "package_releases": ("released_on <= {d}", {}),
    "packages": ("retrieved_at <= {d}", {}),
    "model_support": (
        "family_released_on <= {d}",
        {
            "route": "coalesce(route, 'main')",
            "supported_on": "CASE WHEN supported_on <= {d} THEN supported_on END",
            "removed_on": "CASE WHEN removed_on <= {d} THEN removed_on END",
            **{
                name: f"CASE WHEN supported_on <= {{d}} THEN {name} END"
                for name in ("evidence_name", "evidence_path", "evidence_commit")
            },
            "known_until": "least(known_until, {d})",
        },
    ),
    "benchmarks": ("day <= {d}", {}),
}
# Where two sources tell of the same thread or release, one row is left: the API knows when a change
# request was opened, git must guess. No date decides this, so it is done when a table is read.
ONE_ROW_A: Mapping[str, str] = {"threads": "repository, kind, number", "releases": "repository, tag"}
# What the row that is left takes from the others where it is silent: git knows some mergers by number, the
# API some by their company.
TAKEN_OVER: Mapping[str, tuple[str, ...]] = {"threads": ("merged_by", "merged_by_organisation")}

# Views over the as-of views: what several metrics would otherwise all begin with.
DERIVED: Mapping[str, str] = {
    # what people opened in the last year
    "recent_threads": (
        "SELECT repository, kind, source, opened_at, closed_at, closed_by, merged_at, first_response_at,"
        " responses_seen FROM threads WHERE NOT is_bot AND opened_at::DATE > $as_of - 365"
    ),
    # totals of the last two years and a half: growth reaches back 485 days from a total of 400 days ago
    "recent_counts": (
        "SELECT repository, day, metric, value, low, high, source FROM counts WHERE day > $as_of - 900"
    ),
    # the repositories whose owner is a known backer
    "backed": BACKED,
    # what people did, with the organisation that each of them was last seen with
    "affiliated": AFFILIATED,
    # where a repository's figures stand among those of the reference population
    "placed": PLACED,
    # one row a family: the first day by any route but the package's, and whether one still holds
    "family_support": (
        "SELECT repository, family, any_value(vendor) AS vendor,"
        "  min(family_released_on) AS family_released_on, min(supported_on) AS supported_on,"
        "  bool_or(supported_on IS NOT NULL AND removed_on IS NULL) AS is_supported,"
        "  max(known_until) AS known_until, list(DISTINCT source) AS sources"
        " FROM model_support WHERE route <> 'package' GROUP BY repository, family"
    ),
}


def derived_views(day: date) -> Iterator[tuple[str, str]]:
    """Name and SQL of the views over the as-of views of a day."""
    for name, text in DERIVED.items():
        yield name, text.replace("$as_of", f"DATE '{day.isoformat()}'")


def as_of_view(table: str, source: str, day: str, with_: str = "") -> str:
    """SQL of the table as it was known at the end of a day.

    Args:
        table: one of ``TABLES``.
        source: what stands after FROM: a table's name, or a query in brackets.
        day: an SQL expression of a date; it may name a column of the source.
        with_: further columns of the source, with a comma before each.
    """
    rows, instead = VIEWS[table]
    seen = ", ".join(f"{instead[c]} AS {c}" if c in instead else c for c in columns(table))
    return f"SELECT {seen}{with_} FROM {source} WHERE {rows}".format(d=day)


def one_row_each(table: str, source: str) -> str:
    """SQL of the table's rows with one left of each thing that two sources tell of.

    Only repositories of which several sources tell are sorted: that costs three times what reading costs.

    Args:
        table: one of ``TABLES``.
        source: a query of its columns.
    """
    if table not in ONE_ROW_A:
        return source
    same = f"PARTITION BY {ONE_ROW_A[table]}"
    taken = {c: f"coalesce({c}, max({c}) OVER ({same})) AS {c}" for c in TAKEN_OVER.get(table, ())}
    names = ", ".join(columns(table))  # by name, so that no engine adds a column of its own
    told = ", ".join(taken.get(c, c) for c in columns(table))
    return (
        f"WITH seen AS NOT MATERIALIZED ({source}), several AS MATERIALIZED"
        " (SELECT repository FROM seen GROUP BY repository HAVING min(source) <> max(source))"
        f" SELECT {names} FROM seen WHERE repository NOT IN (SELECT repository FROM several)"
        f" UNION ALL SELECT {names} FROM (SELECT {told}, row_number() OVER"
        f" ({same} ORDER BY source LIKE 'git:%', source) AS place"
        " FROM seen WHERE repository IN (SELECT repository FROM several)) WHERE place = 1"
    )


# The days that say from when until when a file has facts.
DAYS: Mapping[str, list[str]] = {
    "repositories": ["observed_on"],
    "contributions": ["day"],
    "threads": ["opened_at", "closed_at", "merged_at"],
    "counts": ["day"],
    "releases": ["released_on"],
    "package_releases": ["released_on"],
    "packages": [],
    "model_support": ["supported_on"],
    "benchmarks": ["day"],
}


def columns(table: str) -> dict[str, str]:
    """Names and DuckDB types of the table's columns, provenance last."""
    return {**TABLES[table], **_PROVENANCE}
