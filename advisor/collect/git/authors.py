"""Identify people: merge identities, detect bots, find organisations by e-mail domain.

Other modules see people only as numbers. An organisation counts only if at least two people of the
repository use its domain, because a private domain would identify a person.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOREPLY = re.compile(r"(?:\d+\+)?([^@]+)@users\.noreply\.github\.com")
BOT = re.compile(
    r"\[bot\]|^(dependabot|renovate|pre-commit-ci|github-actions|github-merge-queue|copilot|codecov"
    r"|greenkeeper|mergify|allcontributors|huggingfacedocbuilder\w*|facebook-github-bot)\b"
    r"|[-_ ]bot$|^bot[-_ ]",
    re.IGNORECASE,
)
PERSONAL_MAIL = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "ymail.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "gmx.com",
        "web.de",
        "mail.com",
        "mail.ru",
        "yandex.ru",
        "yandex.com",
        "proton.me",
        "protonmail.com",
        "pm.me",
        "tutanota.com",
        "fastmail.com",
        "hey.com",
        "zoho.com",
        "qq.com",
        "foxmail.com",
        "163.com",
        "126.com",
        "yeah.net",
        "sina.com",
        "sina.cn",
        "sohu.com",
        "naver.com",
        "daum.net",
        "hanmail.net",
        "orange.fr",
        "free.fr",
        "laposte.net",
        "t-online.de",
        "libero.it",
        "comcast.net",
        "verizon.net",
        "duck.com",
        "example.com",
        "noreply.github.com",
        "github.com",
    }
)
_SECOND_LEVEL = frozenset(["ac", "co", "com", "edu", "gov", "net", "org"])


class Commit(NamedTuple):
    """A commit with its author; ``time`` in seconds since 1970, UTC."""

    sha: str
    name: str
    mail: str
    time: int


@lru_cache(maxsize=2**16)
def is_bot(name: str, mail: str) -> bool:
    """Return whether a name or an e-mail address belongs to a bot."""
    return bool(BOT.search(name) or BOT.search(mail.partition("@")[0]))


def find_organisation_domain(mail: str) -> str | None:
    """Return the registrable domain of an address; None for personal, noreply and local addresses."""
    domain = mail.rpartition("@")[2].lower().strip(">. ")
    if domain.endswith("users.noreply.github.com") or domain in PERSONAL_MAIL:
        return None
    labels = domain.split(".")
    if len(labels) < 2 or labels[-1] in {"local", "localdomain", "internal", "lan", "invalid"}:
        return None
    if not all(re.fullmatch(r"[a-z0-9-]+", label) for label in labels) or labels[-1].isdigit():
        return None
    label_count = 3 if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    registrable = ".".join(labels[-label_count:])
    return None if registrable in PERSONAL_MAIL else registrable


def number_people(commits: Sequence[Commit]) -> dict[tuple[str, str], int]:
    """Number people in order of first appearance: (name, mail) → number.

    Two identities are the same person if they share an address, a noreply login, or a full name of
    two words or more.

    Args:
        commits: oldest first.
    """
    parent: dict[str, str] = {}

    def find_root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    identities = dict.fromkeys((c.name, c.mail) for c in commits)
    for name, mail in identities:
        mail_key = "mail:" + mail.lower()
        keys = [mail_key]
        if login := NOREPLY.fullmatch(mail.lower()):
            keys.append("login:" + login[1])
        elif len(name.split()) < 2:  # a single-word name is often the login
            keys.append("login:" + name.lower())
        if len(name.split()) >= 2:
            keys.append("name:" + " ".join(name.lower().split()))
        for key in keys[1:]:
            parent[find_root(key)] = find_root(mail_key)
    numbers: dict[str, int] = {}
    return {
        (name, mail): numbers.setdefault(find_root("mail:" + mail.lower()), len(numbers))
        for name, mail in identities
    }


def find_organisations(people: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """Return address → domain of the organisation, for domains that two people or more use."""
    users: dict[str, set[int]] = defaultdict(set)
    domains: dict[str, str] = {}
    for (_, mail), number in people.items():
        if domain := find_organisation_domain(mail):
            domains[mail] = domain
            users[domain].add(number)
    return {mail: d for mail, d in domains.items() if len(users[d]) > 1}
