"""Run metrics over the as-of views: each query once, over all repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor import facts
from advisor.errors import FactsError
from advisor.metrics import METRICS
from advisor.model import Measurement, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date


def measure(
    store: facts.Store,
    repositories: Sequence[str],
    as_of: date,
    metrics: Mapping[str, Metric] = METRICS,
) -> tuple[dict[str, dict[str, Measurement]], list[facts.Damage]]:
    """Measure repositories as of a day.

    Returns:
        repository → metric → measurement, one of each for every repository whose files are sound;
        and what is wrong with the files of the others.

    Raises:
        FactsError: a file agrees with its hash and is still not readable.
    """
    import duckdb

    damages = facts.verify(store, repositories)
    damaged = {d.repository for d in damages}
    sound = [r for r in repositories if r not in damaged]
    found: dict[str, dict[str, Measurement]] = {r: {} for r in sound}
    try:
        with facts.connect(store, sound, as_of) as db:
            for metric in metrics.values():
                rows = _run(db, metric, as_of)
                for repository in sound:
                    found[repository][metric.name] = _measurement(
                        repository, metric, rows.get(repository), as_of
                    )
    except duckdb.IOException as error:
        raise FactsError(f"a file of {store.path} cannot be read: {error}") from None
    return found, damages


def _run(db: Any, metric: Metric, as_of: date) -> dict[str, dict[str, Any]]:
    given = {"as_of": as_of, "window_days": metric.window_days}
    result = db.execute(metric.sql, {k: v for k, v in given.items() if f"${k}" in metric.sql})
    names = [d[0] for d in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {row["repository"]: row for row in rows}


def _measurement(repository: str, metric: Metric, row: Mapping[str, Any] | None, as_of: date) -> Measurement:
    if row is None:
        tables = " and ".join(metric.needs)
        reason = f"no rows for it in {tables} by {as_of}"
        return Measurement(repository, metric.name, "unavailable", reason=reason)
    value = row["value"]
    is_word = metric.unit == "status"
    return Measurement(
        repository,
        metric.name,
        "not_applicable" if value is None else "measured",
        value=value if value is None or is_word else float(value),
        low=_number(row["low"]),
        high=_number(row["high"]),
        n=None if row["n"] is None else int(row["n"]),
        evidence_share=float(row["evidence_share"]),
        sources=tuple(sorted(row["sources"])),
        first_day=row["first_day"],
        last_day=row["last_day"],
        reason=row["reason"] or "",
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
