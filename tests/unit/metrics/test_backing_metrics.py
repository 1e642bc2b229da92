"""Backing, worked by hand: who is the backer's, and what would be left without it."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from advisor.facts import reading, writing
from advisor.measure.one_day import measure
from advisor.metrics import METRICS

AS_OF = date(2024, 1, 1)


@pytest.fixture
def one(tmp_path):
    def run(metric, rows, of="pytorch/torchtune", threads=()):
        about = {"repository": of, "source": "hand", "retrieved_at": AS_OF, "is_bot": False}
        merged = {
            **about,
            "kind": "change_request",
            "opened_at": "2021-09-01",
            "merged_at": "2023-10-01",
            "source": "git:hand",
        }
        writing.write(
            tmp_path, "threads", of, [{**merged, "number": n, **t} for n, t in enumerate(threads, 1)]
        )
        writing.write(tmp_path, "contributions", of, [{**about, **r} for r in rows])
        return measure(reading.open_store(tmp_path), [of], AS_OF, {metric: METRICS[metric]})[0][of][metric]

    return run


def by(number, organisation=None):
    return {"merged_by": number, "merged_by_organisation": organisation}


def made(author, commits, organisation=None, day="2023-10-01"):
    return {"author": author, "commits": commits, "organisation": organisation, "day": day}


# Two people of Meta (by two domains), one of Intel, two unknown.
PEOPLE = [
    made(0, 30, "meta.com"), made(1, 20, "fb.com"), made(2, 10, "intel.com"), made(3, 25), made(4, 15),
]  # fmt: skip


def test_influence_is_the_backers_share_of_what_is_known(one):
    found = one("organizational_influence", PEOPLE)
    assert (found.value, found.low, found.high) == pytest.approx((50 / 60, 0.5, 0.9))
    assert found.evidence_share == pytest.approx(0.6)


def test_what_would_be_left(one):
    people = one("contributors_without_backer", PEOPLE)
    assert (people.value, people.low, people.n) == (3, 1, 5)
    commits = one("commits_without_backer", PEOPLE)
    assert (commits.value, commits.low, commits.n) == (50, 10, 100)


def test_a_person_keeps_the_organisation_that_an_earlier_address_showed(one):
    rows = [*PEOPLE[1:], made(0, 1, "meta.com", day="2022-01-01"), made(0, 30)]
    assert one("commits_without_backer", rows).value == 50
    assert one("contributors_without_backer", rows).value == 3
    moved = [*rows, made(0, 1, "intel.com", day="2023-11-01")]
    assert one("commits_without_backer", moved).low == 10 + 30 + 1


def test_a_backer_whose_people_nobody_can_tell_is_unknown_and_not_absent(one):
    rows = [made(0, 30), made(1, 20, "intel.com")]
    for metric in ("organizational_influence", "contributors_without_backer", "commits_without_backer"):
        found = one(metric, rows)
        assert found.status == "not_applicable"
        assert "nobody in its history" in found.reason


def test_two_domains_of_one_organisation_are_one(one):
    assert one("organizational_diversity", PEOPLE).value == 2
    assert one("elephant_factor", PEOPLE).value == 1


def test_an_owner_in_no_table_has_no_backing(one):
    assert one("organizational_influence", PEOPLE, of="nobody/knows").status == "unavailable"


# Twenty merges: five by a person of Meta, three by one of Intel, who wrote as such earlier; two by somebody
# whose organisation is not known; ten that GitHub squashed, so that nobody can tell.
MERGES = [*[by(0)] * 5, *[by(2)] * 3, *[by(3)] * 2, *[{}] * 10]
WROTE = [made(0, 1, "meta.com", "2022-01-01"), made(2, 1, "intel.com", "2022-01-01"), made(3, 1)]


def test_the_share_of_merges_is_the_backers_of_those_whose_merger_is_known(one):
    found = one("organizational_influence_merges", WROTE, threads=MERGES)
    assert (found.value, found.low, found.high) == pytest.approx((5 / 8, 5 / 20, (5 + 12) / 20))
    assert (found.n, found.evidence_share) == (20, pytest.approx(8 / 20))


def test_a_mergers_own_address_and_the_company_on_github_tell_too(one):
    by_address = [*[by(7, "fb.com")] * 4, *[by(7)] * 2, *[{}] * 4]
    assert one("organizational_influence_merges", WROTE, threads=by_address).value == 1
    by_company = [*[by(None, "@pytorch")] * 6, *[by(None, "@intel")] * 4]
    assert one("organizational_influence_merges", WROTE, threads=by_company).value == pytest.approx(0.6)


def test_merges_by_nobody_known_are_unavailable_and_not_nought(one):
    assert one("organizational_influence_merges", WROTE, threads=[{}] * 20).status == "unavailable"
    assert "the merger" in one("organizational_influence_merges", WROTE, threads=[{}] * 20).reason
    few = one("organizational_influence_merges", WROTE, threads=MERGES[:9])
    assert (few.status, few.n) == ("not_applicable", 9)


def test_merges_before_the_window_after_the_day_and_of_bots_requests_do_not_count(one):
    other = [
        {"merged_at": "2022-01-01", **by(0)},
        {"merged_at": "2024-02-01", **by(0)},
        {"is_bot": True, **by(0)},
    ]
    assert one("organizational_influence_merges", WROTE, threads=[*MERGES, *other]).n == 20


def test_what_git_and_github_know_of_one_merge_is_joined(one, tmp_path):
    about = {"repository": "pytorch/torchtune", "kind": "change_request", "retrieved_at": AS_OF, "is_bot": False,
             "opened_at": "2023-09-01", "merged_at": "2023-10-01"}  # fmt: skip
    listed = [{**about, "source": "github:graphql", "number": n,
               "merged_by_organisation": "@meta-pytorch" if n > 10 else None} for n in range(1, 21)]  # fmt: skip
    writing.write(tmp_path, "threads", "pytorch/torchtune", listed, part="github-pullrequests")
    found = one("organizational_influence_merges", WROTE, threads=MERGES)
    assert (found.n, found.value) == (20, pytest.approx(15 / 18))
    assert found.sources == ("github:graphql",)


def test_threads_written_before_mergers_were_looked_for_are_read_all_the_same(one, tmp_path):
    assert one("organizational_influence_merges", WROTE, threads=MERGES).n == 20
    file = tmp_path / "threads" / "pytorch__torchtune.parquet"
    with duckdb.connect() as db:
        old = f"SELECT * EXCLUDE (merged_by, merged_by_organisation) FROM read_parquet('{file}')"
        db.execute(f"COPY ({old}) TO '{tmp_path / 'old.parquet'}' (FORMAT parquet)")
    (tmp_path / "old.parquet").replace(file)
    with reading.connect(reading.open_store(tmp_path), ["pytorch/torchtune"], AS_OF) as db:
        read = db.execute("SELECT count(*), count(merged_at), count(merged_by) FROM threads").fetchone()
    assert read == (20, 20, 0)
