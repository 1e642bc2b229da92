"""Dependencies → str, one file a format; and the words that the formats share."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report import show_outlook

HEADER = ["package", "score", "from–to", "known", "no commit in 24 months", "repository", "as of"]


def row(health: Health) -> list[str]:
    """The cells under `HEADER` of a package that something is known of."""
    ranked = health.ranked
    assert ranked is not None  # noqa: S101 - for the type checker
    outlook = next((o for o in ranked.outlook if o.horizon_months == 24), None)
    return [
        label(health),
        "out" if ranked.excluded else "?" if ranked.score is None else f"{ranked.score:.0f}",
        f"{ranked.low:.0f}–{ranked.high:.0f}",
        f"{ranked.coverage:.0%}",
        show_outlook(outlook) if outlook else "?",
        health.repository or "?",
        str(health.as_of),
    ]


def label(health: Health) -> str:
    """The package as people write it; the ecosystem only where it is not PyPI."""
    name, kind = health.dependency.name, health.dependency.ecosystem
    return name if kind == "pypi" else f"{name} ({kind})"


def risks(health: Health) -> list[str]:
    """What speaks against a package, in sentences."""
    ranked = health.ranked
    if ranked is None:
        return []
    return [f.text for verdict in ("exclude", "warn") for f in ranked.findings if f.verdict == verdict]


def alternatives(health: Health) -> str:
    """Better ones for the same purpose in a line; empty where none is known."""
    if not health.alternatives:
        return ""
    named = ", ".join(f"{a.name} {a.score:.0f}" for a in health.alternatives)
    return f"{health.alternatives[0].category.lower()} that fare better: {named}"


def headline(answer: Dependencies, fail_under: float | None) -> str:
    """How many are known, and how many of them fall below what was asked for."""
    total = len(answer.known) + len(answer.unknown)
    text = f"{len(answer.known)} of {total} packages are known"
    if fail_under is not None:
        below = sum(h.is_below(fail_under) for h in answer.known)
        text += f"; {below} {'is' if below == 1 else 'are'} below {fail_under:g} or ruled out"
    return text


def unknown_line(health: Health) -> str:
    """An unknown package with where it stands and why nothing is known."""
    at = f"{health.dependency.file}:{health.dependency.line}"
    return f"{label(health)} ({at}): {health.unknown}"
