"""Compare acceptance and releases of public histories with a count by plain git commands.

Usage: python scripts/check_histories.py CLONES [OWNER/NAME…]; default: six repositories

CLONES is a folder of clones named OWNER__NAME or OWNER+NAME with the refs of change requests (`git clone --mirror`).
The count shares no code with advisor: `git rev-list`, `git cherry` (git's own comparison of patches) and simple
expressions over the messages find what was taken, a simple expression over the tags finds releases. The year ends
on the day of the last commit. The script prints a Markdown table; `docs/explanation/checks.md` has the output.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from advisor.collect.git import collect_history
from advisor.facts.facts_view import FactsView
from advisor.facts.reading import open_store
from advisor.measure.one_day import measure_view
from advisor.metrics import METRICS

REPOSITORIES = (
    "clap-rs/clap", "emotion-js/emotion", "libuv/libuv", "sharkdp/bat", "spf13/cobra", "tqdm/tqdm",
)  # fmt: skip
NAMES = ("change_request_acceptance_ratio", "release_frequency")
NOT_FINAL = re.compile(
    r"alpha|beta|rc|pre|dev|next|canary|snapshot|nightly|milestone|\d[ab]\d", re.IGNORECASE
)


def git(folder: Path, *arguments: str) -> str:
    """Return the output of git, with dates in UTC; "" if it fails."""
    command = ["git", "-C", str(folder), *arguments]
    run = subprocess.run(
        command, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin", "TZ": "UTC"}
    )
    return run.stdout.decode("utf-8", "replace")


def count_release_days(folder: Path, as_of: date) -> int:
    """Count the days of the last year with a tag that has a version and no word of a pre-release."""
    tags = git(folder, "for-each-ref", "--format=%(creatordate:short-local) %(refname:lstrip=2)", "refs/tags")
    days = set()
    for line in tags.splitlines():
        day, _, tag = line.partition(" ")
        version = re.search(r"(?:^|[^0-9.])v?(\d+[._]\d.*)$|^v\d+$", tag)
        if day and version and not NOT_FINAL.search(version[0]):
            days.add(date.fromisoformat(day))
    return sum(as_of - timedelta(days=365) < day <= as_of for day in days)


def count_taken(folder: Path, as_of: date) -> tuple[int, int]:
    """Return how many change requests of people were taken, and how many there were (head in the last year)."""
    log = git(folder, "log", "--format=%x01%H%x02%ae%x02%B", "HEAD", "--branches").split("\x01")[1:]
    commits = [entry.split("\x02", 2) for entry in log]
    ancestors = set(git(folder, "rev-list", "HEAD").split())
    named: set[int] = set()
    closed: set[tuple[int, str]] = set()
    for _, mail, message in commits:
        subject = message.partition("\n")[0]
        if match := re.search(
            r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)|^Merge #(\d+)|^Auto merge of #(\d+)", subject
        ):
            named.add(int(next(filter(None, match.groups()))))
        for match in re.finditer(
            r"(?i)(?:\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):? #|^PR-URL:.*/pull/)(\d+)",
            message,
            re.MULTILINE,
        ):
            closed.add((int(match[1]), mail.lower()))
    form = (
        "--format=%(committerdate:unix) %(objectname) %(refname:lstrip=2) %(authoremail:trim) %(authorname)"
    )
    taken = total = 0
    for line in git(folder, "for-each-ref", form, "refs/pull/*/head").splitlines():
        time, sha, ref, mail, author = line.split(" ", 4)
        day = datetime.fromtimestamp(int(time), UTC).date()
        if not as_of - timedelta(days=365) < day <= as_of - timedelta(days=30) or "[bot]" in author:
            continue
        number, total = int(ref.partition("/")[0]), total + 1
        if sha in ancestors or number in named or (number, mail.lower()) in closed:
            taken += 1
        else:
            commits_of_branch = git(folder, "cherry", "HEAD", sha).splitlines()
            taken += bool(commits_of_branch) and all(line.startswith("-") for line in commits_of_branch)
    return taken, total


def find_clone(clones: Path, repository: str) -> Path:
    """Return the clone of a repository in ``clones``."""
    owner, name = repository.split("/")
    folders = (clones / f"{owner}{sign}{name}" / rest for sign in ("__", "+") for rest in ("repo", "."))
    return next(f for f in folders if f.is_dir())


def main() -> int:
    """Run the command line; the exit code is the number of figures that are outside our bounds."""
    clones, outside = Path(sys.argv[1]), 0
    print(
        "| repository | year to | counted | share | ours | days with releases | ours |\n|---|---|---|---|---|---|---|"
    )
    for repository in sys.argv[2:] or REPOSITORIES:
        folder = find_clone(clones, repository)
        as_of = date.fromisoformat(
            git(folder, "log", "-1", "--format=%cd", "--date=short-local", "HEAD").strip()
        )
        with tempfile.TemporaryDirectory() as work:
            store = Path(work, "store")
            collect_history(str(folder), store, Path(work), retrieved_on=as_of, repository=repository)
            view = FactsView(open_store(store), (repository,), as_of)
            ours = measure_view(view, {name: METRICS[name] for name in NAMES})[repository]
        acceptance, releases = (ours[name] for name in NAMES)
        taken, total = count_taken(folder, as_of)
        days, share = count_release_days(folder, as_of), taken / total
        bounds = "unknown"
        if acceptance.low is not None and acceptance.high is not None:
            outside += not acceptance.low <= share <= acceptance.high
            bounds = f"{acceptance.value:.1%} [{acceptance.low:.1%}–{acceptance.high:.1%}] of {acceptance.n}"
        outside += releases.value != days
        print(
            f"| {repository} | {as_of} | {taken} of {total} | {share:.1%} | {bounds} | {days} | {releases.value:g} |",
            flush=True,
        )
    return outside


if __name__ == "__main__":
    sys.exit(main())
