"""Facts from a git history: commits, releases, change requests, declared status, truck factor.

A remote history is cloned without file contents (blob:none) into the user's cache and fetched
incrementally; a local clone is read where it lies. One file here answers for one fact table.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any

from advisor.collect.git.authors import number_people, organisations
from advisor.collect.git.change_requests import change_requests, read_refs
from advisor.collect.git.clone import locate
from advisor.collect.git.commits import contributions, read_log, written
from advisor.collect.git.merges import mergers
from advisor.collect.git.readme import statuses
from advisor.collect.git.releases import releases
from advisor.collect.git.truck_factor import truck_factors
from advisor.errors import SnapshotMissing
from advisor.facts import reading, writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

__all__ = ["collect"]


def collect(
    where: str,
    store: Path,
    cache: Path,
    *,
    retrieved_on: date,
    repository: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """Read one history into the store, in place of what the store had from it.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        retrieved_on: the day that the rows carry.
        repository: ``owner/name`` where a local clone cannot say it.
        progress: takes lines for a person.

    Returns:
        ``owner/name``.

    Raises:
        InputError: ``where`` is no repository, URL or path.
        RepositoryNotFound: it does not exist.
        GitFailed: git ended with an error; nothing was written.
    """
    folder, name = locate(where, cache, repository, progress)
    with ThreadPoolExecutor() as pool:  # the work is done by git, in processes of its own
        logged, refs = pool.submit(read_log, folder), pool.submit(read_refs, folder)
        declared, tags = pool.submit(statuses, folder), pool.submit(releases, folder)
        pool.submit(import_module, "duckdb")  # slow to import, and needed afterwards
        log = logged.result()
    commits, changes = written(log)
    head = log[0].sha
    about = {"source": f"git:{name}@{head[:12]}", "retrieved_at": retrieved_on.isoformat()}
    merged = mergers(log)
    # Who only merges comes after all who wrote something.
    people = number_people([*commits, *merged.values()])
    known = organisations(people)
    merged_by = {number: (people[c.name, c.mail], known.get(c.mail)) for number, c in merged.items()}
    tables = {
        "contributions": contributions(commits, people, known),
        "releases": tags.result(),
        "threads": change_requests(refs.result(), log, merged_by, retrieved_on),
        "repositories": declared.result(),
        "counts": truck_factors(folder, commits, changes, people),
    }
    rows = {table: [{"repository": name, **r, **about} for r in found] for table, found in tables.items()}
    rows["counts"] += [r for r in _existing(store, name) if not r["source"].startswith("git:")]
    with ThreadPoolExecutor() as pool:  # the work is done by DuckDB
        for done in [
            pool.submit(writing.write, store, table, name, found, head=head)
            for table, found in rows.items()
            if found or table == "counts"
        ]:
            done.result()
    progress(f"{name}: {len(commits)} commits, {len(tables['threads'])} change requests")
    return name


def _existing(store: Path, name: str) -> list[dict[str, Any]]:
    try:
        return reading.read(reading.open_store(store), "counts", name)
    except SnapshotMissing:
        return []
