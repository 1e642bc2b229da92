"""What a row of each fact table is, and how each table is seen as of a day.

A new column is nullable: files that were written before it are read all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

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
