"""A small store of generated facts for the tests, without network."""

from __future__ import annotations

import atexit
import hashlib
import json
import random
import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path

from advisor.facts import reading, writing

AS_OF = date(2024, 6, 1)
# The owner of the first is a backer in organisations.toml that publishes models.
NAMES = ("huggingface/lively", "mid/steady", "small/fading")
_ORIGINALS = tempfile.TemporaryDirectory(prefix="small-world-")
atexit.register(_ORIGINALS.cleanup)


def rows(shift: int = 0, seed: int = 7) -> dict[tuple[str, str], list[dict]]:
    """Return (table, repository) → rows of the three years before AS_OF, shifted by days."""
    rng = random.Random(seed)
    start, end = AS_OF - timedelta(days=1200), AS_OF
    tables: dict[tuple[str, str], list[dict]] = {}

    def day(d: date) -> str:
        return (d + timedelta(days=shift)).isoformat()

    def add(table: str, name: str, /, **row: object) -> None:
        about = {"repository": name, "source": "test", "retrieved_at": day(AS_OF)}
        tables.setdefault((table, name), []).append({**about, **row})

    for name, people, pace in zip(NAMES, (40, 12, 5), (3, 9, 30), strict=True):
        d = start
        while d <= end:
            author = min(rng.randrange(people), rng.randrange(people))
            org = ("huggingface.co", "org1", "org2", "org3")[author % 4] if author % 3 else None
            add("contributions", name, day=day(d), author=author, organisation=org, is_bot=author == 3,
                commits=rng.randrange(1, 6), agent_commits=int(author % 7 == 5))  # fmt: skip
            if author % 5 == 2:
                add("co_authorships", name, day=day(d), author=author + people, commits=1)
            d += timedelta(days=rng.randrange(1, pace + 1))
        for number in range(1, 60):
            opened_on = start + timedelta(days=number * 20)
            lasts = timedelta(days=rng.randrange(0, 60))
            is_merged = rng.random() < 0.8 and opened_on + lasts <= end
            at = f"{day(opened_on + lasts)} 12:00:00" if is_merged else None
            add("threads", name, kind="change_request", number=number, opened_at=f"{day(opened_on)} 00:00:00",
                merged_at=at, closed_at=at, is_bot=False, first_response_at=at, responses_seen=True,
                merged_by=number % 5 if number % 3 else None,
                merged_by_organisation="huggingface.co" if number % 6 == 1 else None)  # fmt: skip
        # A separate random source for issues, so that the rows of the other tables do not change.
        issue_rng = random.Random(f"{seed} issues of {name}")
        for number in range(100, 140):
            opened_on = end - timedelta(days=(number - 100) * 25)
            response_day, closing_day = (
                opened_on + timedelta(days=issue_rng.randrange(0, 40)) for _ in range(2)
            )
            add("threads", name, kind="issue", number=number, opened_at=f"{day(opened_on)} 00:00:00", is_bot=False,
                closed_at=f"{day(closing_day)} 12:00:00" if closing_day <= end and issue_rng.random() < 0.9 else None,
                first_response_at=f"{day(response_day)} 06:00:00" if response_day <= end else None,
                responses_seen=True)  # fmt: skip
        for month in range(36):
            d = day(end - timedelta(days=30 * month))
            for metric, scale in (("stars", 90), ("forks", 9), ("open_issues", 5), ("closed_issues", 30),
                                  ("downloads_30d", 900), ("truck_factor", 0.1), ("test_files", 20),
                                  ("ci_files", 1), ("funding_files", 0.1), ("governance_files", 0.2),
                                  ("advisories", 0.1), ("scorecard:Security-Policy", 0.2),
                                  ("scorecard:Dangerous-Workflow", 0.1)):  # fmt: skip
                value = max(1, round(scale * (40 - month) * people / 40))
                add("counts", name, day=d, metric=metric, value=value, definition="generated")
            add(
                "releases",
                name,
                tag=f"v1.{40 - month}",
                released_on=d,
                is_prerelease=month % 5 == 4,
                released_by=month % 3 if month % 4 else None,
            )
        for i in range(12):
            release_day = end - timedelta(days=1000 - 80 * i)
            late = rng.randrange(0, 40)
            yes = rng.random() < 0.8 or i % 5 == 0
            add("model_support", name, family=f"family{i}", vendor="Hugging Face" if i % 5 == 0 else f"vendor{i % 5}",
                family_released_on=day(release_day), known_until=day(end),
                supported_on=day(release_day + timedelta(days=late)) if yes else None)  # fmt: skip
        for table, row in _documentation_rows(name, people, end + timedelta(days=shift)):
            add(table, name, **row)
        for month, speed in enumerate((0.8, 1.1)):
            add("benchmarks", name, day=day(end - timedelta(days=200 - 30 * month)), stack="lively", version="1.0",
                figure="relative_throughput", unit="times trl", value=speed, low=speed - 0.1, high=speed + 0.1,
                setting="round A", machine="a machine")  # fmt: skip
            add("benchmarks", name, day=day(end - timedelta(days=200 - 30 * month)), stack="lively", version="1.0",
                figure="relative_peak_memory", unit="times trl", value=1.2, low=1.2, high=1.2,
                setting="round A", machine="a machine")  # fmt: skip
        last_day = end + timedelta(days=shift)
        for table, row in (*_install_rows(people, last_day), *_api_rows(last_day)):
            add(table, name, **row)
        add("repositories", name, observed_on=day(start), declared_status="active", evidence="")
        for number, licence in enumerate(("MIT", None, "Apache-2.0")):
            add("repositories", name, observed_on=day(start + timedelta(days=100 * number)), licence=licence,
                evidence_path="LICENSE", evidence_commit=f"{number:040}")  # fmt: skip
    return tables


def _documentation_rows(name, people, end):
    """Yield (table, row) of recipes and documentation, without random numbers."""
    for i in range(12):
        changed_on = str(end - timedelta(days=900 - 80 * i + 7 * people))
        yield "recipes", {"published_in": name, "path": f"examples/family{i}.yaml", "kind": "config",
                          "family": f"family{i}", "model": f"owner/family{i}", "task": "sft",
                          "method": ("full", "lora", "qlora")[i % 3], "added_on": changed_on, "changed_on": changed_on,
                          "known_until": str(end), "commit": f"{i:012}"}  # fmt: skip
    for quarter in range(8):
        totals = {"api_symbols": 40 * people, "api_docstrings": 30 * people - quarter, "api_mentions": 60,
                  "documentation_words": 900 * people - 50 * quarter, "fresh_api_mentions": 50 - quarter,
                  "code_examples": 20, "working_code_examples": 17, "getting_started_pages": 1 + people % 3,
                  "dependents": 90 * people}  # fmt: skip
        for metric, value in totals.items():
            yield "counts", {"day": str(end - timedelta(days=91 * quarter)), "metric": metric, "value": value,
                             "definition": "generated"}  # fmt: skip


def _install_rows(people, end):
    """Yield (table, row) of what an install brings, on two days."""
    for age in (300, 20):
        for number in range(people):
            yield "installs", {"day": str(end - timedelta(days=age)), "package": "lib", "version": "1.0", "python": "3.12",
                               "part": f"part{number}", "part_version": "1", "is_wheel": True, "size_bytes": 1000 * (number + age),
                               "licence": "MIT" if number % 3 else "GPL-3.0-only", "advisories": number % 2,
                               "licence_kind": "permissive" if number % 3 else "copyleft",
                               "pythons": "3.11 3.12", "systems": "linux macos"}  # fmt: skip
        yield "counts", {"day": str(end - timedelta(days=age)), "metric": "import_seconds", "value": 0.1 * people,
                         "definition": "generated"}  # fmt: skip


def _api_rows(end):
    """Yield (table, row) of the releases of a package and of its public names."""
    for number in range(12):
        released_on = str(end - timedelta(days=1200 - 100 * number))
        yield "api_releases", {"tag": f"v1.{number}", "version": f"1.{number}", "released_on": released_on,
                               "step": "minor" if number else "first", "package": "lib", "names": 10}  # fmt: skip
        gone_on = str(end - timedelta(days=900 - 100 * number)) if number % 3 else None
        yield "api_names", {"name": f"lib.name{number}", "kind": "class", "is_alias": False,
                            "added_in": f"1.{number}", "added_on": released_on,
                            "removed_in": gone_on and f"1.{number + 3}", "removed_on": gone_on}  # fmt: skip
        if number % 2:
            yield "api_changes", {"version": f"1.{number}", "released_on": released_on, "name": f"lib.old{number}",
                                  "kind": "removed", "is_alias": False, "was_deprecated": number % 3 == 0}  # fmt: skip


def fill(store, tables):
    """Write tables to a new store and open it; equal tables are written once in a process, and then copied.

    Equal rows give equal bytes, and the 40 files of a small world take a second.
    """
    content = json.dumps([[*key, table_rows] for key, table_rows in tables.items()], default=str)
    original = Path(_ORIGINALS.name, hashlib.sha256(content.encode()).hexdigest())
    if not original.is_dir():
        for (table, name), table_rows in tables.items():
            writing.write_rows(original, table, name, table_rows)
    assert not (store / "manifest.json").exists()
    shutil.copytree(original, store, dirs_exist_ok=True)
    return reading.open_store(store)
