"""Collect model support from a library's git history: one row per model family and route.

A library *names* a family if its own code does (``main``), and *shows* it if a test, an example, a recipe or
a page of its own uses one of its models (``shown``). It *loads* a family if it loads every model that
transformers loads and transformers has the architecture (``transformers``), or if its own code accepts the
architecture, by its name or for another family (``architecture``). A release on the package index names or
shows a family too (``package``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from advisor.collect.coverage import find_extractor
from advisor.collect.coverage.history import follow_main_branch, follow_releases
from advisor.collect.coverage.package import match_releases
from advisor.collect.coverage.pins import find_pin
from advisor.collect.coverage.span import Span
from advisor.collect.coverage.transformers import PATH, Architecture
from advisor.collect.coverage.tree import ANYTHING, ANYTHING_WITH_IMAGES, Key
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
        hide_later_days({**provenance, **row}, retrieved_on)
        for family in families
        for row in _build_rows(family, families, main, package, architectures, retrieved_on)
    ]
    writing.write_rows(store, "model_support", name, rows, head=head)
    count = len({key.name for key in main if key.level in ("named", "shown")})
    progress(f"{name}: {count} model families found on the default branch")
    return name


def hide_later_days(row: Mapping[str, Any], until: date) -> dict[str, Any]:
    """Return a row as it was known on a day: a clone, or the list of architectures, can be newer."""
    last_day = until.isoformat()
    if (row.get("supported_on") or "") > last_day:
        return {k: v for k, v in row.items() if k not in _OF_SUPPORT}
    if (row.get("removed_on") or "") > last_day:
        return {**row, "removed_on": None}
    return dict(row)


_OF_SUPPORT = ("supported_on", "removed_on", "evidence_name", "evidence_path", "evidence_commit")


def _build_rows(
    family: Family,
    families: Sequence[Family],
    main: Mapping[Key, Span],
    package: Mapping[Key, Span],
    architectures: Mapping[str, Architecture],
    until: date,
) -> Iterator[dict[str, Any]]:
    common = {
        "family": family.name,
        "vendor": family.vendor,
        "family_released_on": family.released.isoformat(),
        "known_until": until.isoformat(),
    }
    code, example = Key("named", family.name), Key("shown", family.name)
    architecture_span = _find_architecture(family, families, main)
    yield {**common, "route": "main", **_describe_support(family, main.get(code))}
    yield {**common, "route": "shown", **_describe_examples(family, main, architecture_span)}
    if package:
        span = _choose_span(package[key] for key in (code, example) if key in package)
        yield {**common, "route": "package", **_describe_support(family, span)}
    if ANYTHING in main or ANYTHING_WITH_IMAGES in main:
        architecture = architectures.get(family.architecture or "")
        yield {**common, "route": "transformers", **_describe_loading(family, architecture, main)}
    if architecture_span:
        row = _describe_support(family, architecture_span, is_older=True)
        yield {**common, "route": "architecture", **row}


def _describe_examples(
    family: Family, main: Mapping[Key, Span], architecture_span: Span | None
) -> dict[str, Any]:
    """Describe what shows a family; where a library has model code of its own, not before the code."""
    row = _describe_support(family, main.get(Key("shown", family.name)))
    if not row or ANYTHING in main or ANYTHING_WITH_IMAGES in main:
        return row
    code = _choose_span(s for s in (main.get(Key("named", family.name)), architecture_span) if s is not None)
    if code is None:
        return {}
    return {**row, "supported_on": max(row["supported_on"], code.first.isoformat())}


def _describe_loading(
    family: Family, architecture: Architecture | None, main: Mapping[Key, Span]
) -> dict[str, Any]:
    """Describe the support by transformers, from the later of its release and the library's pin."""
    if architecture is None:
        return {}
    catch_all = main.get(ANYTHING if architecture.reads == "text" else ANYTHING_WITH_IMAGES)
    pins = {key.name: span for key, span in main.items() if key.level == "pin"}
    pin = find_pin(architecture.release, architecture.released_on, pins)
    if catch_all is None or pin is None:
        return {}
    day, source = pin
    label = f"transformers {architecture.release}; {catch_all.label}"
    path = f"{PATH}; {catch_all.path}"
    if source is not None:
        label, path = f"{label}; {source.label}", f"{path}; {source.path}"
    return {
        # A family with an older architecture is supported from the day of its release.
        "supported_on": max(day, catch_all.first, family.released).isoformat(),
        "removed_on": catch_all.last and catch_all.last.isoformat(),
        "evidence_name": architecture.name,
        "evidence_path": path,
        "evidence_commit": label,
        "source": "package index: transformers, mappings of its language models",
    }


def _find_architecture(family: Family, families: Sequence[Family], main: Mapping[Key, Span]) -> Span | None:
    """Find the first place where the code accepts the family's architecture, for whatever family."""
    if family.architecture is None:
        return None
    keys = [Key("architecture", family.architecture)]
    keys += [Key("named", f.name) for f in families if f.architecture == family.architecture]
    return _choose_span(main[key] for key in keys if key in main)


def _choose_span(spans: Iterable[Span]) -> Span | None:
    """Return the earliest of the spans that did not end, else the one that ended last."""
    return min(
        spans, key=lambda s: (s.last is not None, -s.last.toordinal() if s.last else 0, s.first), default=None
    )


def _describe_support(family: Family, span: Span | None, *, is_older: bool = False) -> dict[str, Any]:
    if span is None:
        return {}
    day = span.first
    if is_older or span.name.kind != "model":
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
