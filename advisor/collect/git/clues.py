"""What the name and the address of a commit say about the person behind them."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from advisor.domain.files import data_folder
from advisor.domain.identities import NOREPLY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Identity = tuple[str, str]
"""The name and the address of an author."""

# Names and local parts of addresses of machines that nobody configured, of roles, and of examples.
GENERIC = frozenset({
    "admin", "administrator", "anonymous", "author", "code", "contact", "debian", "dev", "developer",
    "developers", "docker", "email", "example", "first last", "git", "github", "gitlab", "hello", "home",
    "info", "jane doe", "john doe", "localhost", "mail", "mailbox", "my name", "name", "no name",
    "no-reply", "nobody", "none", "noreply", "null", "office", "opensource", "owner", "root", "root user",
    "runner", "support", "system", "team", "test", "test user", "ubuntu", "ubuntu user", "undefined",
    "unknown", "unknown author", "unknown unknown", "user", "username", "vagrant", "vscode", "webmaster",
    "work", "your name", "your username",
})  # fmt: skip
_NOBODY = frozenset({
    "anonymous", "example", "localhost", "no-reply", "nobody", "none", "noreply", "null", "root", "runner",
    "test", "ubuntu", "undefined", "unknown", "user", "username", "vagrant", "vscode", "you",
})  # fmt: skip
_ASIDE = re.compile(r"\([^()]*\)|\"[^\"]*\"|\[[^\[\]]*\]|\s'[^']+'(?=\s)|[,;\"]|\svia\s.*", re.DOTALL)
_PUBLIC_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]+")
_PRIVATE_HOST = re.compile(
    r"(?:.*\.)?(?:local|localdomain|localhost|internal|lan|home|invalid|example\.(?:com|org|net))"
)
_DISTINCT = re.compile(r"[\d_]|[a-z][A-Z]|^[a-z.]+[-.][a-z.-]+$")
_LONG = 6  # a token of so many letters that is no word for a role and no first name
_VERY_LONG = 8  # a name of so many letters that is no first name is a handle by itself


class Clues(NamedTuple):
    """Clues to a person; "" where an identity has none.

    Attributes:
        account: number of the GitHub account, or its login if no address gives the number.
        login: the login of the account.
        mail: an address that can be somebody's, other than that of an account.
        local: the part of any address before ``+`` and ``@``.
        full_name: a name of several words, in order of the alphabet, without accents and initials.
        word: a name of one word that can be a handle.
        words: the words of any name but a generic one.
    """

    account: str
    login: str
    mail: str
    local: str
    full_name: str
    word: str
    words: tuple[str, ...]

    def tokens(self) -> set[str]:
        """Return the texts that can be a handle: login, name, address."""
        return {squeeze(text) for text in (self.login, self.word, self.local, "".join(self.words))}


def read_clues(identities: Iterable[Identity]) -> list[Clues]:
    """Return the clues of each identity."""
    addresses = [mail.lower().strip(" \t<>@.,;'") for _, mail in identities]
    numbers: dict[str, str] = {}
    for mail in addresses:
        if (account := NOREPLY.fullmatch(mail)) and account[1]:
            numbers[account[2]] = account[1]
    return [_read(name, mail, numbers) for (name, _), mail in zip(identities, addresses, strict=True)]


def _read(name: str, mail: str, numbers: Mapping[str, str]) -> Clues:
    account = NOREPLY.fullmatch(mail)
    login = account[2] if account else ""
    number = (account[1] or numbers.get(login, login)) if account else ""
    local = "" if account else mail.rpartition("@")[0].partition("+")[0]
    local = "" if local in GENERIC else local
    mail = "" if account or not is_address(mail) else mail
    words = split_name(name)
    is_name = len(words) > 1 or any(map(_is_ideograph, name))
    long_words = [word for word in words if len(word) > 1]
    full_name = " ".join(sorted(long_words if len(long_words) > 1 else words)) if is_name else ""
    word = "" if is_name or not words else words[0]
    return Clues(number, login, mail, local, full_name, word, words)


def split_name(name: str) -> tuple[str, ...]:
    """Return the words of a name without accents and additions in brackets; () for a generic name."""
    letters = unicodedata.normalize("NFKD", _ASIDE.sub(" ", name))
    text = "".join(c for c in letters if not unicodedata.combining(c)).casefold()
    words = tuple(word.strip(".'`") for word in text.split())
    words = tuple(word for word in words if word)
    return () if " ".join(words) in GENERIC or "@" in text else words


def _is_ideograph(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(("CJK", "HANGUL"))


def is_address(mail: str) -> bool:
    """Return whether one person can have this address: it has a public host, and names no role or machine."""
    local, _, host = mail.rpartition("@")
    if not local or not _PUBLIC_HOST.fullmatch(host) or _PRIVATE_HOST.fullmatch(host):
        return False
    return local not in _NOBODY and not host.startswith(("github.", "gitlab."))


def look_alike(one: Clues, other: Clues) -> bool:
    """Return whether two names can be of one person: they share a word, or one is in the other."""
    if not one.words or not other.words:
        return True
    if one.words[0].isascii() != other.words[0].isascii():
        return True  # two scripts
    if {w for w in one.words if len(w) > 2} & set(other.words):
        return True
    texts = ["".join(one.words), "".join(other.words)]
    return any(
        len(word) > 2 and (word in text or text in word)
        for clues, text in ((one, texts[1]), (other, texts[0]))
        for word in (*clues.words, "".join(clues.words))
    )


def find_handles(identities: Iterable[Identity], clues: Sequence[Clues]) -> set[str]:
    """Return the names of one word that only one person has.

    A first name is none: neither a common one, nor one that begins a full name of this history. Another
    word is a handle if it is long, or has a digit, a sign or a capital inside, or if it is a login, or the
    local part of its author's address.
    """
    excluded = GENERIC | read_first_names() | {c.words[0] for c in clues if c.full_name}
    logins = {c.login for c in clues if c.login}

    def is_handle(name: str, c: Clues) -> bool:
        is_own = c.word in logins or c.local == c.word
        is_rare = len(c.word) >= _VERY_LONG or bool(_DISTINCT.search(name.strip()))
        return len(c.word) > 2 and (is_own or is_rare) and not set(c.word.split("-")) <= excluded

    return {c.word for (name, _), c in zip(identities, clues, strict=True) if is_handle(name, c)}


def find_clear_tokens(clues: Sequence[Clues], handles: Collection[str]) -> tuple[set[str], set[str]]:
    """Return the tokens that name one person wherever they stand, and those that do so beside a like name.

    The first are logins, handles and full names, the others the local parts of addresses. Each is long or has
    a digit, and is no first name.
    """
    excluded = GENERIC | read_first_names() | {word for c in clues if c.full_name for word in c.words}

    def select(texts: Iterable[str]) -> set[str]:
        tokens = {squeeze(text) for text in texts if not set(text.split("-")) <= excluded} - excluded
        return {t for t in tokens if len(t) >= _LONG or (len(t) > 3 and re.search(r"\d", t))}

    full_names = ("".join(c.words) for c in clues if c.full_name)
    return select([*(c.login for c in clues), *handles, *full_names]), select(c.local for c in clues)


def squeeze(text: str) -> str:
    """Return a login or a local part without the signs that people put between words."""
    return re.sub(r"[-_.]", "", text)


@cache
def read_first_names() -> frozenset[str]:
    """Read the common first names, in lower case."""
    text = (data_folder() / "identities" / "first_names.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return frozenset(" ".join(lines).split())
