"""The metrics of model coverage and the vendor gap on examples computed by hand."""

from __future__ import annotations

from datetime import date

import pytest
from measuring import measure_repositories

from advisor.facts import reading, writing
from advisor.metrics import METRICS

AS_OF = date(2024, 1, 1)


@pytest.fixture
def measure(tmp_path):
    def run(metric, of="a/b", **tables):
        for table, rows in tables.items():
            about = {"repository": of, "source": "hand", "retrieved_at": AS_OF}
            writing.write_rows(tmp_path, table, of, [{**about, **r} for r in rows])
        return measure_repositories(reading.open_store(tmp_path), [of], AS_OF, {metric: METRICS[metric]})[0][
            of
        ][metric]

    return run


def commits_of_one_person(commits, day):
    return [{"day": day, "author": 0, "is_bot": False, "commits": commits}]


def support(*rows, **more):
    return [{"family": f, "vendor": v, "family_released_on": r, "known_until": "2024-01-01",
             "supported_on": s, **more} for f, v, r, s in rows]  # fmt: skip


def test_effective_vendors_is_the_hill_number_of_order_one(measure):
    even = support(*((f"F{i}", f"V{i % 4}", "2023-06-01", "2023-06-05") for i in range(8)))
    assert measure("effective_vendors", model_support=even).value == pytest.approx(4)
    lopsided = support(*((f"F{i}", "V" if i else "W", "2023-06-01", "2023-06-05") for i in range(7)))
    # exp(-(6/7 ln 6/7 + 1/7 ln 1/7)), by hand
    assert measure("effective_vendors", model_support=lopsided).value == pytest.approx(1.5068, abs=1e-3)


def test_removed_support_does_not_count_as_a_family_but_has_days_to_support(measure):
    rows = support(("A", "x", "2023-06-01", "2023-06-05"))
    rows += support(("B", "y", "2023-06-01", "2023-06-09"), removed_on="2023-09-01")
    people = commits_of_one_person(1, day="2023-01-01")
    assert measure("model_families", model_support=rows, contributions=people).value == 1
    assert measure("days_to_support", model_support=rows, contributions=people).value == 4


def test_a_second_route_keeps_a_family_and_the_package_is_not_a_route(measure):
    rows = support(("A", "x", "2023-06-01", "2023-06-05"), route="main", removed_on="2023-09-01")
    rows += support(("A", "x", "2023-06-01", "2023-06-03"), route="transformers")
    rows += support(("B", "x", "2023-06-01", "2023-06-05"), route="package")
    assert measure("model_families", model_support=rows).value == 1
    people = commits_of_one_person(1, day="2023-01-01")
    assert measure("days_to_support", model_support=rows, contributions=people).value == 2


def own_and_others(others):
    return support(("Llama A", "Meta", "2023-06-01", "2023-06-01"), ("Llama B", "Meta", "2023-07-01", "2023-07-02"),
                   *((f"F{i}", "x", "2023-06-01", day) for i, day in enumerate(others)))  # fmt: skip


def test_the_vendor_gap_is_the_difference_of_the_medians(measure):
    people = commits_of_one_person(1, day="2023-01-01")
    rows = own_and_others(["2023-06-21", "2023-07-01", "2023-07-11", None])
    gap = measure("vendor_gap", of="pytorch/torchtune", model_support=rows, contributions=people)
    assert gap.value == 30 - 0
    assert gap.low < 30 < gap.high
    assert gap.n == 6
    never = own_and_others(["2023-06-21", None, None, None])
    gap = measure("vendor_gap", of="pytorch/torchtune", model_support=never, contributions=people)
    assert gap.value is None
    assert "others 1 of 4" in gap.reason
    gap = measure("vendor_gap", of="axolotl-ai-cloud/axolotl", model_support=rows, contributions=people)
    assert gap.status == "not_applicable"
    assert gap.reason == "its backer publishes no tracked model family"


def test_the_share_of_the_backers_own_models(measure):
    share = measure(
        "own_model_share", of="pytorch/torchtune", model_support=own_and_others(["2023-06-21", None])
    )
    assert share.value == pytest.approx(2 / 3)
    assert 0.2 < share.low < 2 / 3 < share.high < 1  # Wilson: 0.208 to 0.939
    assert (
        measure("own_model_share", of="nobody/known", model_support=own_and_others([None])).status
        == "unavailable"
    )


def test_timely_support_is_the_share_within_90_days(measure):
    people = commits_of_one_person(1, day="2023-01-01")
    rows = support(("A", "x", "2023-06-01", "2023-06-05"), ("B", "x", "2023-06-01", "2023-08-30"),
                   ("C", "x", "2023-06-01", "2023-08-31"), ("D", "x", "2023-06-01", None))  # fmt: skip
    share = measure("timely_support", model_support=rows, contributions=people)
    assert share.value == pytest.approx(0.5)  # 4 and 90 days are in time, 91 is not
    assert 0 < share.low < 0.5 < share.high < 1
    # A family that is only 30 days old is censored: the share is 1 - 1/2 of the older families.
    rows = support(
        ("A", "x", "2023-06-01", "2023-07-11"), ("B", "x", "2023-06-01", None), ("C", "x", "2023-12-02", None)
    )
    assert measure("timely_support", model_support=rows, contributions=people).value == pytest.approx(0.5)
