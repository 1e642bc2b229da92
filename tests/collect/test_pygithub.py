"""PyGithub reads the same GitHub through REST, one thread at a time, and finds the same facts."""

from __future__ import annotations

import github
from collecting import TOKEN, collect, read_all_facts, read_threads, serve_fake
from fake_github import FakeGitHub, World


def test_pygithub_finds_the_same_facts(tmp_path):
    world = World(seed=61)
    world.add("o/n", issues=25, pulls=15, discussions=0, releases=6)
    fake = FakeGitHub(world)
    collect(fake, tmp_path, ["o/n"])
    ours, rows = read_threads(tmp_path, "o/n"), read_all_facts(tmp_path)
    with serve_fake(fake) as url:
        client = github.Github(
            auth=github.Auth.Token(TOKEN), base_url=url, seconds_between_requests=0, retry=None
        )
        repository = client.get_repo("o/n")
        threads = list(repository.get_issues(state="all"))
        assert {i.number for i in threads} == set(ours)
        counts = {r["metric"]: r["value"] for r in rows["counts/o__n@github.parquet"]}
        issues = [i for i in threads if i.pull_request is None]
        assert counts["open_issues"] == sum(i.state == "open" for i in issues)
        assert counts["closed_issues"] == sum(i.state == "closed" for i in issues)
        assert (counts["stars"], counts["forks"]) == (repository.stargazers_count, repository.forks_count)
        tags = {
            (r["tag"], str(r["released_on"]), r["is_prerelease"])
            for r in rows["releases/o__n@github-releases.parquet"]
        }
        assert tags == {
            (r.tag_name, str(r.published_at.date()), r.prerelease) for r in repository.get_releases()
        }
        for issue in threads:
            row = ours[issue.number]
            assert row["opened_at"] == issue.created_at.replace(tzinfo=None)
            assert row["closed_at"] == (issue.closed_at and issue.closed_at.replace(tzinfo=None))
            assert row["author_association"] == issue.raw_data["author_association"]
            replies = [(c.created_at, c.user) for c in issue.get_comments()]
            if issue.pull_request is not None:
                pull = repository.get_pull(issue.number)
                assert row["merged_at"] == (pull.merged_at and pull.merged_at.replace(tzinfo=None))
                replies += [(r.submitted_at, r.user) for r in pull.get_reviews()]
            human = [at for at, who in replies if who.login != issue.user.login and who.type != "Bot"]
            assert row["first_response_at"] == (min(human).replace(tzinfo=None) if human else None)
            assert row["is_bot"] == (issue.user.type == "Bot")
