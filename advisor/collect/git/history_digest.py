"""Recognise a history that was read before and has not changed since, so that it is left alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.collect.git.command import run_git
from advisor.domain.files import data_folder
from advisor.errors import FactsError
from advisor.facts import reading, writing
from advisor.facts.store import file_path

if TYPE_CHECKING:
    from datetime import date

# Besides the history, all facts depend on the code of this folder and on the code and lists that it reads.
_LISTS = ("vendored.toml", "practices.toml", "licences.toml", "merges.toml", "tags.toml")


def compute_digest(folder: Path, settings: str) -> str:
    """Return a hash of a history's refs and of the code, lists and settings that read it.

    Raises:
        GitFailed: git failed.
    """
    digest = hashlib.sha256(settings.encode())
    digest.update((folder / "HEAD").read_bytes())
    digest.update(run_git(folder, "for-each-ref", "--format=%(refname) %(objectname)").encode())
    here, data = Path(__file__), data_folder()
    code = [*sorted(here.parent.glob("*.py")), here.parents[2] / "domain" / "identities.py"]
    lists = [*(data / name for name in _LISTS), *sorted((data / "identities").glob("*.t*"))]
    for file in (*code, *lists):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def renew_facts(store: Path, repository: str, digest: str, day: date) -> bool:
    """Return whether a store has sound facts of exactly this history; then set their day of retrieval.

    A day before the one in the store changes nothing.

    Args:
        store: folder of fact tables.
        repository: ``owner/name``.
        digest: result of `compute_digest`.
        day: day of this reading.
    """
    try:
        facts = reading.open_store(store, may_lack_days=True)
    except FactsError:
        return False
    entry = facts.manifest["files"].get(file_path("contributions", repository), {})
    if entry.get("history") != digest or reading.verify_files(facts, [repository]):
        return False
    if day.isoformat() <= entry["read_on"]:
        return True
    return writing.renew_rows(store, repository, day)
