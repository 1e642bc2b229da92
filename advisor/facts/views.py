"""How each fact table is seen as of a day."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.facts.tables import columns

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
