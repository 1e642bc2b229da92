"""Laws that every metric in the registry obeys."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from measuring import measure_repositories
from small_world import AS_OF, NAMES, fill, rows

from advisor.measure.sql import TABLE_CONTENTS
from advisor.metrics import METRICS
from advisor.metrics.shared.views import DERIVED_VIEWS

FAR = 400


def values(store, as_of, metrics=METRICS):
    measurements, damages = measure_repositories(store, NAMES, as_of, metrics)
    assert not damages
    return {
        (r, n): (m.status, m.value, m.low, m.high, m.n)
        for r, ms in measurements.items()
        for n, m in ms.items()
    }


@pytest.fixture(scope="module")
def base(world):
    return values(world, AS_OF)


@pytest.fixture(scope="module")
def shifted_values(tmp_path_factory):
    store = fill(tmp_path_factory.mktemp("shifted"), rows(shift=FAR))
    return values(store, AS_OF + timedelta(days=FAR))


@pytest.fixture(scope="module")
def shuffled_values(tmp_path_factory):
    tables = rows()
    for table_rows in tables.values():
        random.Random(1).shuffle(table_rows)
    return values(fill(tmp_path_factory.mktemp("shuffled"), tables), AS_OF)


@pytest.fixture(scope="module")
def values_with_a_future(tmp_path_factory):
    tables = rows()
    for key, table_rows in rows(shift=FAR, seed=8).items():
        date_column = {"contributions": "day", "co_authorships": "day", "counts": "day", "releases": "released_on",
                       "repositories": "observed_on", "model_support": "family_released_on", "recipes": "changed_on",
                       "threads": "opened_at", "benchmarks": "day", "api_releases": "released_on",
                       "api_names": "added_on", "api_changes": "released_on", "installs": "day"}[key[0]]  # fmt: skip
        late = [r for r in table_rows if str(r[date_column])[:10] > AS_OF.isoformat()]
        for r in late:
            r.update({k: f"new {r[k]}" for k in ("tag", "family") if k in r})
            if key[0] == "threads":
                r["number"] += 1000
        tables[key] += late
    return values(fill(tmp_path_factory.mktemp("future"), tables), AS_OF)


def test_each_metric_is_measured_in_the_small_world(base):
    assert len(METRICS) > 20
    for name in METRICS:
        assert any(base[r, name][0] == "measured" for r in NAMES), name


@pytest.mark.parametrize("name", METRICS)
def test_shifting_time_keeps_the_value(name, base, shifted_values):
    assert [shifted_values[r, name] for r in NAMES] == [base[r, name] for r in NAMES]


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_rows_does_not_matter(name, base, shuffled_values):
    assert [shuffled_values[r, name] for r in NAMES] == [base[r, name] for r in NAMES]


@pytest.mark.parametrize("name", METRICS)
def test_the_future_is_invisible(name, base, values_with_a_future):
    assert [values_with_a_future[r, name] for r in NAMES] == [base[r, name] for r in NAMES]


@pytest.mark.parametrize("name", METRICS)
def test_a_missing_table_is_unavailable(name, tmp_path):
    metric = METRICS[name]
    tables = {k: v for k, v in rows().items() if k[0] not in metric.needs and k[1] == NAMES[0]}
    store = fill(tmp_path, tables)
    measurements, _ = measure_repositories(store, NAMES[:1], AS_OF, {name: metric})
    measurement = measurements[NAMES[0]][name]
    assert measurement.status == "unavailable"
    own_name = (
        f"“{metric.label or metric.title.lower()}”"  # totals are of many kinds, and others may be there
    )
    missing = own_name if metric.needs == ("counts",) else TABLE_CONTENTS[metric.needs[0]][0]
    assert missing in measurement.reason


@pytest.mark.parametrize("name", METRICS)
def test_the_value_is_within_its_bounds_and_the_file_has_its_name(name, base):
    assert METRICS[name].name == name
    for r in NAMES:
        status, value, low, high, _ = base[r, name]
        if status == "measured" and not isinstance(value, str):
            assert low <= value <= high


@pytest.mark.parametrize("view", ["recent_threads", "affiliated_commits", "figure_places"])
def test_metrics_of_a_view_of_the_last_year_have_that_window(view):
    metrics = [metric for metric in METRICS.values() if view in metric.sql]
    assert len(metrics) > 1, "a shared view has several metrics"
    assert {metric.window_days for metric in metrics} == {365}
    assert "365" in DERIVED_VIEWS[view]


def test_no_metric_of_totals_needs_older_rows_than_their_view():
    metrics = {name: metric for name, metric in METRICS.items() if "recent_counts" in metric.sql}
    assert "- 900" in DERIVED_VIEWS["recent_counts"]
    assert max(metric.window_days for metric in metrics.values()) <= 900
    for text in (metrics["stars_growth"].sql, DERIVED_VIEWS["figure_places"]):
        assert "day > $as_of - 400" in text
        assert "BETWEEN 245 AND 485" in text, "885 days before the as-of date in total"
