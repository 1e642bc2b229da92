"""Attention, substance and the hype gap, computed by hand from the bundled reference population."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from advisor.domain.percentiles import load_percentiles

AS_OF = date(2024, 1, 1)
POPULATION = load_percentiles().listed.of_all()


def total(metric, value, day="2023-12-01"):
    return {"day": day, "metric": metric, "value": value, "definition": ""}


def value_at(figure, percent):
    """Return the population's value of a figure value_at a percentile."""
    return POPULATION[figure].values[percent]


def people(n):
    return [
        {"day": "2023-12-01", "author": i, "organisation": None, "is_bot": False, "commits": 1}
        for i in range(n)
    ]


def test_the_population_has_all_figures():
    assert set(POPULATION) == {"stars", "stars_gained", "downloads_30d", "contributors_ever", "closed_issues",
                               "change_requests"}  # fmt: skip
    for cell in POPULATION.values():
        assert cell.n > 1000
        assert len(cell.values) == 101


def test_attention_is_the_mean_place_of_its_figures(measure):
    now = value_at("stars", 90)
    counts = [total("stars", now), total("stars", now - value_at("stars_gained", 70), day="2022-12-01")]
    measurement = measure("attention", counts=counts)
    assert (measurement.value, measurement.low, measurement.high) == pytest.approx((0.8, 0.7, 0.9))
    assert measure("attention", counts=counts[:1]).value == pytest.approx(0.9)


def test_substance_needs_two_figures(measure):
    counts = [total("downloads_30d", value_at("downloads_30d", 80))]
    assert measure("substance", counts=counts).status == "not_applicable"
    measurement = measure(
        "substance", counts=counts, contributions=people(round(value_at("contributors_ever", 60)))
    )
    assert measurement.value == pytest.approx(0.7, abs=0.006)
    assert measurement.evidence_share == pytest.approx(0.5)


def test_the_interval_of_the_hype_gap_leaves_out_one_figure(measure):
    counts = [total("stars", value_at("stars", 95)), total("downloads_30d", value_at("downloads_30d", 80)),
              total("closed_issues", value_at("closed_issues", 50))]  # fmt: skip
    tables = {"counts": counts, "contributions": people(round(value_at("contributors_ever", 50)))}
    measurement = measure("hype_gap", **tables)
    assert measurement.value == pytest.approx(95 - 60, abs=0.7)
    # without downloads 95 - 50, without either of the others 95 - 65
    assert (measurement.low, measurement.high) == pytest.approx((30, 45), abs=1.1)
    assert measurement.n == 4
    assert measure("hype_gap", counts=counts[1:]).reason == (
        "too few figures are known: 0 of 2 for attention, 3 of 4 for substance"
    )


def test_a_burst_is_a_month_with_an_unusual_gain(measure):
    def stars(gains):
        value, rows = 1000, []
        for month, gain in enumerate(gains):
            value += gain
            rows.append(total("stars", value, day=str(date(2022, 3, 15) + timedelta(days=30 * month))))
        return rows

    steady = [100, 110, 90, 105, 95, 100, 108, 92, 100, 104, 97, 101]
    assert measure("star_bursts", counts=stars(steady)).value == 0
    assert measure("star_bursts", counts=stars([*steady[:6], 900, *steady[6:]])).value == 1
    assert measure("star_bursts", counts=stars(steady[:6])).status == "not_applicable"
