"""The metrics of model coverage and the vendor gap on examples computed by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from measuring import measure_repositories

from advisor.decide.rules import apply_rules, load_rules, rule_values
from advisor.domain.files import data_folder
from advisor.facts import reading, writing
from advisor.metrics import METRICS
from advisor.model import Candidate

AS_OF = date(2024, 1, 1)
UNITS = {m.name: m.unit for m in METRICS.values()}


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


def test_a_family_counts_where_it_is_named_or_shown_and_not_where_it_is_only_loaded(measure):
    rows = support(("A", "x", "2023-06-01", "2023-06-05"), route="main", removed_on="2023-09-01")
    rows += support(("A", "x", "2023-06-01", "2023-06-07"), route="shown")
    rows += support(("A", "x", "2023-06-01", "2023-06-03"), route="transformers")
    for route in ("package", "transformers", "architecture"):
        rows += support((f"B {route}", "y", "2023-06-01", "2023-06-05"), route=route)
    assert measure("model_families", model_support=rows).value == 1
    assert measure("model_families", model_support=rows).n == 4
    assert measure("model_vendors", model_support=rows).value == 1
    people = commits_of_one_person(1, day="2023-01-01")
    row = measure("days_to_support", model_support=rows[:3], contributions=people)
    assert row.value == 4  # neither loading it on day 2 nor removing the name ends the days to support


def own_and_others(others):
    return support(("Llama A", "Meta", "2023-06-01", "2023-06-01"), ("Llama B", "Meta", "2023-07-01", "2023-07-02"),
                   *((f"F{i}", "x", "2023-06-01", day) for i, day in enumerate(others)))  # fmt: skip


def steady_work(first="2023-01-01", days=365, commits=1):
    start = date.fromisoformat(first)
    return [
        {"day": str(start + timedelta(days=n)), "author": 0, "is_bot": False, "commits": commits}
        for n in range(0, days, 10)
    ]


def test_the_vendor_gap_is_the_difference_of_the_shares_within_90_days(measure):
    rows = own_and_others(["2023-06-21", "2023-08-30", "2023-08-31", None])  # 20, 90, 91 days, never
    gap = measure("vendor_gap", of="pytorch/torchtune", model_support=rows, contributions=steady_work())
    assert gap.value == pytest.approx(50)  # 2 of 2 against 2 of 4
    # Newcombe 1998, method 10: Wilson bounds 0.342 to 1 and 0.150 to 0.850
    assert gap.low == pytest.approx(100 * (0.5 - (0.658**2 + 0.35**2) ** 0.5), abs=0.2)
    assert gap.high == pytest.approx(100 * (0.5 + 0.35), abs=0.2)
    assert (gap.n, gap.reason) == (6, "2 of 2 families of Meta, 2 of 4 of others")
    gap = measure(
        "vendor_gap", of="axolotl-ai-cloud/axolotl", model_support=rows, contributions=steady_work()
    )
    assert gap.status == "not_applicable"
    assert gap.reason == "its backer publishes no tracked model family"


def test_the_vendor_gap_counts_families_up_to_the_stop_and_after_90_days(measure):
    rows = own_and_others(["2023-06-21", None, None])
    rows += support(("Late", "x", "2023-10-20", None))  # 73 days before the as-of date
    work = steady_work()
    gap = measure("vendor_gap", of="pytorch/torchtune", model_support=rows, contributions=work)
    assert gap.reason.endswith("1 of 3 of others")
    rows += support(("After", "x", "2023-09-01", None))
    gap = measure("vendor_gap", of="pytorch/torchtune", model_support=rows, contributions=work)
    assert gap.reason.endswith("1 of 4 of others")
    stopped = [
        w for w in work if w["day"] < "2023-09-10"
    ]  # no work in the 90 days after 2023-09-01 but one day
    gap = measure("vendor_gap", of="pytorch/torchtune", model_support=rows, contributions=stopped)
    assert gap.reason.endswith("1 of 3 of others")


def test_the_rule_backer_first_needs_an_interval_above_zero(measure):
    rules_of_models = {r.id: r for r in load_rules(data_folder() / "rules" / "models.toml", UNITS)}
    own = [(f"L{i}", "Meta", "2023-06-01", "2023-06-01") for i in range(5)]
    others = [(f"F{i}", "x", "2023-06-01", "2023-06-05" if i < 8 else None) for i in range(41)]
    fires = []
    for pairs in (own + others, own[:2] + others[:10]):
        row = measure(
            "vendor_gap", of="pytorch/torchtune", model_support=support(*pairs), contributions=steady_work()
        )
        findings, _ = apply_rules(
            (rules_of_models["backer-first"],), rule_values(Candidate("a/b", "b"), {"vendor_gap": row})
        )
        fires.append([f.text for f in findings])
    (first,), second = fires
    assert "5 of 5 families of Meta, 8 of 41 of others" in first
    assert second == []


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
