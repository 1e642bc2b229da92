"""Requests, points and CPU for the facts of one repository: advisor collect beside PyGithub, in one run.

Usage: python benchmarks/collect_github.py, in the environment of the tests. Both read the fake GitHub of
the tests over loopback. The facts: totals, and of 100 issues and 100 change requests the dates and the
first human response; releases; a year of stars (which PyGithub cannot read). Commits come from git for
us; PyGithub lists 400 of them in 4 requests, which are added. PyGithub is used well: comments are asked
for only where there are some, merges are taken from one listing, its waits between requests are off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from collecting import TOKEN, environment, served
from fake_github import FakeGitHub, World

PYGITHUB = f"""
import sys, github
auth = github.Auth.Token("{TOKEN}")
hub = github.Github(auth=auth, base_url=sys.argv[1], seconds_between_requests=0, per_page=100)
repository = hub.get_repo("o/n")
hub.get_organization("o").is_verified
pulls = {{pull.number: pull for pull in repository.get_pulls(state="all")}}
first = {{}}
for issue in repository.get_issues(state="all"):
    replies = [(c.created_at, c.user) for c in issue.get_comments()] if issue.comments else []
    if issue.number in pulls:
        replies += [(r.submitted_at, r.user) for r in pulls[issue.number].get_reviews()]
    first[issue.number] = min((at for at, who in replies if who.login != issue.user.login), default=None)
list(repository.get_releases())
assert len(first) == 200
"""
COMMIT_PAGES = 4
LARGE = 10_000


def world(issues: int = 100, pulls: int = 100) -> FakeGitHub:
    made = World(seed=71)
    made.add("o/n", issues=issues, pulls=pulls, discussions=10, releases=10)
    return FakeGitHub(made)


def cpu(arguments: list[str], env: dict[str, str]) -> float:
    """CPU seconds of one process."""
    child = subprocess.Popen(
        [sys.executable, *arguments], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, arguments
    return used.ru_utime + used.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)

        def collect(fake: FakeGitHub, url: str, store: str) -> tuple[int, int, int, float]:
            fake.reset()
            spent = cpu(
                ["-m", "advisor", "collect", "o/n", "--source", "github", "--store", str(home / store)],
                environment(url, home),
            )
            return fake.requests(), fake.points, sum(fake.charges.values()), spent

        rows, fake = {}, world()
        with served(fake) as url:
            for name in ("advisor collect, first", "advisor collect, again"):
                rows[name] = collect(fake, url, "s")
        fake = world()
        with served(fake) as url:
            spent = cpu(["-c", PYGITHUB, url], environment(url, home))
        requests = fake.requests() + COMMIT_PAGES
        rows["PyGithub"] = (requests, 0, requests, spent)
        print(
            "| reader | requests | that cost | GraphQL points | CPU s | requests, ratio |\n"
            "|---|---|---|---|---|---|"
        )
        for name, (made, points, paid, seconds) in rows.items():
            ratio = made / rows["advisor collect, first"][0]
            print(f"| {name} | {made} | {paid} | {points or '–'} | {seconds:.2f} | {ratio:.1f} |")
        found = []
        for issues in (100, LARGE):
            fake = world(issues, 0)
            with served(fake) as url:
                found.append(collect(fake, url, str(issues)))
        small, large = found
        own = (large[3] - small[3]) / (large[0] - small[0]) * 1000
        print(f"\n{LARGE:,} issues: {large[0]} requests, {large[1]} points; our own CPU {own:.1f} ms a page")


if __name__ == "__main__":
    main()
