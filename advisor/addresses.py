"""Find the GitHub repository in a URL, in any form that package files use."""

from __future__ import annotations

import re
from collections.abc import Iterable

from advisor.errors import InputError

_GITHUB = re.compile(
    r"(?:^github:|github\.com[/:])(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[A-Za-z0-9._-]{1,100})",
    re.IGNORECASE,
)
# Pages of github.com whose URLs look like repositories.
_NOT_OWNERS = frozenset({"sponsors", "orgs", "users", "apps", "marketplace", "features", "about", "topics"})


def github_repository(url: str) -> str | None:
    """Return the repository (``owner/name``) in a URL; None if the URL is not a GitHub repository.

    Accepts ``https://github.com/o/n/issues``, ``git+ssh://git@github.com/o/n.git@v1``,
    ``git@github.com:o/n.git`` and npm's ``github:o/n``.
    """
    match = _GITHUB.search(url)
    if not match or match["owner"].lower() in _NOT_OWNERS:
        return None
    name = match["name"].removesuffix(".git")
    return None if name in {"", ".", ".."} else f"{match['owner']}/{name}"


# Labels of links, the most reliable first: PyPI's well-known labels and those of other indexes.
_LABELS = ("source", "sourcecode", "sourcerepo", "repository", "github", "code", "homepage")


def repository_of_links(links: Iterable[tuple[str, str]]) -> str | None:
    """Return the repository in a package's links (label, URL); the most reliable label wins.

    A label with two different repositories is ignored. None: no link leads to a GitHub repository.
    """
    by_label: dict[str, dict[str, str]] = {}
    for label, url in links:
        if repository := github_repository(url):
            letters = "".join(c for c in label.lower() if c.isalpha())
            by_label.setdefault(letters, {})[repository.lower()] = repository
    for label in dict.fromkeys((*_LABELS, *by_label)):
        repositories = by_label.get(label, {})
        if len(repositories) == 1:
            return next(iter(repositories.values()))
    return None


_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def check_repository(name: str) -> str:
    """Check the name of a repository and return it unchanged.

    Raises:
        InputError: it is not ``owner/name`` (letters, digits, ``-``, ``_``, ``.``).
    """
    if not _REPOSITORY.fullmatch(name) or name.split("/")[1] in {".", ".."}:
        raise InputError(f"invalid repository name {name!r}: expected owner/name")
    return name
