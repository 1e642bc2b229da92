"""The metrics of recipes and documentation on examples computed by hand."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.metrics.shared.documentation import NO_COUNT


def counts(day="2023-12-01", **totals):
    return [{"day": day, "metric": m, "value": v, "definition": "by hand"} for m, v in totals.items()]


def test_docstring_share_is_that_of_the_last_day_of_a_count(measure):
    rows = counts(api_docstrings=30, api_symbols=40) + counts("2023-09-01", api_docstrings=1, api_symbols=20)
    measurement = measure("docstring_share", counts=rows)
    assert (measurement.value, measurement.low, measurement.high, measurement.n) == (0.75, 0.75, 0.75, 40)
    assert measure("docstring_share", as_of=date(2023, 10, 1)).value == 1 / 20


def test_docs_per_symbol_counts_words(measure):
    rows = counts(documentation_words=5000, api_symbols=40)
    assert measure("docs_per_symbol", counts=rows).value == 125


def test_docs_freshness_is_a_share_of_mentions(measure):
    rows = counts(fresh_api_mentions=45, api_mentions=50)
    assert measure("docs_freshness", counts=rows).value == 0.9


def test_working_examples_is_a_share_of_examples(measure):
    measurement = measure("working_examples", counts=counts(working_code_examples=17, code_examples=20))
    assert (measurement.value, measurement.n) == (0.85, 20)


def test_no_api_no_value_and_no_count_no_data(measure):
    measurement = measure("docstring_share", counts=counts(api_symbols=0, api_docstrings=0))
    assert (measurement.status, measurement.reason) == (
        "not_applicable",
        "no Python package with a public API in its tree",
    )
    measurement = measure("docstring_share", counts=counts(stars=7))
    assert (measurement.status, measurement.reason) == ("unavailable", NO_COUNT)


def test_starter_pages_counts_pages(measure):
    assert measure("starter_pages", counts=counts(getting_started_pages=2)).value == 2


def recipe(family, method, changed_on="2023-06-01", **more):
    return {"path": f"{family}.yaml", "family": family, "method": method, "changed_on": changed_on, **more}


FAMILIES = [
    {"family": family, "vendor": "V", "family_released_on": day, "known_until": "2024-01-01", "route": route}
    for family, day in (("new", "2023-01-01"), ("newer", "2023-05-01"), ("old", "2021-01-01"))
    for route in ("main", "shown")
]


def test_recipe_coverage_is_the_share_of_recent_families_and_methods(measure):
    recipes = [
        {"path": None, "changed_on": "2020-01-01"},
        recipe("new", "lora"),
        {**recipe("new", "lora"), "path": "the same again"},
        recipe("newer", "qlora"),
        recipe("newer", "full", replaced_on="2023-10-01"),
        recipe("new", "dora"),  # a method that does not count
        recipe("old", "lora"),  # public for more than two years
        recipe("new", "full", changed_on="2024-02-01"),  # later
    ]
    measurement = measure("recipe_coverage", recipes=recipes, model_support=FAMILIES)
    assert (measurement.value, measurement.n) == (pytest.approx(2 / 6), 6)
    past = measure("recipe_coverage", as_of=date(2023, 9, 1))
    assert past.value == pytest.approx(3 / 6), "the recipe for all weights was still there"


def test_recipe_coverage_of_a_history_without_recipes_is_0(measure):
    rows = [{"path": None, "changed_on": "2020-01-01"}]
    assert measure("recipe_coverage", recipes=rows, model_support=FAMILIES).value == 0


def test_recipe_coverage_without_recipes_is_unavailable_with_its_reason(measure):
    measurement = measure(
        "recipe_coverage", model_support=[{**f, "supported_on": "2023-06-01"} for f in FAMILIES]
    )
    assert measurement.status == "unavailable"
    assert measurement.reason.startswith("the facts have no recipes or supported model families for it")
