"""Read the rows of each fact table from a history, and write them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any

from advisor.collect.git.authors import find_organisations, number_people
from advisor.collect.git.change_requests import list_change_requests
from advisor.collect.git.commits import list_nonmerge_commits, read_log
from advisor.collect.git.credit import count_co_authorships, count_contributions
from advisor.collect.git.licences import read_licences
from advisor.collect.git.merge_evidence import find_merges
from advisor.collect.git.merges import find_mergers
from advisor.collect.git.quarters import list_quarter_rows
from advisor.collect.git.readme import read_statuses
from advisor.collect.git.releases import read_releases
from advisor.collect.git.request_refs import read_refs
from advisor.collect.git.taggers import read_taggers
from advisor.errors import SnapshotMissing
from advisor.facts import reading, writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from advisor.collect.git.dates import Warn
    from advisor.domain.identities import Identities


def read_tables(
    folder: Path,
    repository: str,
    retrieved_on: date,
    package: str | None,
    identities: Identities,
    changes_file: Path,
    warn: Warn,
) -> tuple[dict[str, list[dict[str, Any]]], str, int]:
    """Return the rows of each fact table, the last commit, and the number of commits without merges."""
    with ThreadPoolExecutor() as pool:  # git processes do the work
        log_future = pool.submit(read_log, folder, warn)
        refs = pool.submit(read_refs, folder, identities, warn)
        evidence = pool.submit(lambda: find_merges(folder, repository, refs.result()))
        statuses = pool.submit(read_statuses, folder, warn)
        licences, taggers = (
            pool.submit(read_licences, folder, warn),
            pool.submit(read_taggers, folder, identities),
        )
        releases = pool.submit(read_releases, folder, package, warn)
        pool.submit(import_module, "duckdb")  # import it now: it is slow and is needed below
        log = log_future.result()
    commits = list_nonmerge_commits(log, identities)
    merges = find_mergers(log, repository, evidence.result().by_hand, identities)
    # People who only merge or tag get numbers after all authors of commits.
    people = number_people([*commits, *merges.values(), *taggers.result().values()], identities)
    released_by = {tag: people[tagger.name, tagger.mail] for tag, tagger in taggers.result().items()}
    organisations = find_organisations(people, identities)
    merged_by = {number: (people[c.name, c.mail], organisations.get(c.mail)) for number, c in merges.items()}
    tables = {
        "contributions": count_contributions(commits, people, organisations),
        "co_authorships": count_co_authorships(commits, people),
        "releases": [{**r, "released_by": released_by.get(r["tag"])} for r in releases.result()],
        "threads": list_change_requests(refs.result(), evidence.result(), merged_by, retrieved_on),
        "repositories": [*statuses.result(), *licences.result()],
        "counts": list_quarter_rows(folder, commits, people, changes_file, warn),
    }
    return tables, log[0].sha, len(commits)


def write_tables(
    store: Path, name: str, tables: Mapping[str, list[dict[str, Any]]], head: str, digest: str, day: date
) -> None:
    """Replace the rows of a history in a store.

    Args:
        store: folder of fact tables.
        name: ``owner/name``.
        tables: result of `read_tables`.
        head: the last commit.
        digest: of the history, see `history_digest`.
        day: day of retrieval.
    """
    provenance = {"source": f"git:{name}@{head[:12]}", "retrieved_at": day.isoformat()}
    rows = {
        table: [{"repository": name, **r, **provenance} for r in table_rows]
        for table, table_rows in tables.items()
    }
    rows["counts"] += [r for r in _read_existing_counts(store, name) if not r["source"].startswith("git:")]
    contributions = rows.pop("contributions")
    with ThreadPoolExecutor() as pool:  # DuckDB does the work
        for future in [
            pool.submit(writing.write_rows, store, table, name, table_rows, head=head)
            for table, table_rows in rows.items()
            if table_rows or table in {"counts", "co_authorships"}
        ]:
            future.result()
    # The last one: its entry says that all facts of this history are in the store.
    writing.write_rows(
        store, "contributions", name, contributions, head=head, history=digest, read_on=day.isoformat()
    )


def _read_existing_counts(store: Path, name: str) -> list[dict[str, Any]]:
    try:
        return reading.read_rows(reading.open_store(store), "counts", name)
    except SnapshotMissing:
        return []
