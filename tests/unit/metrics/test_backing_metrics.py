"""The metrics of backing on examples computed merge_by hand."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest
from measuring import measure_repositories

from advisor.facts import reading, writing
from advisor.metrics import METRICS

AS_OF = date(2024, 1, 1)


@pytest.fixture
def measure(tmp_path):
    def run(metric, rows, of="pytorch/torchtune", threads=()):
        about = {"repository": of, "source": "hand", "retrieved_at": AS_OF, "is_bot": False}
        merge = {
            **about,
            "kind": "change_request",
            "opened_at": "2021-09-01",
            "merged_at": "2023-10-01",
            "source": "git:hand",
        }
        writing.write_rows(
            tmp_path, "threads", of, [{**merge, "number": n, **t} for n, t in enumerate(threads, 1)]
        )
        writing.write_rows(tmp_path, "contributions", of, [{**about, **r} for r in rows])
        return measure_repositories(reading.open_store(tmp_path), [of], AS_OF, {metric: METRICS[metric]})[0][
            of
        ][metric]

    return run


def merge_by(number, organisation=None):
    return {"merged_by": number, "merged_by_organisation": organisation}


def commits_by(author, commits, organisation=None, day="2023-10-01"):
    return {"author": author, "commits": commits, "organisation": organisation, "day": day}


# Two people of Meta (merge_by two domains), measure of Intel, two unknown.
PEOPLE = [
    commits_by(0, 30, "meta.com"), commits_by(1, 20, "fb.com"), commits_by(2, 10, "intel.com"), commits_by(3, 25), commits_by(4, 15),
]  # fmt: skip


def test_influence_is_the_backers_share_of_known_affiliations(measure):
    measurement = measure("organizational_influence", PEOPLE)
    assert (measurement.value, measurement.low, measurement.high) == pytest.approx((50 / 60, 0.5, 0.9))
    assert measurement.evidence_share == pytest.approx(0.6)


def test_contributors_and_commits_without_the_backer(measure):
    people = measure("contributors_without_backer", PEOPLE)
    assert (people.value, people.low, people.n) == (3, 1, 5)
    commits = measure("commits_without_backer", PEOPLE)
    assert (commits.value, commits.low, commits.n) == (50, 10, 100)


def test_an_earlier_address_sets_the_organisation_of_later_commits(measure):
    rows = [*PEOPLE[1:], commits_by(0, 1, "meta.com", day="2022-01-01"), commits_by(0, 30)]
    assert measure("commits_without_backer", rows).value == 50
    assert measure("contributors_without_backer", rows).value == 3
    later_rows = [*rows, commits_by(0, 1, "intel.com", day="2023-11-01")]
    assert measure("commits_without_backer", later_rows).low == 10 + 30 + 1


def test_a_backer_without_known_people_is_not_applicable(measure):
    rows = [commits_by(0, 30), commits_by(1, 20, "intel.com")]
    for metric in ("organizational_influence", "contributors_without_backer", "commits_without_backer"):
        measurement = measure(metric, rows)
        assert measurement.status == "not_applicable"
        assert measurement.reason == "no person in its history is known to belong to the backer"


def test_two_domains_of_one_organisation_count_once(measure):
    assert measure("organizational_diversity", PEOPLE).value == 2
    assert measure("elephant_factor", PEOPLE).value == 1


def test_an_owner_outside_the_table_has_no_backer(measure):
    assert measure("organizational_influence", PEOPLE, of="nobody/knows").status == "unavailable"


# Twenty merges: five merge_by a person of Meta and three merge_by a person of Intel (known from earlier commits), two merge_by
# a person without a known organisation, and ten squashed merge_by GitHub, without a known person.
MERGES = [*[merge_by(0)] * 5, *[merge_by(2)] * 3, *[merge_by(3)] * 2, *[{}] * 10]
COMMITS = [
    commits_by(0, 1, "meta.com", "2022-01-01"),
    commits_by(2, 1, "intel.com", "2022-01-01"),
    commits_by(3, 1),
]


def test_influence_on_merges_is_the_backers_share_of_known_affiliations(measure):
    measurement = measure("organizational_influence_merges", COMMITS, threads=MERGES)
    assert (measurement.value, measurement.low, measurement.high) == pytest.approx(
        (5 / 8, 5 / 20, (5 + 12) / 20)
    )
    assert (measurement.n, measurement.evidence_share) == (20, pytest.approx(8 / 20))


def test_the_address_of_a_merge_and_the_company_on_github_set_the_organisation(measure):
    by_address = [*[merge_by(7, "fb.com")] * 4, *[merge_by(7)] * 2, *[{}] * 4]
    assert measure("organizational_influence_merges", COMMITS, threads=by_address).value == 1
    by_company = [*[merge_by(None, "@pytorch")] * 6, *[merge_by(None, "@intel")] * 4]
    assert measure("organizational_influence_merges", COMMITS, threads=by_company).value == pytest.approx(0.6)


def test_merges_without_known_people_are_unavailable(measure):
    assert measure("organizational_influence_merges", COMMITS, threads=[{}] * 20).status == "unavailable"
    assert measure("organizational_influence_merges", COMMITS, threads=[{}] * 20).reason == (
        "the person who merged is known for 0 of 20 change requests, but their organisation is never known"
    )
    few = measure("organizational_influence_merges", COMMITS, threads=MERGES[:9])
    assert (few.status, few.n) == ("not_applicable", 9)


def test_old_and_future_merges_and_change_requests_of_bots_do_not_count(measure):
    other = [
        {"merged_at": "2022-01-01", **merge_by(0)},
        {"merged_at": "2024-02-01", **merge_by(0)},
        {"is_bot": True, **merge_by(0)},
    ]
    assert measure("organizational_influence_merges", COMMITS, threads=[*MERGES, *other]).n == 20


def test_facts_of_git_and_github_about_one_merge_are_combined(measure, tmp_path):
    about = {"repository": "pytorch/torchtune", "kind": "change_request", "retrieved_at": AS_OF, "is_bot": False,
             "opened_at": "2023-09-01", "merged_at": "2023-10-01"}  # fmt: skip
    api_rows = [{**about, "source": "github:graphql", "number": n,
               "merged_by_organisation": "@meta-pytorch" if n > 10 else None} for n in range(1, 21)]  # fmt: skip
    writing.write_rows(tmp_path, "threads", "pytorch/torchtune", api_rows, part="github-pullrequests")
    measurement = measure("organizational_influence_merges", COMMITS, threads=MERGES)
    assert (measurement.n, measurement.value) == (20, pytest.approx(15 / 18))
    assert measurement.sources == ("github:graphql",)


def test_files_without_the_columns_of_merges_are_readable(measure, tmp_path):
    assert measure("organizational_influence_merges", COMMITS, threads=MERGES).n == 20
    file = tmp_path / "threads" / "pytorch__torchtune.parquet"
    with duckdb.connect() as db:
        old = f"SELECT * EXCLUDE (merged_by, merged_by_organisation) FROM read_parquet('{file}')"
        db.execute(f"COPY ({old}) TO '{tmp_path / 'old.parquet'}' (FORMAT parquet)")
    (tmp_path / "old.parquet").replace(file)
    with reading.open_views(reading.open_store(tmp_path), ["pytorch/torchtune"], AS_OF) as db:
        counts = db.execute("SELECT count(*), count(merged_at), count(merged_by) FROM threads").fetchone()
    assert counts == (20, 20, 0)
