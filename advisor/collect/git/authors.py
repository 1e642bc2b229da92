"""Number the people of a history, and find organisations by e-mail domain.

Other modules see people only as numbers. An organisation counts only if at least two people of the
repository use its domain, because a private domain would identify a person. A domain of a mail provider or a
community, and a person's own domain, shows no organisation.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from advisor.collect.git.clues import Identity, split_name
from advisor.collect.git.credit import Commit
from advisor.collect.git.people import merge_identities
from advisor.domain.identities import Identities, load_identities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Commit", "find_organisation_domain", "find_organisations", "number_people"]

_SECOND_LEVEL = frozenset(["ac", "co", "com", "edu", "gov", "net", "or", "org"])
_FAMILY = 3  # so many people can share a private domain


def find_organisation_domain(mail: str, identities: Identities | None = None) -> str | None:
    """Return the registrable domain of an address; None if it shows no employer or school."""
    domain = mail.rpartition("@")[2].lower().strip(">. ")
    labels = domain.split(".")
    if len(labels) < 2 or labels[-1] in {"local", "localdomain", "internal", "lan", "invalid"}:
        return None
    if not all(re.fullmatch(r"[a-z0-9-]+", label) for label in labels) or labels[-1].isdigit():
        return None
    if (identities or load_identities()).classify_domain(domain) not in {"company", "university"}:
        return None
    label_count = 3 if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-label_count:])


def number_people(commits: Sequence[Commit], identities: Identities | None = None) -> dict[Identity, int]:
    """Number the people and machines: (name, mail) → number.

    Numbers are in order of first appearance, co-authors last. `people` says which identities are one person;
    a machine is its name.

    Args:
        commits: oldest first.
        identities: the classes of authors; default: the bundled ones.
    """
    identities = identities or load_identities()
    counts = Counter((c.name, c.mail) for c in commits)
    counts.update(other for c in commits for other in c.co_authors)
    people = merge_identities({i: count for i, count in counts.items() if not identities.is_machine(*i)})
    numbers: dict[int | str, int] = {}
    return {i: numbers.setdefault(people.get(i, i[0].lower()), len(numbers)) for i in counts}


def find_organisations(
    people: Mapping[Identity, int], identities: Identities | None = None
) -> dict[str, str]:
    """Return address → domain of the organisation, for domains that two people or more use.

    An address is that of the first person who used it. A machine is no person, and a domain with the name of
    one of up to three people who use it is their own.
    """
    identities = identities or load_identities()
    users: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    domains: dict[str, str] = {}
    for (name, mail), number in people.items():
        if mail in domains or identities.is_machine(name, mail):
            continue
        if domain := find_organisation_domain(mail, identities):
            domains[mail] = domain
            users[domain][number] |= _list_labels(name, mail)
    shared_domains = {d for d, names in users.items() if len(names) > 1 and not _is_own(d, names.values())}
    return {mail: domain for mail, domain in domains.items() if domain in shared_domains}


def _list_labels(name: str, mail: str) -> set[str]:
    """Return what a private domain of a person can be called: the name, the family's name, the login."""
    words = split_name(name)
    return {"".join(words), "-".join(words), *words[-1:], mail.partition("@")[0].lower()} - {""}


def _is_own(domain: str, names: Iterable[set[str]]) -> bool:
    label, owners = domain.partition(".")[0], list(names)
    return len(owners) <= _FAMILY and any(label in labels for labels in owners)
