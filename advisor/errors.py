"""Every error that advisor raises on purpose.

AdvisorError                     exit code 1: the tool failed
├── InputError                   exit code 2: what the user gave cannot be used
│   ├── ConfigError              a domain, rule, weight or organisation file is wrong
│   └── UnknownName              a domain, candidate, goal or metric that does not exist
├── FactsError                   a fact file is missing, damaged or of another schema
│   └── SnapshotMissing          there is no snapshot at all (exit code 2)
├── CollectError                 a source could not be read
│   ├── RepositoryNotFound
│   ├── GitFailed                git ended with an error, or a history came out cut
│   ├── Unreachable              no sound answer after all tries
│   ├── Refused                  the source answers, and says no
│   ├── Unsound                  an answer is not what the source's contract promises
│   ├── WaitTooLong              the source asks to wait longer than the user would
│   └── BudgetSpent              the points that the user allowed are spent
└── NothingSuitable              exit code 4: a result, not a failure

Exit code 3 (partial: some candidates are missing from an otherwise good answer) belongs to
no error: the answer is printed, and the command ends with 3. Nor does the other use of exit code 4: a
package below what `rank --from FILE --fail-under SCORE` asks for.
"""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_PARTIAL = 3
EXIT_NOTHING_SUITABLE = 4


class AdvisorError(Exception):
    """Base of all errors raised on purpose; its text says what, where and what to do."""

    exit_code = EXIT_FAILED


class InputError(AdvisorError):
    """What the user gave cannot be used."""

    exit_code = EXIT_INPUT


class ConfigError(InputError):
    """A file that describes a domain, rules, weights or organisations is wrong."""


class UnknownName(InputError):
    """A name that nothing is known by; the message lists what there is."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        shown = ", ".join(sorted(known)) or "none"
        super().__init__(f"unknown {kind} {name!r}; known: {shown}")
        self.kind, self.name, self.known = kind, name, known


class FactsError(AdvisorError):
    """A fact file is missing, damaged or of another schema."""


class SnapshotMissing(FactsError):
    """There is no snapshot where one was looked for."""

    exit_code = EXIT_INPUT


class CollectError(AdvisorError):
    """A source of facts could not be read."""


class RepositoryNotFound(CollectError):
    """The repository does not exist or cannot be seen."""

    exit_code = EXIT_INPUT


class GitFailed(CollectError):
    """A git command ended with an error; what it had printed until then is not used."""


class Unreachable(CollectError):
    """A source gave no sound answer after all tries; the same command later goes on from here."""


class Refused(CollectError):
    """A source answers, and says no: no rights, blocked, a bad token."""


class Unsound(CollectError):
    """An answer is too large, too deep, or of a shape that the source's contract does not know."""


class WaitTooLong(CollectError):
    """A source asks to wait longer than the user would; what was collected is kept."""


class BudgetSpent(CollectError):
    """The points that the user allowed are spent; what was collected is kept."""


class NothingSuitable(AdvisorError):
    """Every candidate is excluded: an answer, with an exit code of its own."""

    exit_code = EXIT_NOTHING_SUITABLE
