"""Collecting from GitHub: the facts are right, the requests few, a second run asks only for what changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from collecting import TODAY, as_expected, collect, expected_threads, facts_of, threads_of
from fake_github import FakeGitHub, World

from advisor.collect.github.queries import KINDS, Page, overview, pages, responses
from advisor.collect.github.shapes import Merger
from advisor.facts import reading


@pytest.fixture
def world():
    return World(seed=5)


def test_the_facts_are_those_of_the_world(world, tmp_path):
    world.add("o/n", issues=60, pulls=55, discussions=9, releases=7)
    world.add("o/quiet", issues=0, pulls=0, discussions=0, releases=0, stars=0, weeks=0)
    world.add("o/closed", issues=12, hasIssuesEnabled=False, licenseInfo=None,
              owner={"__typename": "User", "login": "o", "databaseId": 6, "name": None, "company": "ACME",
                     "createdAt": "2015-01-01T00:00:00Z"})  # fmt: skip
    outcome, _ = collect(FakeGitHub(world), tmp_path, ["o/n", "o/quiet", "o/closed"])
    assert (outcome.done, outcome.missing) == ({"o/n", "o/quiet", "o/closed"}, [])
    for name in outcome.done:
        assert as_expected(threads_of(tmp_path, name)) == expected_threads(world.repositories[name])
    found = facts_of(tmp_path)
    (seen,) = found["repositories/o__n@github.parquet"]
    assert (seen["owner_kind"], seen["owner_is_verified"], seen["licence"]) == (
        "Organization",
        True,
        "Apache-2.0",
    )
    (seen,) = found["repositories/o__closed@github.parquet"]
    assert (seen["owner_kind"], seen["owner_company"], seen["licence"]) == ("User", "ACME", None)
    counts = {r["metric"]: r["value"] for r in found["counts/o__n@github.parquet"]}
    issues = world.repositories["o/n"]["issues"]
    assert counts["open_issues"] == sum(t["closedAt"] is None for t in issues)
    assert counts["closed_issues"] == sum(t["closedAt"] is not None for t in issues)
    assert "open_issues" not in {r["metric"] for r in found["counts/o__closed@github.parquet"]}
    assert {r["tag"] for r in found["releases/o__n@github-releases.parquet"]} == {
        f"v1.{i}.0" for i in range(7)
    }
    assert "user-" not in str(found), "no login enters the facts"


def test_a_mergers_company_enters_the_facts_where_it_names_an_organisation_on_github(world, tmp_path):
    found = world.add("o/n", issues=0, pulls=60, discussions=0)
    merged = {t["number"]: t["mergedBy"] for t in found["pullRequests"] if t["mergedAt"]}
    deleted, *_ = (n for n, by in merged.items() if by["__typename"] == "User")
    world.find("o/n", deleted)["mergedBy"] = merged[deleted] = None
    collect(FakeGitHub(world), tmp_path, ["o/n"])
    rows = threads_of(tmp_path, "o/n")
    for number, by in merged.items():
        expected = "@huggingface" if by and by.get("company") == "@huggingface" else None
        assert rows[number]["merged_by_organisation"] == expected
    told = {(by or {}).get("company") for by in merged.values()}
    assert told == {"@huggingface", "Meta", None}, "another word is not guessed at"
    assert any(by and by["__typename"] == "Bot" for by in merged.values())
    assert all(r["merged_by"] is None for r in rows.values()), "GitHub does not know our numbers of people"


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
def test_which_organisation_a_company_names(company, organisation):
    assert Merger(__typename="User", login="ann", company=company).organisation == organisation


def test_responses_are_looked_for_past_the_first_comments(world, tmp_path):
    from fake_github.world import user

    found = world.add("o/n", issues=3, pulls=0, discussions=0)
    long, ghost, bot = (t["number"] for t in found["issues"])
    for number, author, replies in ((long, user(1), [user(1)] * 130 + [user(2)]),
                                    (ghost, None, [None, None, user(3)]),
                                    (bot, user(1), [{"__typename": "Bot", "login": "stale", "databaseId": 9}, user(4)])):  # fmt: skip
        thread = world.find("o/n", number)
        thread |= {"author": author, "comments": []}
        for reply in replies:
            world.comment("o/n", number, reply)
            thread["comments"][-1]["author"] = reply
    collect(FakeGitHub(world), tmp_path, ["o/n"])
    rows = threads_of(tmp_path, "o/n")
    assert as_expected(rows) == expected_threads(found)
    assert all(r["responses_seen"] and r["first_response_at"] for r in rows.values())


def test_full_depth_within_8_requests_and_12_points(world, tmp_path):
    world.add("o/n", issues=100, pulls=100, discussions=10, releases=10, weeks=200)
    fake = FakeGitHub(world)
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert outcome.missing == []
    assert fake.requests() <= 8
    assert fake.points <= 12
    assert outcome.points == fake.points, "our count is GitHub's"


def test_overview_of_100_repositories_within_5_requests(world, tmp_path):
    names = [f"o/r{i}" for i in range(100)]
    for name in names:
        world.add(name, issues=1, pulls=1, discussions=0, releases=0, weeks=0)
    fake = FakeGitHub(world)
    _, told = collect(fake, tmp_path, names, is_dry=True)
    assert fake.requests() <= 5
    (plan,) = (numbers for what, numbers in told if what == "plan")
    assert set(plan["repositories"]) == set(names)


def test_a_second_run_with_nothing_new_pays_for_2_requests_a_repository_at_most(world, tmp_path):
    names = ["o/n", "o/m"]
    world.add("o/n", issues=70, pulls=70)
    world.add("o/m")
    fake = FakeGitHub(world)
    collect(fake, tmp_path, names)
    before = facts_of(tmp_path)
    fake.reset()
    outcome, _ = collect(fake, tmp_path, names)
    assert sum(fake.paid.values()) <= 2 * len(names)
    assert {s for _, path, s in fake.log if path != "/graphql"} == {304}
    assert outcome.not_modified > 0
    assert facts_of(tmp_path) == before


def test_a_second_run_sees_whatever_changed(world, tmp_path):
    world.add("o/n", issues=120, pulls=120, discussions=12)
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    repository = world.repositories["o/n"]
    first_requests = fake.requests()
    opened = [
        t["number"]
        for k in ("issues", "pullRequests", "discussions")
        for t in repository[k]
        if not t["closedAt"]
    ]
    for number in opened[::9]:
        world.close("o/n", number)
    for number in opened[::7]:
        world.comment("o/n", number)
    for kind in ("issues", "pullRequests", "discussions"):
        world.open("o/n", kind)
    world.release("o/n", "v9.0.0")
    fake.reset()
    collect(fake, tmp_path, ["o/n"], now=TODAY + timedelta(days=1))
    assert as_expected(threads_of(tmp_path, "o/n")) == expected_threads(repository)
    assert fake.requests() < first_requests
    assert any(r["tag"] == "v9.0.0" for r in facts_of(tmp_path)["releases/o__n@github-releases.parquet"])


@pytest.mark.parametrize("kind", ["issues", "pullRequests", "discussions"])
def test_what_was_deleted_is_gone(world, tmp_path, kind):
    world.add("o/n", issues=15, pulls=15, discussions=15)
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    for thread in world.repositories["o/n"][kind][3:6]:
        world.delete("o/n", thread["number"])
    world.open("o/n", kind)
    collect(fake, tmp_path, ["o/n"])
    assert as_expected(threads_of(tmp_path, "o/n")) == expected_threads(world.repositories["o/n"])


def test_people_work_on_while_the_pages_are_read(world, tmp_path):
    world.add("o/n", issues=260, pulls=150, discussions=0)
    fake = FakeGitHub(world)
    repository, original = world.repositories["o/n"], fake.graphql_side.run

    def run(document, variables, rate):
        answer = original(document, variables, rate)
        if "issuesFirst" in variables:
            for thread in world.random.sample(repository["issues"] + repository["pullRequests"], 5):
                world.comment("o/n", thread["number"])
            if len(fake.log) < 6:
                world.open("o/n", "issues")
        return answer

    fake.graphql_side.run = run
    before = set(expected_threads(repository))
    outcome, _ = collect(fake, tmp_path, ["o/n"], now=world.now)
    assert outcome.missing == []
    assert set(threads_of(tmp_path, "o/n")) >= before
    assert fake.requests() < 20, "it comes to an end, however busy the tracker is"
    fake.graphql_side.run = original
    collect(fake, tmp_path, ["o/n"], now=world.now)
    assert as_expected(threads_of(tmp_path, "o/n")) == expected_threads(repository)


def test_a_rename_keeps_the_identity_and_the_name_that_was_asked_for(world, tmp_path):
    world.add("old/name")
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["old/name"])
    world.rename("old/name", "new/name")
    fake.reset()
    outcome, told = collect(fake, tmp_path, ["old/name", "new/name"])
    assert ("renamed", {"repository": "old/name", "known_as": "new/name"}) in told
    assert [(m.repository, m.is_final) for m in outcome.missing] == [("new/name", True)]
    (row,) = facts_of(tmp_path)["repositories/old__name@github.parquet"]
    assert (row["known_as"], row["github_id"]) == ("new/name", 100)
    assert not any(f.startswith("threads/new__name") for f in facts_of(tmp_path))


def test_another_repository_under_an_old_name_begins_anew(world, tmp_path):
    world.add("o/n", issues=30)
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    del world.repositories["o/n"]
    world.add("o/other")
    world.add("o/n", issues=4, pulls=2)
    world.repositories["o/n"]["databaseId"] = 999
    collect(fake, tmp_path, ["o/n"])
    assert as_expected(threads_of(tmp_path, "o/n")) == expected_threads(world.repositories["o/n"])


def test_what_is_not_there_is_missing_and_the_others_are_collected(world, tmp_path):
    for name in ("o/n", "o/blocked", "o/forbidden"):
        world.add(name)
    world.blocked.add("o/blocked")
    world.forbidden.add("o/forbidden")
    outcome, _ = collect(FakeGitHub(world), tmp_path, ["no/body", "o/blocked", "o/n", "o/forbidden"])
    assert outcome.done == {"o/n"}
    assert {m.repository for m in outcome.missing} == {"no/body", "o/blocked", "o/forbidden"}


def test_archived_and_back(world, tmp_path):
    world.add("o/n", isArchived=True, archivedAt="2026-11-01T00:00:00Z")
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    world.repositories["o/n"] |= {"isArchived": False, "archivedAt": None}
    collect(fake, tmp_path, ["o/n"], now=TODAY + timedelta(days=1))
    collect(fake, tmp_path, ["o/n"], now=TODAY + timedelta(days=2))
    rows = facts_of(tmp_path)["repositories/o__n@github.parquet"]
    assert [r["declared_status"] for r in rows] == ["archived", "active", None]


def test_the_history_of_stars(world, tmp_path):
    repository = world.add("o/n", stars=900, weeks=50)
    collect(FakeGitHub(world), tmp_path, ["o/n"])
    rows = {str(r["day"]): r["value"] for r in facts_of(tmp_path)["counts/o__n@github-stars.parquet"]}
    from datetime import UTC, datetime

    weeks = repository["weeks"]
    for i, week in enumerate(weeks):
        day = datetime.fromtimestamp(week["week"], UTC).date().isoformat()
        assert rows[day] == 900 - sum(w["total"] for w in weeks[: i + 1])


def test_closed_star_lists_do_not_matter_and_a_missing_history_is_no_failure(world, tmp_path):
    world.add("o/n")
    fake = FakeGitHub(world)
    fake.answers["/repos/o/n/stargazers/history"] = (404, {}, {"message": "Not Found"})
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert [(m.part, m.is_final) for m in outcome.missing] == [("star history", True)]


def test_without_a_token(world, tmp_path):
    repository = world.add("o/n", issues=130, pulls=60, discussions=5)
    fake = FakeGitHub(world)
    outcome, _ = collect(fake, tmp_path, ["o/n"], token=None)
    assert (outcome.missing, fake.points, fake.tokens) == ([], 0, {""})
    rows = {r["number"]: r for r in facts_of(tmp_path)["threads/o__n@github-rest.parquet"]}
    wanted = {
        n: (*e[:4], None, e[5]) for n, e in expected_threads(repository).items() if e[0] != "discussion"
    }
    assert as_expected(rows) == wanted
    assert not any(r["responses_seen"] for r in rows.values()), "nobody looked"
    fake.reset()
    collect(fake, tmp_path, ["o/n"], token=None)
    assert fake.paid["core"] <= 2
    collect(fake, tmp_path, ["o/n"])
    opened = reading.open_store(tmp_path)
    with reading.connect(opened, ["o/n"], TODAY.date()) as db:
        rows = db.execute(
            "SELECT count(*), count(*) FILTER (responses_seen), count(DISTINCT number) FROM threads"
        ).fetchone()
    assert rows == (195, 195, 195), "with a token the better rows take their place"


def test_a_budget_is_planned_and_kept(world, tmp_path):
    names = ["o/a", "o/b", "o/c"]
    for name in names:
        world.add(name, issues=150, pulls=150)
    fake = FakeGitHub(world)
    _, told = collect(fake, tmp_path, names, is_dry=True)
    (plan,) = (numbers for what, numbers in told if what == "plan")
    assert not (tmp_path / "manifest.json").exists(), "a dry run writes no facts"
    fake.reset()
    outcome, _ = collect(fake, tmp_path, names, budget=plan["points"] // 2)
    assert fake.points <= plan["points"] // 2
    assert outcome.done and outcome.missing and all("budget" in m.why for m in outcome.missing)
    for _ in range(4):
        outcome, _ = collect(fake, tmp_path, names, budget=plan["points"] // 2)
    assert outcome.missing == []
    for name in names:
        assert as_expected(threads_of(tmp_path, name)) == expected_threads(world.repositories[name])


def test_a_dry_run_without_a_token_has_no_price(world, tmp_path):
    world.add("o/n")
    fake = FakeGitHub(world)
    _, told = collect(fake, tmp_path, ["o/n"], token=None, is_dry=True)
    assert ("plan", {"repositories": {}, "requests": 0, "points": 0, "spent": 0}) in told
    assert fake.requests() == 0


def test_the_plan_is_an_upper_bound_and_not_far_off(world, tmp_path):
    world.add("o/n", issues=400, pulls=220, discussions=30)
    fake = FakeGitHub(world)
    _, told = collect(fake, tmp_path, ["o/n"])
    (plan,) = (numbers for what, numbers in told if what == "plan")
    # Looking on for responses is not foreseen.
    assert abs(plan["points"] - fake.points) <= 0.4 * fake.points


def test_prices_are_foreseen_exactly(world):
    world.add("o/n")
    side = FakeGitHub(world).graphql_side
    every = {k: Page(60) for k in KINDS}
    kinds = ("issue", "change_request", "discussion")
    for document in (overview({f"r{i}": ("o", "n") for i in range(25)}), pages("o", "n", every),
                     pages("o", "n", {"pullRequests": Page(100, is_ascending=False)}),
                     responses("o", "n", {f"t{i}": (kinds[i % 3], i, None) for i in range(25)})):  # fmt: skip
        _, errors, price = side.price(document.query, document.variables)
        assert not errors
        assert (document.connections, document.points) == (price.connections, price.points)
