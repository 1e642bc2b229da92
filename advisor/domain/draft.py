"""A domain of one's own as the text of its file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from advisor.domain.files import data_folder, read_toml
from advisor.domain.organisations import load_organisations

CRITERIA = ("contributors", "issues", "backing", "activity")
"""What a domain weighs if nothing else is said: all that a git history can answer for."""


@dataclass(frozen=True)
class Draft:
    """What a person decides of a domain.

    Attributes:
        candidates: ``owner/name`` → its package, None where there is none.
        weights: criterion (a file of ``data/criteria``) → weight.
        default: the candidate that stays in a tie; None: none.
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
    """Name → title of the criteria that domains share."""
    files = sorted(((folder or data_folder()) / "criteria").glob("*.toml"))
    return {path.stem: str(read_toml(path)["title"]) for path in files}


def domain_text(draft: Draft, snapshot: str | None = None) -> str:
    """TOML that `domain.load_domain` reads.

    Args:
        draft: what was decided.
        snapshot: bundled facts that know all candidates; None: facts are to be collected.
    """
    lines = [
        f"# {draft.title}. Made by `advisor init`; edit it as you like. Only the ratios of weights matter.",
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
        'title = "what you said when you made this domain"',
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
    # A string of JSON is one of TOML too; DEL is the one character that only TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
