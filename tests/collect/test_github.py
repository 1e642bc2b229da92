"""Collecting from GitHub: correct facts, few requests, and a second run that reads only the changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from collecting import TODAY, collect, list_expected_threads, read_all_facts, read_threads, to_expected_form
from fake_github import FakeGitHub, World

from advisor.collect.github.queries import (
    KINDS,
    Page,
    build_overview_query,
    build_pages_query,
    build_responses_query,
)
from advisor.collect.github.shapes import Merger
from advisor.facts import reading


@pytest.fixture
def world():
    return World(seed=5)


def test_facts_are_those_of_the_world(world, tmp_path):
    world.add("o/n", issues=60, pulls=55, discussions=9, releases=7)
    world.add("o/quiet", issues=0, pulls=0, discussions=0, releases=0, stars=0, weeks=0)
    world.add("o/closed", issues=12, hasIssuesEnabled=False, licenseInfo=None,
              owner={"__typename": "User", "login": "o", "databaseId": 6, "name": None, "company": "ACME",
                     "createdAt": "2015-01-01T00:00:00Z"})  # fmt: skip
    outcome, _ = collect(FakeGitHub(world), tmp_path, ["o/n", "o/quiet", "o/closed"])
    assert (outcome.repositories, outcome.missing) == ({"o/n", "o/quiet", "o/closed"}, [])
    for name in outcome.repositories:
        assert to_expected_form(read_threads(tmp_path, name)) == list_expected_threads(
            world.repositories[name]
        )
    facts = read_all_facts(tmp_path)
    (row,) = facts["repositories/o__n@github.parquet"]
    assert (row["owner_kind"], row["owner_is_verified"], row["licence"]) == (
        "Organization",
        True,
        "Apache-2.0",
    )
    (row,) = facts["repositories/o__closed@github.parquet"]
    assert (row["owner_kind"], row["owner_company"], row["licence"]) == ("User", "ACME", None)
    counts = {r["metric"]: r["value"] for r in facts["counts/o__n@github.parquet"]}
    issues = world.repositories["o/n"]["issues"]
    assert counts["open_issues"] == sum(t["closedAt"] is None for t in issues)
    assert counts["closed_issues"] == sum(t["closedAt"] is not None for t in issues)
    assert "open_issues" not in {r["metric"] for r in facts["counts/o__closed@github.parquet"]}
    assert {r["tag"] for r in facts["releases/o__n@github-releases.parquet"]} == {
        f"v1.{i}.0" for i in range(7)
    }
    assert "user-" not in str(facts), "the facts hold no login"


def test_the_organisation_of_a_merger_comes_from_their_company(world, tmp_path):
    repository = world.add("o/n", issues=0, pulls=60, discussions=0)
    mergers = {t["number"]: t["mergedBy"] for t in repository["pullRequests"] if t["mergedAt"]}
    ghost, *_ = (n for n, by in mergers.items() if by["__typename"] == "User")
    world.find("o/n", ghost)["mergedBy"] = mergers[ghost] = None
    collect(FakeGitHub(world), tmp_path, ["o/n"])
    rows = read_threads(tmp_path, "o/n")
    for number, by in mergers.items():
        expected = "@huggingface" if by and by.get("company") == "@huggingface" else None
        assert rows[number]["merged_by_organisation"] == expected
    companies = {(by or {}).get("company") for by in mergers.values()}
    assert companies == {"@huggingface", "Meta", None}, "a company without @ is not an organisation"
    assert any(by and by["__typename"] == "Bot" for by in mergers.values())
    assert all(r["merged_by"] is None for r in rows.values()), (
        "GitHub does not know our numbers of contributors"
    )


@pytest.mark.parametrize(
    ("company", "organisation"),
    [
        ("@PyTorch at @meta", "@pytorch"),
        ("ann@corp.example", None),
        ("Meta", None),
        ("x @a-b", "@a-b"),
        ("", None),
    ],
)
def test_organisation_in_a_company(company, organisation):
    assert Merger(__typename="User", login="ann", company=company).organisation == organisation


def test_a_first_response_after_the_first_comments(world, tmp_path):
    from fake_github.world import user

    repository = world.add("o/n", issues=3, pulls=0, discussions=0)
    long, ghost, bot = (t["number"] for t in repository["issues"])
    for number, author, replies in ((long, user(1), [user(1)] * 130 + [user(2)]),
                                    (ghost, None, [None, None, user(3)]),
                                    (bot, user(1), [{"__typename": "Bot", "login": "stale", "databaseId": 9}, user(4)])):  # fmt: skip
        thread = world.find("o/n", number)
        thread |= {"author": author, "comments": []}
        for reply in replies:
            world.comment("o/n", number, reply)
            thread["comments"][-1]["author"] = reply
    collect(FakeGitHub(world), tmp_path, ["o/n"])
    rows = read_threads(tmp_path, "o/n")
    assert to_expected_form(rows) == list_expected_threads(repository)
    assert all(r["responses_seen"] and r["first_response_at"] for r in rows.values())


def test_a_review_before_all_comments_is_the_first_response(world, tmp_path):
    from fake_github.world import user

    repository = world.add("o/n", issues=0, pulls=1, discussions=0)
    (thread,) = repository["pullRequests"]
    thread |= {"author": user(1), "comments": [], "reviews": []}
    for author in [user(1)] * 12 + [user(2), user(3)]:
        world.comment("o/n", thread["number"], author)
    review = thread["comments"].pop(-2)
    thread["reviews"] = [{**review, "submittedAt": review["createdAt"], "state": "COMMENTED"}]
    collect(FakeGitHub(world), tmp_path, ["o/n"])
    (row,) = read_threads(tmp_path, "o/n").values()
    assert row["first_response_at"].strftime("%Y-%m-%dT%H:%M:%SZ") == review["createdAt"]


def test_one_repository_needs_at_most_8_requests_and_12_points(world, tmp_path):
    world.add("o/n", issues=100, pulls=100, discussions=10, releases=10, weeks=200)
    fake = FakeGitHub(world)
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert outcome.missing == []
    assert fake.requests() <= 8
    assert fake.points <= 12
    assert outcome.points == fake.points, "our count of points equals GitHub's"


def test_requests_and_points_of_a_large_repository_do_not_grow(world, tmp_path):
    repository = world.add("o/n", issues=730, pulls=540, discussions=0, weeks=25)
    for thread in (*repository["issues"], *repository["pullRequests"]):
        thread["comments"] = []  # so that no first response needs another request
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    assert (fake.requests(), fake.points) == (11, 10)
    fake.reset()
    collect(fake, tmp_path, ["o/n"])
    assert (fake.requests(), fake.points) == (3, 2)


def test_the_overview_of_100_repositories_needs_at_most_5_requests(world, tmp_path):
    names = [f"o/r{i}" for i in range(100)]
    for name in names:
        world.add(name, issues=1, pulls=1, discussions=0, releases=0, weeks=0)
    fake = FakeGitHub(world)
    _, events = collect(fake, tmp_path, names, is_dry_run=True)
    assert fake.requests() <= 5
    (plan,) = (values for kind, values in events if kind == "plan")
    assert set(plan["repositories"]) == set(names)


def test_a_second_run_without_changes_pays_for_at_most_2_requests_a_repository(world, tmp_path):
    names = ["o/n", "o/m"]
    world.add("o/n", issues=70, pulls=70)
    world.add("o/m")
    fake = FakeGitHub(world)
    collect(fake, tmp_path, names)
    before = read_all_facts(tmp_path)
    fake.reset()
    outcome, _ = collect(fake, tmp_path, names)
    assert sum(fake.charges.values()) <= 2 * len(names)
    assert {s for _, path, s in fake.log if path != "/graphql"} == {304}
    assert outcome.unchanged_responses > 0
    assert read_all_facts(tmp_path) == before


def test_a_second_run_reads_all_changes(world, tmp_path):
    world.add("o/n", issues=120, pulls=120, discussions=12)
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    repository = world.repositories["o/n"]
    first_requests = fake.requests()
    open_numbers = [
        t["number"]
        for k in ("issues", "pullRequests", "discussions")
        for t in repository[k]
        if not t["closedAt"]
    ]
    for number in open_numbers[::9]:
        world.close("o/n", number)
    for number in open_numbers[::7]:
        world.comment("o/n", number)
    for kind in ("issues", "pullRequests", "discussions"):
        world.open("o/n", kind)
    world.release("o/n", "v9.0.0")
    fake.reset()
    collect(fake, tmp_path, ["o/n"], now=TODAY + timedelta(days=1))
    assert to_expected_form(read_threads(tmp_path, "o/n")) == list_expected_threads(repository)
    assert fake.requests() < first_requests
    assert any(
        r["tag"] == "v9.0.0" for r in read_all_facts(tmp_path)["releases/o__n@github-releases.parquet"]
    )


@pytest.mark.parametrize("kind", ["issues", "pullRequests", "discussions"])
def test_deleted_threads_are_removed(world, tmp_path, kind):
    world.add("o/n", issues=15, pulls=15, discussions=15)
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    for thread in world.repositories["o/n"][kind][3:6]:
        world.delete("o/n", thread["number"])
    world.open("o/n", kind)
    collect(fake, tmp_path, ["o/n"])
    assert to_expected_form(read_threads(tmp_path, "o/n")) == list_expected_threads(world.repositories["o/n"])


def test_changes_during_the_reading(world, tmp_path):
    world.add("o/n", issues=260, pulls=150, discussions=0)
    fake = FakeGitHub(world)
    repository, original = world.repositories["o/n"], fake.graphql_api.run

    def run(document, variables, rate):
        response = original(document, variables, rate)
        if "issuesFirst" in variables:
            for thread in world.random.sample(repository["issues"] + repository["pullRequests"], 5):
                world.comment("o/n", thread["number"])
            if len(fake.log) < 6:
                world.open("o/n", "issues")
        return response

    fake.graphql_api.run = run
    before = set(list_expected_threads(repository))
    outcome, _ = collect(fake, tmp_path, ["o/n"], now=world.now)
    assert outcome.missing == []
    assert set(read_threads(tmp_path, "o/n")) >= before
    assert fake.requests() < 20, "the reading ends, even if the tracker is busy"
    fake.graphql_api.run = original
    collect(fake, tmp_path, ["o/n"], now=world.now)
    assert to_expected_form(read_threads(tmp_path, "o/n")) == list_expected_threads(repository)


def test_a_renamed_repository_keeps_its_name_in_the_store(world, tmp_path):
    world.add("old/name")
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["old/name"])
    world.rename("old/name", "new/name")
    fake.reset()
    outcome, events = collect(fake, tmp_path, ["old/name", "new/name"])
    assert ("renamed", {"repository": "old/name", "known_as": "new/name"}) in events
    assert [(m.repository, m.is_final) for m in outcome.missing] == [("new/name", True)]
    (row,) = read_all_facts(tmp_path)["repositories/old__name@github.parquet"]
    assert (row["known_as"], row["github_id"]) == ("new/name", 100)
    assert not any(f.startswith("threads/new__name") for f in read_all_facts(tmp_path))


def test_another_repository_under_an_old_name_is_read_from_the_start(world, tmp_path):
    world.add("o/n", issues=30)
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    del world.repositories["o/n"]
    world.add("o/other")
    world.add("o/n", issues=4, pulls=2)
    world.repositories["o/n"]["databaseId"] = 999
    collect(fake, tmp_path, ["o/n"])
    assert to_expected_form(read_threads(tmp_path, "o/n")) == list_expected_threads(world.repositories["o/n"])


def test_a_missing_repository_does_not_stop_the_others(world, tmp_path):
    for name in ("o/n", "o/blocked", "o/forbidden"):
        world.add(name)
    world.blocked_names.add("o/blocked")
    world.forbidden_names.add("o/forbidden")
    outcome, _ = collect(FakeGitHub(world), tmp_path, ["no/body", "o/blocked", "o/n", "o/forbidden"])
    assert outcome.repositories == {"o/n"}
    assert {m.repository for m in outcome.missing} == {"no/body", "o/blocked", "o/forbidden"}


def test_a_repository_that_is_no_longer_archived(world, tmp_path):
    world.add("o/n", isArchived=True, archivedAt="2026-11-01T00:00:00Z")
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    world.repositories["o/n"] |= {"isArchived": False, "archivedAt": None}
    collect(fake, tmp_path, ["o/n"], now=TODAY + timedelta(days=1))
    collect(fake, tmp_path, ["o/n"], now=TODAY + timedelta(days=2))
    rows = read_all_facts(tmp_path)["repositories/o__n@github.parquet"]
    assert [r["declared_status"] for r in rows] == ["archived", "active", None]


def test_star_history(world, tmp_path):
    repository = world.add("o/n", stars=900, weeks=50)
    collect(FakeGitHub(world), tmp_path, ["o/n"])
    rows = {str(r["day"]): r["value"] for r in read_all_facts(tmp_path)["counts/o__n@github-stars.parquet"]}
    from datetime import UTC, datetime

    weeks = repository["weeks"]
    for i, week in enumerate(weeks):
        day = datetime.fromtimestamp(week["week"], UTC).date().isoformat()
        assert rows[day] == 900 - sum(w["total"] for w in weeks[: i + 1])


def test_a_missing_star_history_is_final_and_not_a_failure(world, tmp_path):
    world.add("o/n")
    fake = FakeGitHub(world)
    fake.responses["/repos/o/n/stargazers/history"] = (404, {}, {"message": "Not Found"})
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert [(m.part, m.is_final) for m in outcome.missing] == [("star history", True)]


def test_without_a_token(world, tmp_path):
    repository = world.add("o/n", issues=130, pulls=60, discussions=5)
    fake = FakeGitHub(world)
    outcome, _ = collect(fake, tmp_path, ["o/n"], token=None)
    assert (outcome.missing, fake.points, fake.tokens) == ([], 0, {""})
    rows = {r["number"]: r for r in read_all_facts(tmp_path)["threads/o__n@github-rest.parquet"]}
    expected = {
        n: (*e[:4], None, e[5]) for n, e in list_expected_threads(repository).items() if e[0] != "discussion"
    }
    assert to_expected_form(rows) == expected
    assert not any(r["responses_seen"] for r in rows.values()), "no responses were read"
    fake.reset()
    collect(fake, tmp_path, ["o/n"], token=None)
    assert fake.charges["core"] <= 2
    collect(fake, tmp_path, ["o/n"])
    snapshot = reading.open_store(tmp_path)
    with reading.open_views(snapshot, ["o/n"], TODAY.date()) as db:
        rows = db.execute(
            "SELECT count(*), count(*) FILTER (responses_seen), count(DISTINCT number) FROM threads"
        ).fetchone()
    assert rows == (195, 195, 195), "rows that were read with a token replace them"


def test_a_budget_is_not_exceeded(world, tmp_path):
    names = ["o/a", "o/b", "o/c"]
    for name in names:
        world.add(name, issues=150, pulls=150)
    fake = FakeGitHub(world)
    _, events = collect(fake, tmp_path, names, is_dry_run=True)
    (plan,) = (values for kind, values in events if kind == "plan")
    assert not (tmp_path / "manifest.json").exists(), "a dry run writes no facts"
    fake.reset()
    outcome, _ = collect(fake, tmp_path, names, budget=plan["points"] // 2)
    assert fake.points <= plan["points"] // 2
    assert outcome.repositories and outcome.missing and all("budget" in m.reason for m in outcome.missing)
    for _ in range(20):  # each run gets on, whatever it pays again
        outcome, _ = collect(fake, tmp_path, names, budget=plan["points"] // 2)
        if not outcome.missing:
            break
    assert outcome.missing == []
    for name in names:
        assert to_expected_form(read_threads(tmp_path, name)) == list_expected_threads(
            world.repositories[name]
        )


def test_a_dry_run_without_a_token_costs_nothing(world, tmp_path):
    world.add("o/n")
    fake = FakeGitHub(world)
    _, events = collect(fake, tmp_path, ["o/n"], token=None, is_dry_run=True)
    assert ("plan", {"repositories": {}, "requests": 0, "points": 0, "spent": 0}) in events
    assert fake.requests() == 0


def test_the_plan_is_close_to_the_cost(world, tmp_path):
    world.add("o/n", issues=400, pulls=220, discussions=30)
    fake = FakeGitHub(world)
    _, events = collect(fake, tmp_path, ["o/n"])
    (plan,) = (values for kind, values in events if kind == "plan")
    # The plan leaves out the search for first responses.
    assert abs(plan["points"] - fake.points) <= 0.4 * fake.points


def test_the_cost_of_queries_is_exact(world):
    world.add("o/n")
    api = FakeGitHub(world).graphql_api
    every = {k: Page(60) for k in KINDS}
    kinds = ("issue", "change_request", "discussion")
    for document in (build_overview_query({f"r{i}": ("o", "n") for i in range(25)}), build_pages_query("o", "n", every),
                     build_pages_query("o", "n", {"pullRequests": Page(100, is_ascending=False)}),
                     build_responses_query("o", "n", {f"t{i}": (kinds[i % 3], i, None) for i in range(25)})):  # fmt: skip
        _, errors, cost = api.parse_and_price(document.query, document.variables)
        assert not errors
        assert (document.connections, document.points) == (cost.connections, cost.points)
