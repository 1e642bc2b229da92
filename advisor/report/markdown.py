"""The report as Markdown, for an issue or a wiki. Values are escaped: names and READMEs are foreign."""

from __future__ import annotations

import re

from advisor.model import Recommendation
from advisor.report.text import headline_rows, ranking_rows


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text.replace("\n", " "))


def render(answer: Recommendation) -> str:
    """Headings, the answer with reasons and doubts, two tables, what was excluded and why."""
    choice = escape(answer.choice) if answer.choice else "nothing suitable"
    parts = [
        f"# {escape(answer.domain)}: {choice}",
        f"Goal {escape(answer.goal)}, as of {answer.as_of}, {answer.certainty}.",
        _list("Reasons", answer.reasons),
        _list("Doubts", answer.doubts),
        "## Ranking",
        _table(*ranking_rows(answer)),
        "## Figures",
        _table(*headline_rows(answer)),
        _list(
            "Excluded and warned about",
            [
                f"{r.candidate.name}: {f.verdict}: {f.text}"
                for r in answer.ranking
                for f in r.findings
                if f.verdict != "prefer"
            ],
        ),
        _list(f"Leaving the default ({answer.default})", answer.leaving_default),
        _list("Not ranked", [f"{name}: {why}" for name, why in answer.missing.items()]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list(title: str, texts: tuple[str, ...] | list[str]) -> str:
    if not texts:
        return ""
    return f"## {escape(title)}\n\n" + "\n".join(f"- {escape(text)}" for text in texts)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(c if c == "---" else escape(c) for c in line) + " |" for line in lines)
