"""Made-up histories of the benchmarks are spread over people and days as the bundled real ones."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from advisor.facts import writing

SHARE, FACTOR = 0.08, 1.15  # how far a quartile of the made-up histories may be from that of the real ones


@pytest.fixture(scope="module")
def structure():
    sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
    try:
        import generate
        import structure
    finally:
        sys.path.pop(0)
    structure.generate = generate.generate
    return structure


def test_the_aggregates_of_a_small_history_are_counted_by_hand(structure, tmp_path):
    """Person 1 has 6 of 8 commits on 2 days, person 2 and 3 have one; a bot has 2 of 10."""
    days = [(1, 1, 4, "a.example", False), (2, 1, 2, None, False), (1, 2, 1, None, False),
            (3, 3, 1, None, False), (3, 4, 2, None, True)]  # fmt: skip
    rows = [
        {"repository": "o/r", "day": date(2024, 1, day), "author": author, "organisation": organisation, "is_bot": is_bot,
         "commits": commits, "source": "git:o/r", "retrieved_at": date(2024, 1, 4)}
        for day, author, commits, organisation, is_bot in days
    ]  # fmt: skip
    writing.write_rows(tmp_path, "contributions", "o/r", rows)
    people = structure.read_people(tmp_path / "contributions" / "*.parquet")
    assert people.commits.to_list() == [6, 1, 1]
    assert people.tenure.to_list() == [0.5, 0, 0]
    (summary,) = structure.summarise(people).to_dict("records")
    assert summary == pytest.approx({
        "people": 3, "commits": 8, "top_share": 0.75, "single_share": 2 / 3, "commits_a_day": 2.0,
        "affiliated_share": 1 / 3, "bot_share": 0.2,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("people", "commits"), [(1, 1), (1, 900), (3, 4), (500, 10), (24, 505), (887, 100_000)]
)
def test_a_history_of_any_size_has_all_of_its_commits(structure, people, commits):
    for real in structure.read_structures():
        drawn = structure.draw_people(real, 7, people, commits)
        assert drawn.author_commits.sum() == commits
        assert 1 <= len(drawn[~drawn.is_bot]) <= people
        assert (drawn.active_days.between(1, drawn.author_commits)).all()
        assert drawn.equals(structure.draw_people(real, 7, people, commits))


def test_quartiles_of_generated_histories_are_near_those_of_real_ones(structure, tmp_path):
    structure.generate(tmp_path / "store", 340)
    real = structure.summarise(structure.read_people())
    made_up = structure.summarise(structure.read_people(tmp_path / "store" / "contributions" / "*.parquet"))
    assert len(real) >= 34
    of_real_size = made_up[
        made_up.people.between(real.people.min(), real.people.max())
        & made_up.commits.between(real.commits.min(), real.commits.max())
    ]
    assert len(of_real_size) > 100
    for quantile in (0.25, 0.5, 0.75):
        expected, actual = real.quantile(quantile), of_real_size.quantile(quantile)
        for name in ("top_share", "single_share", "affiliated_share", "bot_share"):
            assert actual[name] == pytest.approx(expected[name], abs=SHARE), (name, quantile)
        assert 1 / FACTOR < actual.commits_a_day / expected.commits_a_day < FACTOR, quantile
