"""The results of `advisor bench` on the user's machines, read beside the facts about projects.

A benchmark is not a fact about a project's health, and it has its own dates. Without an as-of date all
benchmarks count, even those after the end of the snapshot. With one, only those up to that date count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from advisor.domain.domain import Domain
from advisor.facts import reading
from advisor.facts.database import fetch_rows, join_with_commas, quote
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store
from advisor.metrics import METRICS
from advisor.model import Benchmark, Measurement

BENCHMARK_METRICS = ("measured_throughput", "measured_peak_memory")


@dataclass(frozen=True)
class BenchmarkFacts:
    """The benchmarks of the candidates.

    Attributes:
        rows: one per figure, newest first.
        measurements: repository → metric → measurement.
    """

    rows: tuple[Benchmark, ...] = ()
    measurements: Mapping[str, Mapping[str, Measurement]] = field(default_factory=dict)

    def merge_into(self, measurements: Mapping[str, Measurement], repository: str) -> dict[str, Measurement]:
        """Return the measurements of a repository, with those from benchmarks in place of others."""
        return {**measurements, **self.measurements.get(repository, {})}

    def drop_unmeasured_criteria(self, domain: Domain, weights: Mapping[str, float]) -> Domain:
        """Return the domain without benchmark criteria of weight 0 if there are no benchmarks.

        Goals that need one of these criteria go too.
        """
        if self.rows:
            return domain
        criteria = tuple(c for c in domain.criteria if not c.benched or weights[c.name])
        dropped_names = {c.name for c in domain.criteria} - {c.name for c in criteria}
        goals = {name: goal for name, goal in domain.goals.items() if not dropped_names & set(goal.weights)}
        return domain.model_copy(update={"criteria": criteria, "goals": goals})


NO_BENCHMARKS = BenchmarkFacts()


def read_benchmarks(place: Store | Path, repositories: Sequence[str], as_of: date | None) -> BenchmarkFacts:
    """Read the benchmarks of repositories from a store.

    Args:
        place: an open store, or the folder of a store, which may be missing.
        repositories: candidates.
        as_of: ignore later benchmarks; None: read all.

    Raises:
        FactsError: the store's manifest is damaged.
    """
    if not repositories:
        return NO_BENCHMARKS
    store = place if isinstance(place, Store) else reading.open_benchmarks(place)
    names = sorted(set(repositories) & set(store.benchmarked_repositories())) if store else []
    if store is None or not names:
        return NO_BENCHMARKS
    from advisor.measure.one_day import measure_view

    facts = FactsView(store, tuple(names), as_of or date.max)
    fields = list(Benchmark.__dataclass_fields__)
    of_candidates = f"repository IN ({join_with_commas(map(quote, names))})"
    records = fetch_rows(
        facts.connection.execute(f"SELECT {', '.join(fields)} FROM benchmarks WHERE {of_candidates}")
    )
    rows = [Benchmark(**dict(zip(fields, record, strict=True))) for record in records]
    rows.sort(key=lambda b: (-b.day.toordinal(), b.setting, b.machine, b.figure, b.repository.lower()))
    last = as_of or max((b.day for b in rows), default=date.max)
    metrics = {name: METRICS[name] for name in BENCHMARK_METRICS}
    return BenchmarkFacts(tuple(rows), measure_view(FactsView(store, facts.repositories, last), metrics))
