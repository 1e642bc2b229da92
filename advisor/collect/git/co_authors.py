"""Read the co-authors of commits: the trailers ``Co-authored-by: NAME <ADDRESS>``, as GitHub does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from advisor.collect.git.command import run_git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from advisor.collect.git.clues import Identity

_CONTACT = re.compile(r"([^<>\n]*)<\s*([^<>\s]+)\s*>")
MOST_CO_AUTHORS = 1000
"""More co-authors of one commit are no co-authors: a message can have any number of lines."""


def parse_co_authors(trailers: str) -> tuple[Identity, ...]:
    """Return the different co-authors in the values of trailers, one a line; each has an address."""
    matches = (_CONTACT.match(line) for line in trailers.split("\n"))
    contacts = dict.fromkeys((match[1].strip(), match[2]) for match in matches if match)
    return tuple(contacts)[:MOST_CO_AUTHORS]


def map_contacts(folder: Path, mailmap: str, contacts: Sequence[Identity]) -> dict[Identity, Identity]:
    """Return contact → the name and address that a mailmap gives it, as ``git log`` does for authors.

    Args:
        folder: the git directory.
        mailmap: the blob of the mailmap, or "".
        contacts: names and addresses, each once.
    """
    if not mailmap or not contacts:
        return {}
    lines = "".join(f"{name} <{mail}>\n" for name, mail in contacts)
    output = run_git(folder, "-c", f"mailmap.blob={mailmap}", "check-mailmap", "--stdin", stdin=lines)
    new_contacts = map(parse_co_authors, output.split("\n")[: len(contacts)])
    return {contact: new[0] for contact, new in zip(contacts, new_contacts, strict=True) if new}
