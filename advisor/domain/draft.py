"""Write a user's own domain as the text of a TOML file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from advisor.domain.files import data_folder, read_toml
from advisor.domain.organisations import load_organisations

CRITERIA = ("contributors", "issues", "backing", "activity")
"""The criteria of a new domain by default: those that need only a git history."""


@dataclass(frozen=True)
class Draft:
    """The user's decisions about a new domain.

    Attributes:
        candidates: ``owner/name`` → its package, or None.
        weights: criterion (a file of ``data/criteria``) → weight.
        default: the candidate that wins a tie; None: no default.
    """

    name: str
    title: str
    question: str
    candidates: Mapping[str, str | None]
    weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(CRITERIA, 1.0))
    default: str | None = None
    default_reason: str = ""
    rules: Sequence[str] = ("library",)


def criteria_titles(folder: Path | None = None) -> dict[str, str]:
    """Return name → title of the criteria in ``data/criteria``."""
    files = sorted(((folder or data_folder()) / "criteria").glob("*.toml"))
    return {path.stem: str(read_toml(path)["title"]) for path in files}


def domain_text(draft: Draft, snapshot: str | None = None) -> str:
    """Return the TOML text of a domain for `domain.load_domain`.

    Args:
        draft: the user's decisions.
        snapshot: a bundled snapshot with all candidates; None: the user must collect facts.
    """
    lines = [
        f"# {draft.title}. Created by `advisor init`; you can edit it. Only the ratios of weights matter.",
        f"title = {_text(draft.title)}",
        f"question = {_text(draft.question)}",
        f"snapshot = {_text(snapshot or draft.name)}",
        f"rules = [{', '.join(map(_text, draft.rules))}]",
        f"criteria = [{', '.join(map(_text, draft.weights))}]",
    ]
    if draft.default:
        lines += [f"default = {_text(draft.default)}", f"default_reason = {_text(draft.default_reason)}"]
    weights = ", ".join(f"{name} = {weight:g}" for name, weight in draft.weights.items())
    lines += [
        'default_goal = "balanced"',
        "",
        "[goals.balanced]",
        'title = "the weights that you chose for this domain"',
        f"weights = {{ {weights} }}",
    ]
    backers = {owner.lower(): key for key, o in load_organisations().items() for owner in o.github}
    for repository, package in draft.candidates.items():
        lines += ["", "[[candidates]]", f"repository = {_text(repository)}"]
        if package:
            lines.append(f"package = {_text(package)}")
        if backer := backers.get(repository.split("/")[0].lower()):
            lines.append(f"backer = {_text(backer)}")
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    # A JSON string is a TOML string, except for DEL: only TOML requires an escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
