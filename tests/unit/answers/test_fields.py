"""Rankings of well-known fields agree with orders that adoption and outcomes bear (tests/support/fields.toml)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import advisor

FIELDS = tomllib.loads((Path(__file__).parents[2] / "support" / "fields.toml").read_text())["field"]
SILENT_DAYS, MORE = 180, 3


def test_there_are_twenty_fields_or_more():
    assert len(FIELDS) >= 20
    assert all(len(field["orders"]) >= 2 for field in FIELDS)


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: f["name"])
def test_a_field_is_ordered_as_its_figures_bear(field):
    names = dict.fromkeys(name for *pair, _ in field["orders"] for name in pair)
    answer = advisor.recommend("libraries", repositories=list(names))
    ranking = {r.repository: r for r in answer.ranking}
    assert set(ranking) == set(names)
    places = {name: i for i, name in enumerate(ranking)}
    for better, worse, reason in field["orders"]:
        first, second = ranking[better], ranking[worse]

        def figure(library, metric):
            return library.measurement(metric).value or 0

        is_silent = figure(second, "days_since_last_commit") - figure(first, "days_since_last_commit")
        more = [figure(first, m) / max(1, figure(second, m)) for m in ("downloads", "code_changes_commits")]
        assert is_silent >= SILENT_DAYS or max(more) >= MORE, f"no figure bears {better} over {worse}"
        assert places[better] < places[worse], reason
        assert first.rank is not None, f"{better} has no rank"
        if first.score is not None and second.score is not None:
            assert first.score > second.score, reason


def test_a_finished_library_is_not_excluded():
    answer = advisor.recommend("libraries", repositories=["jinja2", "mako", "docopt", "grequests"])
    ranking = {r.candidate.name: r for r in answer.ranking}
    for name, is_used in {"jinja": True, "docopt": True, "grequests": False}.items():
        library = ranking[name]
        assert 365 < library.measurement("days_since_last_commit").value <= 730
        assert (library.measurement("downloads").value >= 1e6) is is_used
        assert library.excluded is not is_used
        findings = {f.rule: f.text for f in library.findings}
        assert ("silent-but-used" in findings) is is_used
        assert ("abandoned" in findings) is not is_used
