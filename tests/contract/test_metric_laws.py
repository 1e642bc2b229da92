"""Law 1: what every metric keeps, over the registry."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from small_world import AS_OF, NAMES, fill, rows

from advisor.measure.one_day import measure
from advisor.metrics import METRICS
from advisor.metrics.shared.views import DERIVED

FAR = 400


def values(store, as_of, metrics=METRICS):
    found, damages = measure(store, NAMES, as_of, metrics)
    assert not damages
    return {(r, n): (m.status, m.value, m.low, m.high, m.n) for r, ms in found.items() for n, m in ms.items()}


@pytest.fixture(scope="module")
def base(world):
    return values(world, AS_OF)


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    store = fill(tmp_path_factory.mktemp("shifted"), rows(shift=FAR))
    return values(store, AS_OF + timedelta(days=FAR))


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory):
    found = rows()
    for table_rows in found.values():
        random.Random(1).shuffle(table_rows)
    return values(fill(tmp_path_factory.mktemp("shuffled"), found), AS_OF)


@pytest.fixture(scope="module")
def with_a_future(tmp_path_factory):
    found = rows()
    for key, table_rows in rows(shift=FAR, seed=8).items():
        date_column = {"contributions": "day", "counts": "day", "releases": "released_on",
                       "repositories": "observed_on", "model_support": "family_released_on",
                       "threads": "opened_at", "benchmarks": "day"}[key[0]]  # fmt: skip
        late = [r for r in table_rows if str(r[date_column])[:10] > AS_OF.isoformat()]
        for r in late:
            r.update({k: f"new {r[k]}" for k in ("tag", "family") if k in r})
            if key[0] == "threads":
                r["number"] += 1000
        found[key] += late
    return values(fill(tmp_path_factory.mktemp("future"), found), AS_OF)


def test_there_are_metrics_and_the_small_world_shows_each_of_them(base):
    assert len(METRICS) > 20
    for name in METRICS:
        assert any(base[r, name][0] == "measured" for r in NAMES), name


@pytest.mark.parametrize("name", METRICS)
def test_shifting_time_keeps_the_value(name, base, shifted):
    assert [shifted[r, name] for r in NAMES] == [base[r, name] for r in NAMES]


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_rows_does_not_matter(name, base, shuffled):
    assert [shuffled[r, name] for r in NAMES] == [base[r, name] for r in NAMES]


@pytest.mark.parametrize("name", METRICS)
def test_the_future_is_invisible(name, base, with_a_future):
    assert [with_a_future[r, name] for r in NAMES] == [base[r, name] for r in NAMES]


@pytest.mark.parametrize("name", METRICS)
def test_a_missing_table_is_unavailable(name, tmp_path):
    left = {k: v for k, v in rows().items() if k[0] not in METRICS[name].needs and k[1] == NAMES[0]}
    store = fill(tmp_path, left)
    found, _ = measure(store, NAMES[:1], AS_OF, {name: METRICS[name]})
    measured = found[NAMES[0]][name]
    assert measured.status == "unavailable"
    assert METRICS[name].needs[0] in measured.reason


@pytest.mark.parametrize("name", METRICS)
def test_bounds_hold_the_value_and_the_file_has_its_name(name, base):
    assert METRICS[name].name == name
    for r in NAMES:
        status, value, low, high, _ = base[r, name]
        if status == "measured" and not isinstance(value, str):
            assert low <= value <= high


@pytest.mark.parametrize("view", ["recent_threads", "affiliated", "placed"])
def test_a_metric_of_a_view_of_the_last_year_has_that_window(view):
    named = [metric for metric in METRICS.values() if view in metric.sql]
    assert len(named) > 1, "then it is no view of several"
    assert {metric.window_days for metric in named} == {365}
    assert "365" in DERIVED[view]


def test_no_metric_of_totals_looks_back_further_than_their_view():
    named = {name: metric for name, metric in METRICS.items() if "recent_counts" in metric.sql}
    assert "- 900" in DERIVED["recent_counts"]
    assert max(metric.window_days for metric in named.values()) <= 900
    for text in (named["stars_growth"].sql, DERIVED["placed"]):
        assert "day > $as_of - 400" in text
        assert "BETWEEN 245 AND 485" in text, "before the last total: 885 days in all"
