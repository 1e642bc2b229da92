"""Collect facts from a git history: commits, releases, requests, status, licences, files.

A remote history is cloned without file contents (blob:none) into the user's cache and fetched
incrementally; a local clone is read in place, without its configuration. A file of this folder produces one
fact table, or reads what several need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.collect.git.clone import open_history
from advisor.collect.git.dates import Warn, ignore
from advisor.collect.git.history_digest import compute_digest, renew_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

__all__ = ["collect_history"]


def collect_history(
    where: str,
    store: Path,
    cache: Path,
    *,
    retrieved_on: date,
    repository: str | None = None,
    patterns: Sequence[Mapping[str, Any]] = (),
    package: str | None = None,
    progress: Callable[[str], None] = ignore,
    warn: Warn = ignore,
) -> str:
    """Read one history and replace the store's rows from it; leave them alone if nothing has changed.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        retrieved_on: retrieval day of the rows.
        repository: ``owner/name``, for a local clone without a remote.
        patterns: the entries ``identities`` of a domain file; the bundled ones come after them.
        package: its package of interest; if tags name it, the releases are those of this package only.
        progress: receives progress lines for a person.
        warn: receives sentences about facts that had to be left out or estimated.

    Returns:
        ``owner/name``.

    Raises:
        InputError: ``where`` is not a repository, URL or path.
        ConfigError: a pattern is invalid.
        RepositoryNotFound: the repository does not exist.
        GitFailed: git failed; nothing was written.
    """
    with open_history(where, cache, repository, progress) as (folder, name):

        def tell(sentence: str) -> None:
            warn(f"{name}: {sentence}")

        digest = compute_digest(folder, f"{package} {patterns!r}")
        if renew_facts(store, name, digest, retrieved_on):
            progress(f"{name}: nothing new")
            return name
        # An unchanged history needs none of these.
        from advisor.collect.git.tables import read_tables, write_tables
        from advisor.domain.identities import load_identities, parse_patterns

        identities = load_identities(parse_patterns(patterns))
        changes_file = cache / f"{name.replace('/', '__')}.changes"
        tables, head, commit_count = read_tables(
            folder, name, retrieved_on, package, identities, changes_file, tell
        )
    write_tables(store, name, tables, head, digest, retrieved_on)
    progress(f"{name}: {commit_count} commits, {len(tables['threads'])} change requests")
    return name
