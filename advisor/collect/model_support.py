"""Facts of model coverage from a library's history: one row a family and route.

Three routes lead to a family: the default branch names it (``main``), a release on the package index
does (``package``), or the library loads whatever transformers loads and transformers had the
architecture (``transformers``); the last needs no commit of the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from advisor.collect.coverage import extractor_for
from advisor.collect.coverage.history import Span, in_releases, on_main
from advisor.collect.coverage.package import releases_of
from advisor.collect.coverage.transformers import PATH, Architecture
from advisor.collect.coverage.tree import ANYTHING
from advisor.collect.git.clone import locate
from advisor.collect.git.command import git
from advisor.domain.families import Family
from advisor.facts import writing


def collect_support(
    where: str,
    store: Path,
    cache: Path,
    families: Sequence[Family],
    architectures: Mapping[str, Architecture],
    *,
    retrieved_on: date,
    repository: str | None = None,
    uploads: Mapping[str, Mapping[str, datetime]] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """Read the model families of one history into the store, in place of what was there.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        families: what is followed.
        architectures: what transformers loads since which release.
        retrieved_on: the day that the rows carry, and until which "not supported" is known.
        repository: ``owner/name`` where a local clone cannot say it.
        uploads: repository → version → moment of upload to the index; without it, tags are releases.
        progress: takes lines for a person.

    Returns:
        ``owner/name``.

    Raises:
        InputError: ``where`` is no repository, URL or path.
        RepositoryNotFound: it does not exist.
        GitFailed: git ended with an error; nothing was written.
    """
    folder, name = locate(where, cache, repository, progress)
    head = git(folder, "rev-parse", "--verify", "HEAD^{commit}").strip()
    extractor = extractor_for(name)
    progress(f"{name}: reading every commit for {extractor.name}")
    main = on_main(folder, extractor, families)
    releases = releases_of(folder, dict((uploads or {}).get(name, {})))
    progress(f"{name}: reading {len(releases)} releases")
    packaged = in_releases(folder, releases, extractor, families) if releases else {}
    about = {
        "repository": name,
        "source": f"git:{name}@{head[:12]} ({extractor.name})",
        "retrieved_at": retrieved_on.isoformat(),
    }
    rows = [
        {**about, **row}
        for family in families
        for row in _rows(family, main, packaged, architectures, retrieved_on)
    ]
    writing.write(store, "model_support", name, rows, head=head)
    progress(f"{name}: {sum(f.name in main for f in families)} families named by the default branch")
    return name


def _rows(
    family: Family,
    main: Mapping[str, Span],
    packaged: Mapping[str, Span],
    architectures: Mapping[str, Architecture],
    until: date,
) -> Iterator[dict[str, Any]]:
    known = {
        "family": family.name,
        "vendor": family.vendor,
        "family_released_on": family.released.isoformat(),
        "known_until": until.isoformat(),
    }
    yield {**known, "route": "main", **_shown(family, main.get(family.name))}
    if packaged:
        yield {**known, "route": "package", **_shown(family, packaged.get(family.name))}
    anything = main.get(ANYTHING)
    architecture = architectures.get(family.architecture or "")
    if anything is None:
        return
    row: dict[str, Any] = {**known, "route": "transformers"}
    if architecture is not None:
        row |= {
            # A family of an older architecture is there on the day of its release.
            "supported_on": max(architecture.released_on, anything.first, family.released).isoformat(),
            "removed_on": anything.last and anything.last.isoformat(),
            "evidence_name": architecture.name,
            "evidence_path": f"{PATH}; {anything.path}",
            "evidence_commit": f"transformers {architecture.release}; {anything.label}",
            "source": "package index: transformers, mapping of causal language models",
        }
    yield row


def _shown(family: Family, span: Span | None) -> dict[str, Any]:
    if span is None:
        return {}
    day = span.first
    if span.name.kind != "model":
        # A class may be older than the family that bears its name (Qwen2's came for Qwen1.5), an architecture
        # by years; the family is there from its release.
        day = max(day, family.released)
    return {
        "supported_on": day.isoformat(),
        "removed_on": span.last and span.last.isoformat(),
        "evidence_name": span.name.text,
        "evidence_path": span.path,
        "evidence_commit": span.label,
    }
