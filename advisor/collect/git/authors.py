"""Who is who: identities merged, bots told apart, organisations from e-mail domains. Both rules stand here.

People leave this module as numbers. An organisation is kept only where at least two people of the
repository share its domain: a domain of one's own would name a person.
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
    """One commit as the log prints it; ``time`` in seconds since 1970, UTC."""

    sha: str
    name: str
    mail: str
    time: int


@lru_cache(maxsize=2**16)
def is_bot(name: str, mail: str) -> bool:
    """Whether a name or an address is a machine's."""
    return bool(BOT.search(name) or BOT.search(mail.partition("@")[0]))


def domain_of(mail: str) -> str | None:
    """The registrable domain of an address; None for personal, noreply and local ones."""
    domain = mail.rpartition("@")[2].lower().strip(">. ")
    if domain.endswith("users.noreply.github.com") or domain in PERSONAL_MAIL:
        return None
    labels = domain.split(".")
    if len(labels) < 2 or labels[-1] in {"local", "localdomain", "internal", "lan", "invalid"}:
        return None
    if not all(re.fullmatch(r"[a-z0-9-]+", label) for label in labels) or labels[-1].isdigit():
        return None
    keep = 3 if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    kept = ".".join(labels[-keep:])
    return None if kept in PERSONAL_MAIL else kept


def number_people(commits: Sequence[Commit]) -> dict[tuple[str, str], int]:
    """(name, mail) → number of the person, by order of first appearance.

    Two identities are one person if they share an address, a noreply login, or a full name of at
    least two words.

    Args:
        commits: oldest first.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
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
        elif len(name.split()) < 2:  # a single word in a name is often the login
            keys.append("login:" + name.lower())
        if len(name.split()) >= 2:
            keys.append("name:" + " ".join(name.lower().split()))
        for key in keys[1:]:
            parent[root(key)] = root(mail_key)
    numbers: dict[str, int] = {}
    return {
        (name, mail): numbers.setdefault(root("mail:" + mail.lower()), len(numbers))
        for name, mail in identities
    }


def organisations(people: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """Address → organisation's domain, for domains that at least two people use."""
    users: dict[str, set[int]] = defaultdict(set)
    domains: dict[str, str] = {}
    for (_, mail), number in people.items():
        if domain := domain_of(mail):
            domains[mail] = domain
            users[domain].add(number)
    return {mail: d for mail, d in domains.items() if len(users[d]) > 1}
