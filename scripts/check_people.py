"""Compare advisor's figures of people with an independent count of the same histories.

Usage: python scripts/check_people.py CLONES DAY OWNER/NAME...

CLONES is a folder of clones named OWNER__NAME or OWNER+NAME (bare or not). The independent count joins
identities by an equal address, login or full name, and has a list of machines of its own. The script prints a
Markdown table, advisor's figure first; `docs/explanation/checks.md` has the output.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from replay_truck_factor import find_clone

from advisor.collect.git import collect_history
from advisor.facts.facts_view import FactsView
from advisor.facts.reading import open_store
from advisor.measure.one_day import measure_view

MACHINE = re.compile(
    r"\[bot\]|noreply@anthropic|cursoragent|copilot|\bbot\b|renovate|openai|gemini", re.IGNORECASE
)
AGENT = re.compile(
    r"@anthropic|cursoragent|copilot|gemini-code|codex|devin-ai|jules|coderabbit|cursor\.sh", re.IGNORECASE
)
FORMAT = "%ct%x00%aN%x00%aE%x00%(trailers:key=Co-authored-by,valueonly,unfold)%x01"
METRICS = (
    "code_changes_commits",
    "contributors",
    "contributor_absence_factor",
    "top_contributor_share",
    "agent_share",
)


def count_independently(folder: Path, day: date) -> list[str]:
    """Return the figures of the year up to a day, as text."""
    command = ["git", "-C", str(folder), "-c", "mailmap.blob=HEAD:.mailmap", "log", "HEAD", "--no-merges"]
    log = subprocess.run(
        [*command, "--use-mailmap", f"--format={FORMAT}"], capture_output=True, check=True
    ).stdout
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    def join(name: str, mail: str) -> str:
        mail, words = mail.lower(), name.lower().split()
        login = re.fullmatch(r"(?:\d+\+)?([^@]+)@users\.noreply\.github\.com", mail)
        for key in ([" ".join(words)] if len(words) > 1 else []) + ([f"login {login[1]}"] if login else []):
            parent[find(key)] = find(mail)
        return mail

    year = []
    for record in log.decode("utf-8", "replace").strip("\n\x01").split("\x01"):
        time, name, mail, trailers = record.strip("\n").split("\0")
        others = re.findall(r"^\s*([^<\n]*?)\s*<([^>\n]+)>", trailers, re.MULTILINE)
        co_authors = [join(*other) for other in others if not MACHINE.search(" ".join(other))]
        key, is_person = join(name, mail), not MACHINE.search(f"{name} {mail}")
        if end - timedelta(days=365) <= datetime.fromtimestamp(int(time), UTC) < end:
            year.append((key if is_person else "", co_authors, bool(AGENT.search(name + mail + trailers))))
    commits = Counter(find(key) for key, _, _ in year if key)
    people = commits.keys() | {find(other) for _, co_authors, _ in year for other in co_authors}
    total, running, factor = commits.total(), 0, 0
    for count in sorted(commits.values(), reverse=True):
        factor += 2 * running < total
        running += count
    agents = sum(has_agent for _, _, has_agent in year) / len(year)
    top = max(commits.values()) / total
    return [f"{total}", f"{len(commits)} ({len(people)})", f"{factor}", f"{top:.3f}", f"{agents:.3f}"]


def measure(folder: Path, repository: str, day: date) -> list[str]:
    """Return advisor's figures of the year up to a day, as text."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store"
        collect_history(str(folder), store, Path(name), retrieved_on=day, repository=repository)
        values = measure_view(FactsView(open_store(store), (repository,), day))[repository]
    commits, people, factor, top, agents = (values[metric] for metric in METRICS)
    shares = [f"{m.value:.3f}" for m in (top, agents)]
    return [f"{commits.value:.0f}", f"{people.low:.0f} ({people.high:.0f})", f"{factor.value:.0f}", *shares]


def main() -> None:
    """Run the command line."""
    clones, day = Path(sys.argv[1]), date.fromisoformat(sys.argv[2])
    print("| repository | commits by people | contributors | absence factor | top share | agent share |")
    print("|---|---|---|---|---|---|")
    for repository in sys.argv[3:]:
        folder = find_clone(clones, repository)
        if folder is None:
            sys.exit(f"no clone of {repository} in {clones}")
        pairs = zip(measure(folder, repository, day), count_independently(folder, day), strict=True)
        print(f"| {repository} |", " | ".join(f"{ours}, {theirs}" for ours, theirs in pairs), "|")


if __name__ == "__main__":
    main()
