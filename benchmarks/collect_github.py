"""Compare requests, points and CPU time of advisor collect and PyGithub for one repository, in one run.

Usage: python benchmarks/collect_github.py, in the environment of the tests. Both read the fake GitHub of
the tests over loopback. The facts are totals; the dates and the first human response of 100 issues and 100
change requests; releases; a year of stars, which PyGithub cannot read. Our commits come from Git; PyGithub
lists 400 of them in 4 requests, which are added. PyGithub runs at its best: it asks for comments only where
there are some, reads all merges from one list, and does not wait between requests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from collecting import TOKEN, build_environment, serve_fake
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


def build_world(issues: int = 100, pulls: int = 100) -> FakeGitHub:
    world = World(seed=71)
    world.add("o/n", issues=issues, pulls=pulls, discussions=10, releases=10)
    return FakeGitHub(world)


def measure_cpu(arguments: list[str], env: dict[str, str]) -> float:
    """Return the CPU seconds of one process."""
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
            seconds = measure_cpu(
                ["-m", "advisor", "collect", "o/n", "--source", "github", "--store", str(home / store)],
                build_environment(url, home),
            )
            return fake.requests(), fake.points, sum(fake.charges.values()), seconds

        rows, fake = {}, build_world()
        with serve_fake(fake) as url:
            for name in ("advisor collect, first", "advisor collect, again"):
                rows[name] = collect(fake, url, "s")
        fake = build_world()
        with serve_fake(fake) as url:
            seconds = measure_cpu(["-c", PYGITHUB, url], build_environment(url, home))
        requests = fake.requests() + COMMIT_PAGES
        rows["PyGithub"] = (requests, 0, requests, seconds)
        print(
            "| reader | requests | counted | GraphQL points | CPU s | requests, ratio |\n"
            "|---|---|---|---|---|---|"
        )
        for name, (requests, points, counted, seconds) in rows.items():
            ratio = requests / rows["advisor collect, first"][0]
            print(f"| {name} | {requests} | {counted} | {points or '–'} | {seconds:.2f} | {ratio:.1f} |")
        runs = []
        for issues in (100, LARGE):
            fake = build_world(issues, 0)
            with serve_fake(fake) as url:
                runs.append(collect(fake, url, str(issues)))
        small, large = runs
        own = (large[3] - small[3]) / (large[0] - small[0]) * 1000
        print(f"\n{LARGE:,} issues: {large[0]} requests, {large[1]} points; our own CPU {own:.1f} ms a page")


if __name__ == "__main__":
    main()
