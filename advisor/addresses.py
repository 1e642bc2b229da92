"""Which repository on GitHub a URL means, in any of the ways in which package files write one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from advisor.errors import InputError

_GITHUB = re.compile(
    r"(?:^github:|github\.com[/:])(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[A-Za-z0-9._-]{1,100})",
    re.IGNORECASE,
)
# Pages of github.com that are no repositories, though they look like one.
_NO_OWNER = frozenset({"sponsors", "orgs", "users", "apps", "marketplace", "features", "about", "topics"})


def github_repository(url: str) -> str | None:
    """``owner/name`` of the repository that a URL leads into; None if it is none of GitHub's.

    Takes ``https://github.com/o/n/issues``, ``git+ssh://git@github.com/o/n.git@v1``,
    ``git@github.com:o/n.git`` and npm's ``github:o/n``.
    """
    found = _GITHUB.search(url)
    if not found or found["owner"].lower() in _NO_OWNER:
        return None
    name = found["name"].removesuffix(".git")
    return None if name in {"", ".", ".."} else f"{found['owner']}/{name}"


# The labels of links, the surest first: PyPI's well-known ones, and what other indexes call them.
_LABELS = ("source", "sourcecode", "sourcerepo", "repository", "github", "code", "homepage")


def repository_of_links(links: Iterable[tuple[str, str]]) -> str | None:
    """The repository that a package's links (label, URL) lead to, the surest label first.

    A label under which two repositories stand says nothing; None: none of them leads to GitHub.
    """
    by_label: dict[str, dict[str, str]] = {}
    for label, url in links:
        if found := github_repository(url):
            plain = "".join(c for c in label.lower() if c.isalpha())
            by_label.setdefault(plain, {})[found.lower()] = found
    for label in dict.fromkeys((*_LABELS, *by_label)):
        named = by_label.get(label, {})
        if len(named) == 1:
            return next(iter(named.values()))
    return None


_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def check_repository(name: str) -> str:
    """Return ``owner/name`` unchanged.

    Raises:
        InputError: it is not the name of a repository (letters, digits, ``-``, ``_``, ``.``).
    """
    if not _REPOSITORY.fullmatch(name) or name.split("/")[1] in {".", ".."}:
        raise InputError(f"{name!r} is not a repository name; write it as owner/name")
    return name
