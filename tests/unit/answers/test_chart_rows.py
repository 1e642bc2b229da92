"""The recipes and breaking releases of the charts, counted by hand from the rows of the facts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date

import pytest

from advisor.answers.history import query_chart_facts, read_timeline
from advisor.answers.question import Request, read_request


@pytest.fixture(scope="module")
def facts():
    return read_request(Request()).facts


def test_recipes_are_counted_by_family_method_and_task(facts):
    groups, repositories = defaultdict(list), set()
    query = (
        "SELECT repository, family, method, task, path, added_on, changed_on, commit FROM recipes "
        "WHERE replaced_on IS NULL"
    )
    for repository, *tags, path, added, changed, commit in facts.connection.execute(query).fetchall():
        repositories.add(repository)
        if tags[0] is not None:
            groups[(repository, *tags)].append((changed, path, added, commit))
    rows = query_chart_facts(facts)["recipes"]
    assert {r[0] for r in rows} == repositories, "a library whose tree was read has a row"
    counted = {tuple(r[:4]): r[4:] for r in rows if r[1] is not None}
    assert counted.keys() == groups.keys() and len(counted) > 100
    for key, recipes in groups.items():
        first_day, number, _, path, commit = counted[key]
        assert number == len({p for _, p, _, _ in recipes})
        assert first_day == min(added for _, _, added, _ in recipes)
        assert (path, commit) in {(p, c) for day, p, _, c in recipes if day == max(recipes)[0]}


def test_names_that_a_release_broke_are_counted_once(facts):
    broken = defaultdict(dict)
    query = "SELECT repository, version, name, was_deprecated FROM api_changes WHERE NOT is_alias"
    for repository, version, name, was_deprecated in facts.connection.execute(query).fetchall():
        known = broken[repository, version].get(name, True)
        broken[repository, version][name] = known and was_deprecated
    releases = facts.connection.execute(
        "SELECT repository, tag, version, released_on FROM api_releases "
        "WHERE reason IS NULL AND step IS DISTINCT FROM 'first'"
    ).fetchall()
    rows = {(r[0], r[1]): r[2:] for r in query_chart_facts(facts)["breaks"]}
    assert rows.keys() == {(repository, tag) for repository, tag, _, _ in releases}
    for repository, tag, version, day in releases:
        names = broken.get((repository, version), {})
        examples = " ".join(sorted(names)[:3])
        assert rows[repository, tag] == (day, len(names), sum(names.values()), examples)
    assert any(row[1] == 0 for row in rows.values()) and any(row[2] > 0 for row in rows.values())


def test_a_past_day_has_no_later_recipe_and_no_later_release():
    day = date(2025, 6, 30)
    timeline = read_timeline(read_request(replace(Request(), as_of=day)), months=1)
    assert timeline.breaks and max(b.day for b in timeline.breaks) <= day
    assert timeline.recipes and max(r.first_day for r in timeline.recipes if r.first_day) <= day


def test_the_kept_rows_are_those_of_the_facts(facts):
    timeline = read_timeline(read_request(Request()), months=1)
    charts = query_chart_facts(facts)
    names = set(facts.intact_repositories)
    assert len(timeline.recipes) == sum(row[0] in names for row in charts["recipes"])
    assert [(b.repository, b.tag) for b in timeline.breaks] == [
        (row[0], row[1]) for row in charts["breaks"] if row[0] in names
    ]
