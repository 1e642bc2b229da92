"""Collect model support from a library's git history: one row per model family and route.

A library supports a family by one of three routes: its default branch names the family (``main``), a release
on the package index names it (``package``), or the library loads every model that transformers loads and
transformers has the architecture (``transformers``). The last route needs no commit of the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from advisor.collect.coverage import find_extractor
from advisor.collect.coverage.history import Span, follow_main_branch, follow_releases
from advisor.collect.coverage.package import match_releases
from advisor.collect.coverage.transformers import PATH, Architecture
from advisor.collect.coverage.tree import ANYTHING
from advisor.collect.git.clone import open_history
from advisor.collect.git.command import run_git
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
    """Read the supported model families from one history and replace the store's rows.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        families: model families to look for.
        architectures: architectures of transformers, each with its first release.
        retrieved_on: retrieval day of the rows; "not supported" holds until this day.
        repository: ``owner/name``, for a local clone without a remote.
        uploads: repository → version → time of upload to the index; None: tags are releases.
        progress: receives progress lines for a person.

    Returns:
        ``owner/name``.

    Raises:
        InputError: ``where`` is not a repository, URL or path.
        RepositoryNotFound: the repository does not exist.
        GitFailed: git failed; nothing was written.
    """
    with open_history(where, cache, repository, progress) as (folder, name):
        head = run_git(folder, "rev-parse", "--verify", "HEAD^{commit}").strip()
        extractor = find_extractor(name)
        progress(f"{name}: reading all commits for {extractor.name}")
        main = follow_main_branch(folder, extractor, families)
        releases = match_releases(folder, dict((uploads or {}).get(name, {})))
        progress(f"{name}: reading {len(releases)} releases")
        package = follow_releases(folder, releases, extractor, families) if releases else {}
    provenance = {
        "repository": name,
        "source": f"git:{name}@{head[:12]} ({extractor.name})",
        "retrieved_at": retrieved_on.isoformat(),
    }
    rows = [
        {**provenance, **row}
        for family in families
        for row in _build_rows(family, main, package, architectures, retrieved_on)
    ]
    writing.write_rows(store, "model_support", name, rows, head=head)
    progress(f"{name}: {sum(f.name in main for f in families)} model families found on the default branch")
    return name


def _build_rows(
    family: Family,
    main: Mapping[str, Span],
    package: Mapping[str, Span],
    architectures: Mapping[str, Architecture],
    until: date,
) -> Iterator[dict[str, Any]]:
    common = {
        "family": family.name,
        "vendor": family.vendor,
        "family_released_on": family.released.isoformat(),
        "known_until": until.isoformat(),
    }
    yield {**common, "route": "main", **_describe_support(family, main.get(family.name))}
    if package:
        yield {**common, "route": "package", **_describe_support(family, package.get(family.name))}
    catch_all = main.get(ANYTHING)
    architecture = architectures.get(family.architecture or "")
    if catch_all is None:
        return
    row: dict[str, Any] = {**common, "route": "transformers"}
    if architecture is not None:
        row |= {
            # A family with an older architecture is supported from the day of its release.
            "supported_on": max(architecture.released_on, catch_all.first, family.released).isoformat(),
            "removed_on": catch_all.last and catch_all.last.isoformat(),
            "evidence_name": architecture.name,
            "evidence_path": f"{PATH}; {catch_all.path}",
            "evidence_commit": f"transformers {architecture.release}; {catch_all.label}",
            "source": "package index: transformers, mapping of causal language models",
        }
    yield row


def _describe_support(family: Family, span: Span | None) -> dict[str, Any]:
    if span is None:
        return {}
    day = span.first
    if span.name.kind != "model":
        # A class or an architecture may be older than the family (class Qwen2 appeared for Qwen1.5);
        # support starts with the release of the family.
        day = max(day, family.released)
    return {
        "supported_on": day.isoformat(),
        "removed_on": span.last and span.last.isoformat(),
        "evidence_name": span.name.text,
        "evidence_path": span.path,
        "evidence_commit": span.label,
    }
