"""The people of each repository: shares, months and newcomers, counted by hand from the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import pytest
from chart_facts import read_people, read_projects

from advisor.answers.people import TOP
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend

QUESTION = Request()


@pytest.fixture(scope="module")
def question():
    return read_request(QUESTION)


@pytest.fixture(scope="module")
def rows(question):
    """Repository → (author, day, commits) of people."""
    found = defaultdict(list)
    query = "SELECT repository, author, day, commits FROM contributions WHERE NOT is_bot"
    for repository, author, day, commits in question.facts.connection.execute(query).fetchall():
        found[repository].append((author, day, commits))
    return found


def add_months(day, months):
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, 28))


def test_the_first_has_the_share_of_the_top_contributor(question):
    people = read_people(question.facts)
    for r in recommend(question).ranking:
        share = r.measurement("top_contributor_share").value
        top = people[r.repository].top
        assert 0 < len(top) <= TOP
        assert share is None or top[0].share == pytest.approx(share, abs=0.005)
        assert [p.share for p in top] == sorted((p.share for p in top), reverse=True)
        assert sum(p.share for p in top) <= 1 + 1e-9


def test_the_months_and_days_of_the_first_person_are_those_of_the_rows(question, rows):
    repository = "unslothai/unsloth"
    year = Counter()
    for author, day, commits in rows[repository]:
        if day > date(question.as_of.year - 1, question.as_of.month, question.as_of.day):
            year[author] += commits
    [(author, _)] = year.most_common(1)
    mine = [(day, commits) for who, day, commits in rows[repository] if who == author]
    months = Counter()
    for day, commits in mine:
        months[day.replace(day=1)] += commits
    person = read_people(question.facts)[repository].top[0]
    assert dict(person.months) == months
    assert (person.first_day, person.last_day) == (min(d for d, _ in mine), max(d for d, _ in mine))


def test_newcomers_who_stayed(question, rows):
    as_of = question.as_of
    for repository, people in read_people(question.facts).items():
        days = defaultdict(list)
        for author, day, _ in rows[repository]:
            days[author].append(day)
        new = [d for d in days.values() if add_months(as_of, -18) < min(d) <= add_months(as_of, -6)]
        assert people.newcomers == len(new)
        assert people.stayed_6 <= people.stayed_3 <= people.newcomers
        # A month's end has fewer days; so a day's difference is allowed for one person.
        stayed = sum(max(d) >= add_months(min(d), 3) for d in new)
        assert abs(people.stayed_3 - stayed) <= 1


def test_an_earlier_day_sees_no_later_commit():
    day = date(2024, 6, 30)
    question = read_request(Request(as_of=day))
    for people in read_people(question.facts).values():
        assert all(p.last_day <= day and p.months[-1][0] <= day for p in people.top)


def test_the_licence_and_the_statement_of_a_repository(question):
    projects = read_projects(question.facts)
    assert projects["pytorch/torchtune"].statement.endswith("see The future of torchtune.")
    assert projects["pytorch/torchtune"].path == "README.md"
    assert projects["unslothai/unsloth"].licence == "AGPL-3.0 and Apache-2.0"
    assert read_projects(read_request(Request(as_of=date(2026, 1, 1))).facts)["pytorch/torchtune"].statement == ""  # fmt: skip
    assert read_projects(read_request(Request(as_of=date(2026, 1, 1))).facts)["unslothai/unsloth"].licence == "Apache-2.0"  # fmt: skip
