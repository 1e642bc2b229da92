"""Cells and sentences about a dependency that several formats use."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.domain.reliability import Band
from advisor.report.values import chance, show_outlook

HEADER = [
    "package",
    "score",
    "range",
    "evidence",
    "abandoned in 24 months",
    "at this score",
    "repository",
    "as of",
]
NEED = "needed by"
"""A column after the package, if the project does not always need all packages itself."""

_LIST_MARK = "(list): all figures are from a public list of that day; there is no history."
_CLAIM_MARK = "*: only the package itself names this repository; anybody can publish such a package."


def row(health: Health) -> list[str]:
    """Return the cells under `HEADER` of a package with a score."""
    candidate = health.ranked
    assert candidate is not None  # noqa: S101 - for the type checker
    outlook = next((o for o in candidate.outlook if o.horizon_months == 24), None)
    return [
        label(health),
        "out" if candidate.excluded else "?" if candidate.score is None else f"{candidate.score:.0f}",
        f"{candidate.low:.0f}–{candidate.high:.0f}",
        f"{candidate.coverage:.0%}",
        show_outlook(outlook) if outlook else "?",
        _describe_share(health.band) if health.band else "?",
        f"{health.repository or '?'}{' *' if health.is_claim else ''}",
        f"{health.as_of}{' (list)' if health.rests_on_lists else ''}",
    ]


def has_needs(answer: Dependencies) -> bool:
    """Return whether a package is no direct dependency, or is not always needed."""
    return any(h.dependency.parents != () or h.dependency.groups for h in answer.known)


def need(health: Health) -> str:
    """Return who needs a package: the project itself, or the path of packages to it; then its groups."""
    parents = health.dependency.parents
    path = "?" if parents is None else " › ".join(parents) or "the project"
    return f"{path} ({', '.join(health.dependency.groups)})" if health.dependency.groups else path


def marks(answer: Dependencies) -> list[str]:
    """Return what the marks at a day and at a repository mean, as far as the answer has them."""
    texts = [_LIST_MARK] if any(h.rests_on_lists for h in answer.known) else []
    return texts + ([_CLAIM_MARK] if any(h.is_claim for h in answer.known) else [])


def _describe_share(band: Band) -> str:
    return f"{chance(band.share)} [{chance(band.low)}–{chance(band.high)}]"


def label(health: Health) -> str:
    """Return the name of the package; with the ecosystem if that is not PyPI."""
    name, kind = health.dependency.name, health.dependency.ecosystem
    return name if kind == "pypi" else f"{name} ({kind})"


def risks(health: Health) -> list[str]:
    """Return the reasons of the rules that exclude the package or warn about it, and those of its index.

    What speaks for a mature library with few commits stands after them.
    """
    findings = health.ranked.findings if health.ranked else ()
    texts = [f.text for verdict in ("exclude", "warn") for f in findings if f.verdict == verdict]
    texts += index_warnings(health).values()
    return [*texts, *(f.text for f in findings if f.rule == "mature" and texts)]


def index_warnings(health: Health) -> dict[str, str]:
    """Return what the index says against the version: rule → sentence."""
    version, warnings = health.dependency.version, {}
    if health.details.is_yanked:
        warnings["yanked-version"] = f"its index withdrew version {version}"
    if health.details.deprecation:
        name = f"version {version}" if version else "its newest version"
        warnings["deprecated-version"] = f"{name} is deprecated: {health.details.deprecation}"
    return warnings


def alternatives(health: Health) -> str:
    """Return the healthier packages for the same purpose in a line; empty if there are none."""
    if not health.alternatives:
        return ""
    names = ", ".join(f"{a.name} {a.score:.0f}" for a in health.alternatives)
    return f"{health.alternatives[0].category.lower()} with a higher score: {names}"


def exemption(health: Health) -> str:
    """Return why a package passes in any case; empty if it has no exemption."""
    if health.exemption is None:
        return ""
    end = f" until {health.exemption.expires}" if health.exemption.expires else ""
    return f"passes{end}: {health.exemption.reason}"


def details(health: Health) -> str:
    """Return licence, downloads, dependents and the like in a line; empty if nothing is known."""
    known = health.details
    parts = [known.licence or ""]
    for value, one, many in (
        (known.downloads, "download in a month", "downloads in a month"),
        (known.dependents, "dependent", "dependents"),
        (known.advisories, "open advisory", "open advisories"),
        (health.importing_files, "file of the project imports it", "files of the project import it"),
    ):
        if value is not None:
            parts.append(f"{value:,} {one if value == 1 else many}")
    if known.download_bytes is not None:
        parts.append(f"{_describe_size(known.download_bytes)} to download")
    return ", ".join(part for part in parts if part)


def _describe_size(size: int) -> str:
    """Return a size in words; a small one is not 0.0 MB."""
    return f"{size / 2**20:.1f} MB" if size >= 2**20 / 10 else f"{max(size / 2**10, 0.1):.1f} kB"


def headline(answer: Dependencies, fail_under: float | None) -> str:
    """Return how many packages have a score and how many of them fail."""
    total = len(answer.known) + len(answer.unknown)
    text = f"{len(answer.known)} of {total} packages have a score"
    if fail_under is not None:
        text += _describe_failures(answer, fail_under)
    return "; ".join([text, *answer.problems])


def _describe_failures(answer: Dependencies, fail_under: float) -> str:
    failing = [h for h in answer.known if h.is_below(fail_under, certainly=answer.is_certain)]
    excluded = [label(h) for h in failing if h.ranked and h.ranked.excluded]
    below = len(failing) - len(excluded)
    text = f"; {below} {'is' if below == 1 else 'are'} below {fail_under:g}"
    certain = sum(h.is_below(fail_under, certainly=True) for h in failing) - len(excluded)
    if answer.is_certain:
        text += " for certain"
    elif below:
        text += f" ({certain or 'none'} for certain)"
    if excluded:
        verb = "is" if len(excluded) == 1 else "are"
        text += (
            f"; {len(excluded)} {verb} excluded by a rule, which fails at any score: {', '.join(excluded)}"
        )
    return text


def unknown_line(health: Health) -> str:
    """Return a package without a score, its place in the file and the reason."""
    place = f"{health.dependency.file}:{health.dependency.line}"
    return "; ".join([f"{label(health)} ({place}): {health.unknown}", *risks(health)])
