"""The as-of views: each fact table as it was known on a day."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.facts.tables import columns

MAX_TEXT = 300  # characters of a text of a benchmark or a recipe

# The views have the names of the tables. They exclude rows after the as-of date and hide later events. The
# SQL of a metric reads these views and nothing else. table → (condition of the rows, column → expression).
VIEWS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "repositories": ("observed_on <= {d}", {}),
    "contributions": ("day <= {d}", {}),
    "co_authorships": ("day <= {d}", {}),
    "threads": (
        "opened_at::DATE <= {d}",
        {
            **{
                name: f"CASE WHEN {name}::DATE <= {{d}} THEN {name} END"
                for name in ("closed_at", "closed_by", "merged_at", "first_response_at", "possibly_merged_at")
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
    "deprecations": ("retrieved_at <= {d}", {}),
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
    "recipes": (
        "changed_on <= {d}",
        {
            "replaced_on": "CASE WHEN replaced_on <= {d} THEN replaced_on END",
            "known_until": "least(known_until, {d})",
            "memory_gb": "CASE WHEN memory_gb BETWEEN 0 AND 1e6 THEN memory_gb END",
            **{
                name: f"substr({name}, 1, {MAX_TEXT})"
                for name in ("kind", "family", "model", "method", "task", "data_format", "hardware")
            },
        },
    ),
    "api_releases": ("released_on <= {d}", {}),
    "api_names": (
        "added_on <= {d}",
        {
            "deprecated_on": "CASE WHEN deprecated_on <= {d} THEN deprecated_on END",
            "removed_in": "CASE WHEN removed_on <= {d} THEN removed_in END",
            "removed_on": "CASE WHEN removed_on <= {d} THEN removed_on END",
        },
    ),
    "api_changes": ("released_on <= {d}", {}),
    "installs": (
        "day <= {d}",
        {
            "size_bytes": "CASE WHEN size_bytes BETWEEN 0 AND 1e15 THEN size_bytes END",
            "advisories": "CASE WHEN advisories >= 0 THEN advisories END",
            **{
                name: f"substr({name}, 1, {MAX_TEXT})"
                for name in ("part", "licence", "pythons", "systems", "reason")
            },
        },
    ),
    # A stranger may write NaN, infinity or NULL; DuckDB and Spark take NaN as larger than any number.
    "benchmarks": (
        "day BETWEEN DATE '1000-01-01' AND {d} AND low BETWEEN 0 AND value AND high BETWEEN value AND 1e18",
        {
            name: f"substr(coalesce({name}, ''), 1, {MAX_TEXT})"
            for name in ("stack", "version", "figure", "unit", "setting", "machine", "source")
        },
    ),
}
# If two sources have a row for the same thread or release, one row remains. The API is preferred to git: it
# knows when a change request was opened, while git can only estimate this. The choice does not depend on
# dates, so it is made when a table is read.
UNIQUE_KEY: Mapping[str, str] = {"threads": "repository, kind, number", "releases": "repository, tag"}
# Columns that the remaining row takes from the other rows if its own value is NULL: git knows the author
# number of some people who merge, the API knows the company of some. Git also knows merges by hand, which
# GitHub calls closed.
FILLED_FROM_OTHERS: Mapping[str, tuple[str, ...]] = {
    "threads": ("merged_at", "merged_by", "merged_by_organisation", "possibly_merged_at"),
    "releases": ("released_by",),
}


def as_of_view(table: str, source: str, day: str, extra_columns: str = "") -> str:
    """Return SQL of the table as it was known at the end of a day.

    Args:
        table: one of ``TABLES``.
        source: the text after FROM: a table name, or a query in brackets.
        day: an SQL expression of a date; it may name a column of the source.
        extra_columns: more columns of the source, each after a comma.
    """
    condition, expressions = VIEWS[table]
    selection = ", ".join(f"{expressions[c]} AS {c}" if c in expressions else c for c in columns(table))
    return f"SELECT {selection}{extra_columns} FROM {source} WHERE {condition}".format(d=day)


def merge_sources_sql(table: str, source: str) -> str:
    """Return SQL of the table's rows with one row per thread or release.

    The query sorts only repositories with several sources, because sorting takes three times as long as
    reading.

    Args:
        table: one of ``TABLES``.
        source: a query of its columns.
    """
    if table not in UNIQUE_KEY:
        return source
    same = f"PARTITION BY {UNIQUE_KEY[table]}"
    fills = {c: f"coalesce({c}, max({c}) OVER ({same})) AS {c}" for c in FILLED_FROM_OTHERS.get(table, ())}
    names = ", ".join(columns(table))  # by name, so that no engine adds a column of its own
    values = ", ".join(fills.get(c, c) for c in columns(table))
    return (
        f"WITH source_rows AS NOT MATERIALIZED ({source}), several AS MATERIALIZED"
        " (SELECT repository FROM source_rows GROUP BY repository HAVING min(source) <> max(source))"
        f" SELECT {names} FROM source_rows WHERE repository NOT IN (SELECT repository FROM several)"
        f" UNION ALL SELECT {names} FROM (SELECT {values}, row_number() OVER"
        f" ({same} ORDER BY source LIKE 'git:%', source) AS place"
        " FROM source_rows WHERE repository IN (SELECT repository FROM several)) WHERE place = 1"
    )
