"""Write what answers without options need beside a bundled snapshot, so that people need not wait.

Measurements, outlooks and draws as of the snapshot's own date and of past ends of months, the figures of
public lists, and the timeline of the page. `scripts/keep_answers.py` calls this; the readers are in
`advisor.measure.cache`, `advisor.measure.months`, `draw_cache` and `timeline_cache`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import Any

from advisor.answers import coverage, draw_cache, history, timeline_cache
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import rankable_scores, score_candidates
from advisor.decide import acceptability
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.errors import FactsError
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store
from advisor.measure import cache, months
from advisor.measure.list_figures import write_cached_figures
from advisor.measure.one_day import measure_days
from advisor.model import Measurement
from advisor.outlook.candidates import compute_past_outlooks
from advisor.outlook.measurements import add_outlook_metric

Measurements = dict[str, dict[str, Measurement]]
Past = Mapping[date, Measurements]
WHOLE_MONTHS = 36
"""Past ends of months with all that an answer has; of those before, only what the page draws is kept."""


def write_answer_cache(store: Store, past_months: int = history.MONTHS) -> None:
    """Write the caches beside a bundled snapshot.

    Args:
        store: the snapshot.
        past_months: of how many past ends of months.

    Raises:
        FactsError: a file of the store is damaged.
    """
    domains = {name: load_domain(name) for name in available_domains()}
    domains = {name: domain for name, domain in domains.items() if domain.snapshot == store.path.name}
    cache.write_measurement_cache(store)
    write_cached_figures(store, [e.repository for d in domains.values() for e in d.rivals])
    names = [name for name, domain in domains.items() if domain.candidates]
    draw_cache.write_draws(store, _sample(store, names, None, has_pairs=True))
    _write_months(store, names, past_months)


def _sample(
    store: Store, names: Sequence[str], day: date | None, *, has_pairs: bool = False
) -> dict[str, Any]:
    """Return the draws of the questions without options about these domains, and of `advisor compare`."""
    draws = []
    for name in names:
        question = read_request(Request(domain=name, store=store.path, as_of=day))
        try:
            scores = rankable_scores(score_candidates(question)[0])
        except FactsError:  # no candidate had facts on that day
            continue
        groups = [tuple(scores)] if scores else []
        if has_pairs:  # of a pair, one may be excluded
            groups += [*combinations(scores, 1), *combinations(scores, 2)]
        for group in groups:
            part = {name: scores[name] for name in group}
            draws.append((part, question.weights, acceptability.sample_ranks(part, question.weights)))
    return draw_cache.encode_draws(draws)


def _write_months(store: Store, names: Sequence[str], past_months: int) -> None:
    days = history.ends_of_months(store.first_day, store.as_of, past_months)[:-1]
    repositories = tuple(store.repositories())
    past = measure_days(FactsView(store, repositories, store.as_of), days)
    entries: dict[str, Any] = {}
    whole_days = days[-WHOLE_MONTHS:]
    measurements = _add_outlooks(FactsView(store, repositories, store.as_of), past, days[:-WHOLE_MONTHS])
    for day in whole_days:
        outlooks = cache.compute_outlooks_of(FactsView(store, repositories, day))
        measurements[day] = add_outlook_metric(past[day], outlooks)
        entries[months.day_entry(day)] = months.encode_day(past[day], outlooks)
    months.write_entries(store, entries)  # the draws and scores below read them
    for day in whole_days:
        entries[months.day_entry(day)]["draws"] = _sample(store, names, day)
    timeline: dict[str, Any] = {"days": [day.isoformat() for day in days]}
    for name in names:
        question = read_request(Request(domain=name, store=store.path))
        question = replace(question, domain=load_domain(name))  # with the criteria of benchmarks
        for part, content in timeline_cache.encode_scores(question, measurements).items():
            _merge(timeline.setdefault(part, {}), content)
    facts = FactsView(store, repositories, store.as_of)
    timeline["facts"] = history.query_chart_facts(facts)
    support = coverage.keep_coverage(facts)
    months.write_entries(store, {**entries, timeline_cache.ENTRY: timeline, coverage.ENTRY: support})


def _add_outlooks(facts: FactsView, past: Past, days: Sequence[date]) -> dict[date, Measurements]:
    """Return the measurements of days with the chance of abandonment, without its explanation."""
    if not days:
        return {}
    outlooks = compute_past_outlooks(facts, days, data_folder() / "reference" / "outlook.json")
    return {
        day: add_outlook_metric(past[day], {name: (one,) for name, one in outlooks[day].items()})
        for day in days
    }


def _merge(target: dict[str, Any], content: dict[str, Any]) -> None:
    """Add the rows of another domain, which may share criteria, rules and candidates."""
    for key, rows in content.items():
        target.setdefault(key, {}).update(rows)
