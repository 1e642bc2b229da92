"""Metrics of people, services and agents on examples computed by hand."""

from __future__ import annotations

import pytest


def row(author, commits, agent_commits, *, is_bot=False, day="2023-12-01"):
    return {
        "day": day,
        "author": author,
        "is_bot": is_bot,
        "commits": commits,
        "agent_commits": agent_commits,
    }


# A person wrote 6 commits, 2 of them with an agent; an agent 1 alone; a service 3.
ROWS = [row(0, 6, 2), row(1, 1, 1, is_bot=True), row(2, 3, 0, is_bot=True), row(0, 9, 9, day="2022-12-01")]


def test_agent_share_counts_authors_and_co_authors_of_the_last_year(measure):
    measurement = measure("agent_share", contributions=ROWS)
    assert (measurement.value, measurement.n) == (0.3, 10)


def test_agents_of_older_facts_are_unknown(measure):
    rows = [{key: value for key, value in r.items() if key != "agent_commits"} for r in ROWS]
    measurement = measure("agent_share", contributions=rows)
    assert (measurement.status, measurement.value) == ("unavailable", None)
    assert measurement.reason == "its facts were collected before agents were told apart; collect them again"


def test_bot_share_counts_services_only(measure):
    assert measure("bot_share", contributions=ROWS).value == 0.3
    assert measure("bot_share", contributions=[row(0, 4, 0)]).value == 0


def test_contributors_are_authors_and_co_authors(measure):
    co_authors = [{"day": "2023-11-30", "author": author, "commits": 2} for author in (0, 7, 8)]
    co_authors.append({"day": "2022-11-30", "author": 9, "commits": 1})
    measurement = measure("contributors", contributions=ROWS, co_authorships=co_authors)
    assert (measurement.low, measurement.value, measurement.high) == (1, 3, 3)
    assert measurement.n == 6, "co-authors add no commits"


@pytest.mark.parametrize("co_authors", [{}, {"co_authorships": []}])
def test_without_co_authors_contributors_are_certain(measure, co_authors):
    measurement = measure("contributors", contributions=ROWS, **co_authors)
    assert (measurement.low, measurement.value, measurement.high) == (1, 1, 1)
