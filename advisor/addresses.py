"""Find the GitHub repository in a URL, in any form that package files use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from advisor.errors import InputError

# The hosts of GitHub; the path follows. A user before the host, and a port after it, have no effect.
_GITHUB = re.compile(
    r"(?:github:"
    r"|(?:scm:)?(?:git:)?(?:(?:git\+)?[a-z]+://)?(?:[^\s/?#@\\]*@)?"
    r"(?:(?:www\.|codeload\.|ssh\.)?github\.com|raw\.(?:githubusercontent|github)\.com"
    r"|api\.github\.com(?::\d+)?/repos(?=/))"
    r"(?::\d+/|[/:]))"
    r"(?P<owner>[a-z0-9][a-z0-9-]{0,38})/(?P<name>[\w.-]{1,100})(?=$|[/?#@:&;\s])",
    re.IGNORECASE | re.ASCII,
)
# Pages of github.com whose URLs look like repositories.
_NOT_OWNERS = frozenset({
    "about", "apps", "collections", "customer-stories", "enterprise", "explore", "features", "gist",
    "login", "marketplace", "notifications", "organizations", "orgs", "pricing", "readme", "repos", "search",
    "security", "settings", "site", "sponsors", "topics", "trending", "users",
})  # fmt: skip
_THREAD = re.compile(r"/(?:issues|pull|discussions)/\d+", re.ASCII)


def github_repository(url: str) -> str | None:
    """Return the repository (``owner/name``) in a URL; None if the URL is not a GitHub repository.

    Accepts ``https://github.com/o/n/issues``, ``git+ssh://git@github.com/o/n.git@v1``,
    ``git@github.com:o/n.git`` and npm's ``github:o/n``. Only the hosts of GitHub itself count:
    ``https://mirror.example/github.com/o/n`` is not a GitHub repository.
    """
    match = _GITHUB.match(url.strip())
    if not match or match["owner"].lower() in _NOT_OWNERS:
        return None
    name = match["name"].removesuffix(".git")
    return None if name in {"", ".", ".."} else f"{match['owner']}/{name}"


# Each expression needs linear time, also for a word of a megabyte.
_ADDRESS = re.compile(r"(?P<start>(?<=[A-Za-z0-9+.-]):/+|(?<![\w:/])//)(?P<rest>[^\s'\"<>`]+)", re.ASCII)
_USER = re.compile(r"(?<![\w@/.:+-])[\w.+-]+@(?=[\w-]+(?:\.[\w-]+)+:)")  # git@host.example:path


def remove_credentials(text: str) -> str:
    """Remove user, password, query and fragment from every address in a text.

    A password may have any character; if it is unclear where it ends, the last ``@`` is the end.
    """
    text = _ADDRESS.sub(lambda m: m["start"] + _public_part(m["rest"]), text)
    return _USER.sub("", text)


def _public_part(rest: str) -> str:
    """Return host and path of an address without its scheme."""
    host = rest.partition("/")[0]
    if "@" in host and "?" not in host and "#" not in host:
        rest = rest[host.rindex("@") + 1 :]
    else:
        before, at, after = rest.rpartition("@")
        name, colon, port = host.partition(":") if not host.startswith("[") else ("localhost", "", "")
        # A host with a port that is no number, or without a dot and with a colon later, is a user.
        is_user = (colon and not port.isdecimal()) or (
            "." not in name and name != "localhost" and ":" in before
        )
        if at and (is_user or any(c in host for c in "?#")):
            rest = after
    return re.split(r"[?#]", rest, maxsplit=1)[0]


# Labels of links, the most reliable first: PyPI's well-known labels and those of other indexes.
_LABELS = (
    "source", "sourcecode", "sourcerepo", "repository", "github", "code", "homepage", "home", "issues",
    "issuetracker", "tracker", "bugtracker", "bugs", "bugreports",
)  # fmt: skip


def repository_of_links(links: Iterable[tuple[str, str]]) -> str | None:
    """Return the repository in a package's links (label, URL); the most reliable label wins.

    A label with two different repositories is ignored, and so is a link to one issue or change request.
    None: no link with a known label leads to a GitHub repository.
    """
    by_label: dict[str, dict[str, str]] = {}
    for label, url in links:
        if not _THREAD.search(url) and (repository := github_repository(url)):
            letters = "".join(c for c in label.lower() if c.isalpha())
            by_label.setdefault(letters, {})[repository.lower()] = repository
    for label in _LABELS:
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


def check_place(place: str) -> str:
    """Check a repository that is no folder and no URL, and return it unchanged.

    Raises:
        InputError: it is not ``owner/name``; the message of what can only be a path says so.
    """
    if place.startswith(("/", ".", "~")) or place.count("/") > 1:
        problem = "is a file" if Path(place).is_file() else "does not exist"
        raise InputError(f"{place!a} {problem}: expected the folder of a clone, a URL, or owner/name")
    return check_repository(place)
