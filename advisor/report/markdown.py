"""The report as Markdown, for an issue or a wiki. Values are escaped: names and READMEs are foreign."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.model import Recommendation
from advisor.report.text import headline_rows, ranking_rows, sections


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text.replace("\n", " "))


def render(answer: Recommendation) -> str:
    """Headings, the answer with reasons and doubts, two tables, what was excluded and why."""
    choice = escape(answer.choice) if answer.choice else "nothing suitable"
    before, after = sections(answer)
    parts = [
        f"# {escape(answer.domain)}: {choice}",
        f"Goal {escape(answer.goal)}, as of {answer.as_of}, {answer.certainty}.",
        *(_list(*section) for section in before),
        "## Ranking",
        _table(*ranking_rows(answer)),
        "## Figures",
        _table(*headline_rows(answer)),
        *(_list(*section) for section in after),
    ]
    return "\n\n".join(parts) + "\n"


def _list(title: str, texts: Sequence[str]) -> str:
    items = "\n".join(f"- {escape(text)}" for text in texts)
    return f"## {escape(title[:1].upper() + title[1:])}\n\n{items}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(c if c == "---" else escape(c) for c in line) + " |" for line in lines)
