"""Every error that advisor raises on purpose.

AdvisorError                     exit code 1: the tool failed
├── InputError                   exit code 2: an argument or a file of the user cannot be used
│   ├── ConfigError              a domain, rule, weight or organisation file is wrong
│   └── UnknownName              a domain, candidate, goal or metric that does not exist
├── CannotWrite                  a file cannot be written: a full or read-only disk, missing rights
├── FactsError                   a fact file is missing, damaged or has another schema
│   └── SnapshotMissing          there is no snapshot at all (exit code 2)
└── CollectError                 a source could not be read
    ├── RepositoryNotFound       it does not exist, or is not visible (exit code 2)
    ├── GitFailed                git failed, or a history is incomplete
    ├── Unreachable              no valid response after all retries
    ├── Refused                  the source refused the request
    ├── Unsound                  a response does not match the source's contract
    ├── WaitTooLong              the source asks for a longer wait than the user allows
    └── BudgetSpent              the rate-limit points that the user allows are used up

Two exit codes belong to no error, because the command prints an answer: 3 (partial: some candidates could
not be ranked, or a requirement could not be checked) and 4 (nothing suitable, or a package below the score of
`rank --from FILE --fail-under SCORE`).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

EXIT_FAILURE = 1
EXIT_INPUT = 2
EXIT_PARTIAL = 3
EXIT_NOTHING_SUITABLE = 4


def describe_unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return the sentence about a name that does not exist: the nearest names, then all that exist.

    Of a name ``owner/repository``, the repository counts.
    """
    short_names = {choice: choice.rpartition("/")[2].lower() for choice in sorted(choices)}
    near = get_close_matches(name.rpartition("/")[2].lower(), short_names.values(), n=2)
    names = [choice for choice, short_name in short_names.items() if short_name in near]
    question = f" (did you mean {' or '.join(names)}?)" if names else ""
    return f"unknown {kind} {name!r}{question}; known: {', '.join(short_names) or 'none'}"


def describe_read_error(path: object, error: OSError | ValueError) -> str:
    """Return the sentence about a file that cannot be read, without codes of the system."""
    if isinstance(error, OSError):
        return f"{path} cannot be read: {(error.strerror or str(error)).lower()}"
    return f"{path}: {error}"


class AdvisorError(Exception):
    """Base of all errors raised on purpose; the message says what is wrong, where, and what to do."""

    exit_code = EXIT_FAILURE


class InputError(AdvisorError):
    """An argument or a file of the user cannot be used."""

    exit_code = EXIT_INPUT


class ConfigError(InputError):
    """A file that describes a domain, rules, weights or organisations is wrong."""


class UnknownName(InputError):
    """A name that does not exist; the message has the nearest names and a list of those that exist.

    Attributes:
        kind: what the name should be, for example ``domain``.
        name: the unknown name.
        choices: the names that exist.
    """

    def __init__(self, kind: str, name: str, choices: list[str]) -> None:
        super().__init__(describe_unknown(kind, name, choices))
        self.kind, self.name, self.choices = kind, name, choices


def find_name(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return the choice with this name, in upper or lower case.

    Raises:
        UnknownName: there is none.
    """
    names = list(choices)
    match = next((choice for choice in names if choice.lower() == name.strip().lower()), None)
    if match is None:
        raise UnknownName(kind, name, names)
    return match


class CannotWrite(AdvisorError):
    """A file cannot be written; what was written before is complete."""


class FactsError(AdvisorError):
    """A fact file is missing, damaged or has another schema."""


class SnapshotMissing(FactsError):
    """There is no snapshot in this place."""

    exit_code = EXIT_INPUT


class CollectError(AdvisorError):
    """A source of facts could not be read."""


class RepositoryNotFound(CollectError):
    """The repository does not exist or is not visible."""

    exit_code = EXIT_INPUT


class GitFailed(CollectError):
    """A git command failed; its output is not used."""


class Unreachable(CollectError):
    """A source gave no valid response after all retries; the same command resumes here later."""


class Refused(CollectError):
    """A source refused the request: missing rights, a block or a bad token."""


class Unsound(CollectError):
    """A response is too large, too deep, or has a shape that the source's contract does not have."""


class WaitTooLong(CollectError):
    """A source asks for a longer wait than the user allows; the store keeps the collected facts."""


class BudgetSpent(CollectError):
    """The rate-limit points that the user allows are used up; the store keeps the collected facts."""
