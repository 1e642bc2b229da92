"""What `advisor bench` measured on the user's machines, beside what is known of the projects.

It is no fact about a project's health and has dates of its own: without an as-of date all of it counts,
although the snapshot ends earlier; with one, what was measured by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from advisor.domain.domain import Domain
from advisor.facts import reading
from advisor.metrics import METRICS
from advisor.model import Benchmark, Measurement

MEASURED = ("measured_throughput", "measured_peak_memory")


@dataclass(frozen=True)
class Benched:
    """Rows of the candidates, newest first, and what they come to: repository → metric → measurement."""

    rows: tuple[Benchmark, ...] = ()
    measured: Mapping[str, Mapping[str, Measurement]] = field(default_factory=dict)

    def over(self, found: Mapping[str, Measurement], repository: str) -> dict[str, Measurement]:
        """The measurements of a repository with those of the benches in their places."""
        return {**found, **self.measured.get(repository, {})}

    def that_can_count(self, domain: Domain, weights: Mapping[str, float]) -> Domain:
        """Without criteria of benches that nobody weighs where nothing was measured, and goals that would."""
        if self.rows:
            return domain
        criteria = tuple(c for c in domain.criteria if not c.benched or weights[c.name])
        left_out = {c.name for c in domain.criteria} - {c.name for c in criteria}
        goals = {name: goal for name, goal in domain.goals.items() if not left_out & set(goal.weights)}
        return domain.model_copy(update={"criteria": criteria, "goals": goals})


NOTHING = Benched()


def read(path: Path, repositories: Sequence[str], as_of: date | None) -> Benched:
    """What a store holds of benches.

    Args:
        path: folder of the store; it need not be there.
        repositories: candidates.
        as_of: what was measured later is left out; None: nothing is.

    Raises:
        FactsError: the store's manifest is damaged.
    """
    store = reading.open_benchmarks(path) if repositories else None
    wanted = sorted(set(repositories) & set(store.benched())) if store else []
    if store is None or not wanted:
        return NOTHING
    from advisor.measure.one_day import measure

    damaged = {d.repository for d in reading.verify(store, wanted)}
    sound = [r for r in wanted if r not in damaged]
    with reading.connect(store, sound, as_of or date.max) as db:
        names = list(Benchmark.__dataclass_fields__)
        found = db.execute(f"SELECT {', '.join(names)} FROM benchmarks").fetchall()
    rows = [Benchmark(**dict(zip(names, row, strict=True))) for row in found]
    rows.sort(key=lambda b: (-b.day.toordinal(), b.setting, b.machine, b.figure, b.repository.lower()))
    last = as_of or max((b.day for b in rows), default=date.max)
    measured, _ = measure(store, sound, last, {name: METRICS[name] for name in MEASURED})
    return Benched(tuple(rows), measured)
