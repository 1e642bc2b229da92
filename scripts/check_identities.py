"""Compare the people that advisor finds in public histories with groups that were checked by hand.

Usage: python scripts/check_identities.py CLONES

CLONES is a folder of clones named OWNER__NAME or OWNER+NAME (bare or not). `identity_groups.csv` has the
groups: the identities of a sample of clusters, each cluster with all identities that share an address, a name,
a login, the local part of an address, or the surname and the first initial. An identity is a hash of its name
and address. Clusters that a person cannot decide were left out. A mailmap is not applied. The script counts
pairs of identities within a cluster and prints a Markdown table; `docs/explanation/checks.md` has the output.
"""

from __future__ import annotations

import csv
import hashlib
import sys
import tempfile
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

from replay_truck_factor import find_clone

from advisor.collect.git.command import run_git
from advisor.collect.git.local_clone import open_local_clone
from advisor.collect.git.people import merge_identities
from advisor.domain.identities import load_identities

GROUPS = Path(__file__).parent / "identity_groups.csv"
SALT = "advisor: identities checked by hand"
PRECISION, RECALL = 0.99, 0.95


def hash_identity(name: str, mail: str) -> str:
    """Return the hash of a name and an address."""
    return hashlib.sha256(f"{SALT}\0{name}\0{mail}".encode()).hexdigest()[:16]


def read_groups() -> dict[str, dict[str, list[tuple[str, str]]]]:
    """Return history → cluster → (person, hash) of each identity."""
    groups: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    with GROUPS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            groups[row["history"]][row["cluster"]].append((row["person"], row["identity"]))
    return groups


def number_identities(clone: Path) -> dict[str, int]:
    """Return hash of an identity → number of the person, for the people of a history."""
    lines = run_git(clone, "log", "HEAD", "--no-use-mailmap", "--format=%an%x00%ae").split("\n")
    authors = Counter((name, mail) for name, sign, mail in (line.partition("\0") for line in lines) if sign)
    identities = load_identities()
    people = merge_identities({a: count for a, count in authors.items() if not identities.is_machine(*a)})
    return {hash_identity(*author): number for author, number in people.items()}


def main() -> int:
    """Run the command line; the exit code is 1 if a goal is missed or a clone is missing."""
    clones, totals, missing = Path(sys.argv[1]), Counter[str](), 0
    print("| history | clusters | right pairs | wrong pairs | missed pairs |\n|---|---|---|---|---|")
    for history, clusters in read_groups().items():
        folder = find_clone(clones, history)
        if folder is None:
            print(f"| `{history}` | no clone | ? | ? | ? |")
            missing += 1
            continue
        with tempfile.TemporaryDirectory() as cache, open_local_clone(folder, Path(cache)) as clone:
            numbers = number_identities(clone)
        counts: Counter[str] = Counter()
        for members in clusters.values():
            for (person, one), (other_person, other) in combinations(members, 2):
                is_joined = numbers[one] == numbers[other]
                if is_joined or person == other_person:
                    is_right = is_joined and person == other_person
                    counts["right" if is_right else "wrong" if is_joined else "missed"] += 1
        totals += counts
        totals["clusters"] += len(clusters)
        print(
            f"| `{history}` | {len(clusters)} | {counts['right']} | {counts['wrong']} | {counts['missed']} |"
        )
    right, wrong, missed = totals["right"], totals["wrong"], totals["missed"]
    print(f"| all | {totals['clusters']} | {right} | {wrong} | {missed} |")
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    print(f"\nprecision {precision:.1%}, recall {recall:.1%}")
    return int(missing > 0 or precision < PRECISION or recall < RECALL)


if __name__ == "__main__":
    sys.exit(main())
