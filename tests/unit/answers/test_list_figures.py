"""Figures of public lists fill gaps of the facts, with their list and day, and never against a named day."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

import advisor
from advisor.answers import list_figures
from advisor.answers.compare import compare
from advisor.answers.question import Request, read_request
from advisor.decide.rules import apply_rules, load_rules
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.metrics import METRICS
from advisor.model import Measurement
from advisor.population import figures as figures_module
from advisor.population.figures import (
    ListFigures,
    is_listed,
    measure_library,
    read_figures,
    read_move,
    rests_on_lists,
)  # fmt: skip
from advisor.population.library import Library
from advisor.report.compare import render as render_comparison
from advisor.report.formats import Format
from advisor.report.ranking import render

DAY = date(2026, 3, 1)
LIBRARY = Library(
    "o/n", DAY, "python", pypi="n", stars=1200, forks=30, downloads=5000, downloads_pypi=4000,
    open_issues=25, closed_issues=75, last_commit=DAY - timedelta(days=12), commits=900, releases=8,
    changes={("commits", 365): 240.4, ("contributors", 365): -3.0, ("stars", 365): 200.0},
    outlooks={12: (0.1, 0.05, 0.2)},
)  # fmt: skip


@pytest.fixture(scope="module")
def answers():
    return {name: advisor.recommend(name) for name in ("dataframes", "web-frameworks", "finetuning-wide")}


def figures_of(answer, name):
    return next(r for r in answer.ranking if r.candidate.name == name)


def test_a_row_becomes_measurements_of_our_metrics():
    figures = measure_library(LIBRARY, {"python": "by/list"})
    values = {name: m.value for name, m in figures.measurements.items()}
    assert values == {
        "stars": 1200, "forks": 30, "downloads": 4000, "open_issues": 25, "issues_closed_share": 0.75,
        "days_since_last_commit": 12, "code_changes_commits": 240, "stars_growth": 0.2,
    }  # fmt: skip
    assert set(values) <= list_figures.LIST_METRICS <= set(METRICS)
    assert all(m.sources == ("population: list by/list, 2026-03-01",) for m in figures.measurements.values())
    year, two_years = figures.outlooks
    assert (year.probability_inactive, year.low, year.high) == (0.1, 0.05, 0.2)
    assert two_years.abstained and (two_years.low, two_years.high) == (0, 1)


def test_a_release_long_after_the_last_commit_shows_that_the_package_moved():
    """The figures of the old repository say nothing about the library; those of the package count."""
    moved = replace(LIBRARY, last_commit=DAY - timedelta(days=900), last_release=DAY - timedelta(days=200))
    figures = measure_library(moved, {})
    known = {name: m.value for name, m in figures.measurements.items() if m.status == "measured"}
    assert known == {"downloads": 4000}
    reason = (
        "developed elsewhere: the package was released on 2025-08-13, and o/n has no commit after 2023-09-13"
    )
    unknown = [m for m in figures.measurements.values() if m.status != "measured"]
    assert {m.metric for m in unknown} == figures_module.OF_REPOSITORY
    assert {m.reason for m in unknown} == {reason} == {read_move(unknown)}
    assert all(o.abstained and o.reason == reason for o in figures.outlooks)
    for days in (0, 92):  # a release with the last commit, or a quarter later
        stays = replace(moved, last_release=moved.last_commit + timedelta(days=days))
        assert measure_library(stays, {}).measurements["days_since_last_commit"].value == 900


def test_no_bundled_library_is_called_abandoned_because_its_package_moved():
    answer = advisor.recommend(repositories=["jmoiron/humanize", "psf/requests", "encode/httpx"])
    humanize = figures_of(answer, "humanize")
    assert not humanize.excluded and humanize.score is None
    assert "not enough data: humanize (developed elsewhere)" in render(answer, Format.table, full=False)


def test_only_gaps_are_filled():
    own = Measurement("o/n", "stars", "measured", 7.0, 7.0, 7.0, n=1, sources=("GitHub",))
    gap = Measurement("o/n", "forks", "unavailable", reason="none")
    other = Measurement("o/n", "trend", "unavailable", reason="too short")
    rows = {m.metric: m for m in (own, gap, other)}
    filled = list_figures.fill_gaps("o/n", rows, measure_library(LIBRARY, {}))
    assert filled["stars"] == own and filled["trend"] == other
    assert filled["forks"].value == 30 and is_listed(filled["forks"])
    whole = list_figures.fill_gaps("o/n", None, measure_library(LIBRARY, {}))
    assert set(whole) == set(METRICS) and rests_on_lists(whole.values())
    assert whole["contributors"].reason.endswith("`advisor collect o/n --git-only`")


def test_an_api_from_archives_is_no_history():
    figures = measure_library(LIBRARY, {})
    api = Measurement("o/n", "breaking_changes", "measured", 1.0, 1.0, 1.0, n=1, sources=("pypi:n (x)",))
    gap = Measurement("o/n", "contributors", "unavailable", reason="the facts have no commits for it")
    rows = {m.metric: m for m in (api, gap)}
    filled = list_figures.fill_gaps("o/n", rows, figures)
    assert filled["breaking_changes"] == api and filled["forks"].value == 30
    assert filled["contributors"].reason.endswith("`advisor collect o/n --git-only`")
    assert rests_on_lists(filled.values()) and not rests_on_lists([api])
    assert list_figures.choose_outlooks(rows, (), figures) == figures.outlooks
    stars = Measurement("o/n", "stars", "measured", 7.0, 7.0, 7.0, n=1, sources=("GitHub",))
    own = (replace(figures.outlooks[1], reason="no commits in a year"),)
    assert list_figures.choose_outlooks({**rows, "stars": stars}, own, figures) == own, "it has its reason"
    old = (replace(own[0], reason="its commits were last collected on 2024-10-24"),)
    assert list_figures.choose_outlooks({**rows, "stars": stars}, old, figures) == figures.outlooks


def test_figures_count_from_their_day_and_for_a_while():
    figures = ListFigures(DAY, {}, ())
    assert not figures.is_usable_on(DAY - timedelta(days=1))
    assert figures.is_usable_on(DAY) and figures.is_usable_on(DAY + timedelta(days=400))
    assert not figures.is_usable_on(DAY + timedelta(days=401))


@pytest.mark.parametrize("name", [n for n in available_domains() if load_domain(n).criteria])
def test_adoption_is_a_criterion_of_every_domain(name):
    domain = load_domain(name)
    assert "adoption" in [c.name for c in domain.criteria]
    # What became of libraries gives adoption no weight for growth: the momentum of adoption has it.
    levels = [goal for name, goal in domain.goals.items() if name != "growing"]
    assert all(goal.weights.get("adoption", 0) > 0 for goal in levels)
    assert "momentum" in [c.name for c in domain.criteria]


def test_the_obvious_rivals_are_in_with_figures_and_with_what_is_missing(answers):
    pandas, django = (
        figures_of(answers["dataframes"], "pandas"),
        figures_of(answers["web-frameworks"], "django"),
    )
    for r in (pandas, django):
        assert r.measurement("downloads").value > 10**7 and r.measurement("stars").value > 40_000
        assert (
            r.measurement("days_since_last_commit").value < 30
            and r.measurement("release_frequency").value > 3
        )
        assert r.measurement("contributors").status == "unavailable"
        assert rests_on_lists(r.measurements)
        assert len(r.outlook) == 2
        assert r.rank is not None and 0.5 <= r.coverage < 0.75
    spark = figures_of(answers["dataframes"], "spark")
    assert spark.rank is not None and spark.measurement("breaking_changes").status == "unavailable"
    api = [pandas.measurement("breaking_changes"), django.measurement("breaking_changes")]
    assert [m.sources for m in api] == [(f"pypi:{n} (griffe 2.4.1, rules 4)",) for n in ("pandas", "django")]
    assert not any(answer.missing for answer in answers.values())


def test_the_facts_come_before_the_lists(answers):
    flask = figures_of(answers["web-frameworks"], "flask")
    assert not is_listed(flask.measurement("code_changes_commits")) and is_listed(flask.measurement("stars"))
    trl = figures_of(answers["finetuning-wide"], "trl")
    assert not any(map(is_listed, trl.measurements))


def test_the_report_says_where_figures_come_from_and_how_to_refresh_them(answers):
    for name, answer in answers.items():
        for form in (Format.table, Format.markdown, Format.json):
            text = render(answer, form, full=True).replace("\\", "")
            assert f"up to {answer.as_of}" in text and f"advisor collect --domain {name}" in text
            assert "only figures of public lists, no history: " in text
    assert "pandas (20" in render(answers["dataframes"], Format.table, full=True)


def test_a_named_day_sees_no_later_figures():
    day = date(2025, 11, 1)
    answer = advisor.recommend("dataframes", as_of=day)
    assert "apache/spark" in answer.rivals
    pandas = figures_of(answer, "pandas")
    assert pandas.rank is None and pandas.measurement("breaking_changes").status == "measured"
    assert not any(map(is_listed, (m for r in answer.ranking for m in r.measurements)))
    assert all(m.last_day is None or m.last_day <= day for r in answer.ranking for m in r.measurements)


def test_a_comparison_names_its_sources():
    question = read_request(Request(domain="dataframes", repositories=("pandas", "polars")))
    for form in (Format.table, Format.markdown):
        text = render_comparison(compare(question), form)
        assert "only figures of public lists, no history: pandas" in text
        assert "public lists fill gaps for polars" in text


def test_names_that_a_library_had_count():
    assert read_figures(["tiangolo/fastapi", "no/where"]).keys() == {"tiangolo/fastapi"}


def test_a_bundled_answer_reads_no_population(monkeypatch):
    def refuse(*_):
        raise AssertionError("the cache beside the snapshot has these figures")

    monkeypatch.setattr(list_figures, "read_figures", refuse)
    assert advisor.recommend().choice
    assert figures_of(advisor.recommend("dataframes"), "pandas").measurement("stars").value > 40_000


def test_a_mature_library_with_few_commits_has_a_word_for_it():
    rules = load_rules(
        data_folder() / "rules" / "library.toml", {name: m.unit for name, m in METRICS.items()}
    )
    mature = replace(
        LIBRARY, created_on=date(2012, 3, 1), dependents=2_000_000, changes={("commits", 365): 9.0},
        open_issues=10, closed_issues=90,
    )  # fmt: skip

    def rules_for(library):
        values = {m: v.value for m, v in measure_library(library, {}).measurements.items()}
        return {f.rule: f.text for f in apply_rules(rules, values)[0]}

    assert rules_for(mature)["mature"].startswith(
        "few commits, but it is 14 years old and 2,000,000 projects depend"
    )
    for other in (
        {"dependents": 999},
        {"dependents": None},
        {"created_on": date(2021, 4, 1)},
        {"open_issues": 40},
    ):
        assert "mature" not in rules_for(replace(mature, **other))


def test_a_history_that_was_read_long_ago_leaves_the_outlook_to_the_lists(answers):
    masonite = figures_of(answers["web-frameworks"], "masonite")
    assert "last collected on 2024-10-24" in masonite.measurement("contributors").reason
    assert is_listed(masonite.measurement("stars"))
    assert not any(outlook.abstained for outlook in masonite.outlook)
    assert masonite.rank is not None
    flask = figures_of(answers["web-frameworks"], "flask")
    assert flask.measurement("contributors").status == "measured", "its history is new, and so is its outlook"
