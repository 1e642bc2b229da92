"""Attention, substance and their gap, worked by hand against the bundled reference population."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from advisor.domain.population import load_population

AS_OF = date(2024, 1, 1)
POPULATION = load_population().listed.of_all()


def total(metric, value, day="2023-12-01"):
    return {"day": day, "metric": metric, "value": value, "definition": ""}


def at(figure, percent):
    """A value that stands just there in the population."""
    return POPULATION[figure].values[percent]


def people(n):
    return [
        {"day": "2023-12-01", "author": i, "organisation": None, "is_bot": False, "commits": 1}
        for i in range(n)
    ]


def test_the_population_is_whole():
    assert set(POPULATION) == {"stars", "stars_gained", "downloads_30d", "contributors_ever", "closed_issues",
                               "change_requests"}  # fmt: skip
    for found in POPULATION.values():
        assert found.n > 1000
        assert len(found.values) == 101


def test_attention_is_the_mean_place_of_its_figures(one):
    now = at("stars", 90)
    counts = [total("stars", now), total("stars", now - at("stars_gained", 70), day="2022-12-01")]
    found = one("attention", counts=counts)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.7, 0.9))
    assert one("attention", counts=counts[:1]).value == pytest.approx(0.9)


def test_substance_needs_two_figures(one):
    counts = [total("downloads_30d", at("downloads_30d", 80))]
    assert one("substance", counts=counts).status == "not_applicable"
    found = one("substance", counts=counts, contributions=people(round(at("contributors_ever", 60))))
    assert found.value == pytest.approx(0.7, abs=0.006)
    assert found.evidence_share == pytest.approx(0.5)


def test_the_hype_gap_and_what_it_is_without_any_one_figure(one):
    counts = [total("stars", at("stars", 95)), total("downloads_30d", at("downloads_30d", 80)),
              total("closed_issues", at("closed_issues", 50))]  # fmt: skip
    tables = {"counts": counts, "contributions": people(round(at("contributors_ever", 50)))}
    found = one("hype_gap", **tables)
    assert found.value == pytest.approx(95 - 60, abs=0.7)
    # without downloads 95 - 50, without either of the others 95 - 65
    assert (found.low, found.high) == pytest.approx((30, 45), abs=1.1)
    assert found.n == 4
    assert "0 of 2 figures of attention" in one("hype_gap", counts=counts[1:]).reason


def test_a_burst_is_a_month_that_stands_out(one):
    def stars(gains):
        value, rows = 1000, []
        for month, gain in enumerate(gains):
            value += gain
            rows.append(total("stars", value, day=str(date(2022, 3, 15) + timedelta(days=30 * month))))
        return rows

    steady = [100, 110, 90, 105, 95, 100, 108, 92, 100, 104, 97, 101]
    assert one("star_bursts", counts=stars(steady)).value == 0
    assert one("star_bursts", counts=stars([*steady[:6], 900, *steady[6:]])).value == 1
    assert one("star_bursts", counts=stars(steady[:6])).status == "not_applicable"
