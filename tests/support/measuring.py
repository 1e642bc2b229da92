"""Measure some repositories of a store in one call."""

from __future__ import annotations

from advisor.facts.facts_view import FactsView
from advisor.measure.one_day import measure_view
from advisor.metrics import METRICS


def measure_repositories(store, repositories, as_of, metrics=METRICS):
    """Repository → metric → measurement, and the damaged files."""
    facts = FactsView(store, tuple(repositories), as_of)
    return measure_view(facts, metrics), list(facts.damages)
