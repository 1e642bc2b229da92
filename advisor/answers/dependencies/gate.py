"""Decides whether the dependencies of a project pass: scores, what is not known, and exceptions to both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from packaging.utils import canonicalize_name

from advisor.answers.dependencies.health import Dependencies, Exemption, Health
from advisor.errors import InputError

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%?")


@dataclass(frozen=True)
class Gate:
    """What fails a run.

    Attributes:
        fail_under: lowest score that passes; None: any.
        is_certain: whether only a package fails whose highest possible score is lower.
        min_share: lowest share of packages with a score that passes; None: any.
        fails_unknown: whether a package without a score fails.
        fails_exclusions: whether a package fails that a rule excludes, without a lowest score.
        exemptions: packages that pass all the same.
        day: the day on which exemptions must not be over.
    """

    fail_under: float | None = None
    is_certain: bool = False
    min_share: float | None = None
    fails_unknown: bool = False
    fails_exclusions: bool = False
    exemptions: Sequence[Exemption] = ()
    day: date = date.max


@dataclass(frozen=True)
class Decision:
    """The answer with its exemptions, and whether it passes."""

    answer: Dependencies
    passes: bool


def decide(answer: Dependencies, gate: Gate) -> Decision:
    """Return the answer with the exemptions that hold, sentences about what fails, and whether it passes."""
    notes = list(answer.notes)
    exemptions: dict[str, Exemption] = {}
    for exemption in gate.exemptions:
        if exemption.is_over(gate.day):
            notes.append(
                f"the exception for {exemption.package} ended on {exemption.expires}: {exemption.reason}"
            )
        else:
            exemptions[_plain(exemption.package)] = exemption
    known, unknown = answer.known, answer.unknown
    names: set[str] = set()
    if exemptions:
        known, unknown = (
            tuple(replace(h, exemption=exemptions.get(_plain(h.dependency.name))) for h in packages)
            for packages in (known, unknown)
        )
        names = {_plain(h.dependency.name) for h in (*known, *unknown)}
    notes += [
        f"the exception for {e.package} has no effect: no such package"
        for n, e in exemptions.items()
        if n not in names
    ]
    line = 0.0 if gate.fail_under is None and gate.fails_exclusions else gate.fail_under
    is_below = line is not None and any(h.is_below(line, certainly=gate.is_certain) for h in known)
    problems = _list_problems(known, unknown, gate)
    result = replace(
        answer,
        known=known,
        unknown=unknown,
        notes=tuple(notes),
        problems=problems,
        is_certain=gate.is_certain,
        fails_unknown=gate.fails_unknown,
    )
    return Decision(result, passes=not is_below and not problems)


def _list_problems(known: Sequence[Health], unknown: Sequence[Health], gate: Gate) -> tuple[str, ...]:
    problems = []
    total = len(known) + len(unknown)
    if gate.min_share is not None and total and len(known) / total < gate.min_share:
        share = f"{len(known)} of {total} packages have a score ({len(known) / total:.0%})"
        problems.append(f"{share}, and --min-known needs {gate.min_share:.0%}")
    if gate.fails_unknown and (names := [h.dependency.name for h in unknown if h.exemption is None]):
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        problems.append(f"--fail-unknown: no score for {', '.join(names[:_NAMES])}{more}")
    return tuple(problems)


_NAMES = 10
"""Most names in a sentence."""


def _plain(name: str) -> str:
    return canonicalize_name(name) if not name.startswith("@") else name.lower()


def parse_share(text: str, option: str) -> float:
    """Return a share from 0 to 1 of ``60%`` or ``60``.

    Raises:
        InputError: it is no share.
    """
    match = _SHARE.fullmatch(text.strip())
    if match is None or float(match[1]) > 100:
        raise InputError(f"invalid share {text!r} for {option}: expected a percentage, for example 60%")
    return float(match[1]) / 100
