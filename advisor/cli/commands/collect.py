"""advisor collect: collect facts from GitHub, git histories, package indexes and other sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import EXIT_INTERRUPT, app
from advisor.cli.collect_each import LocalName, check_one_place
from advisor.cli.collect_repositories import MAX_WAIT_SECONDS, SOURCES, collect_apis, collect_histories
from advisor.cli.measure_facts import measure_facts
from advisor.cli.options import Includes, OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.cli.collect_progress import CollectionProgress


@app.command()
def collect(
    repositories: Annotated[
        list[str] | None,
        typer.Argument(
            help="Repositories as owner/name. A URL or the path of a clone gives only the git history. "
            "Default: all candidates of the domain."
        ),
    ] = None,
    domain: Annotated[
        str, typer.Option(metavar="DOMAIN", help="Domain whose candidates to collect if you name none.")
    ] = "finetuning",
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"Source to read: {', '.join(SOURCES)}. Repeatable. Default: all of them.",
        ),
    ] = None,
    git_only: Annotated[
        bool, typer.Option("--git-only", help="Read only git histories. Needs no token.")
    ] = False,
    name: LocalName = None,
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
    github_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of a GitHub Enterprise server.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, metavar="POINTS", help="Largest number of GraphQL points to spend.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how many requests and points it would cost.")
    ] = False,
    max_wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Longest total time to wait for rate limits."),
    ] = MAX_WAIT_SECONDS,
    json_log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each step as a line of JSON to this file.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all responses to this file, without the token."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read the responses from a file of --record, without network."),
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Collect the packages that this file names (see `advisor rank --from`). Repeatable.",
        ),
    ] = None,
    include: Includes = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            help="With --from: services that may be asked about names of packages. "
            "Default: pypi,npm,deps.dev. none: ask no service.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="With --from: packages to leave out, for example 'acme-*'. Repeatable.",
        ),
    ] = None,
    repos: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Collect the repositories of a list, with lines `owner/name` or `owner/name URL`.",
        ),
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="With --repos: collect only part I of N, for example 1/3.")
    ] = "1/1",
    workers: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="With --repos: number of processes.")
    ] = 2,
    cache_limit: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="With --repos: largest total size of the clones, for example 20GB. Default: no limit.",
        ),
    ] = None,
) -> None:
    """Collect new facts, for `advisor rank` to use.

    A second run asks only for what changed. To resume after an interruption, run the same command again.
    The GitHub token is read from GH_TOKEN, GITHUB_TOKEN, a GitHub App, .netrc or gh. Without a token,
    GitHub allows 60 requests an hour, and first responses stay unknown.

    Examples:
      advisor collect
      advisor collect huggingface/trl --source github
      advisor collect --dry-run
      advisor collect --from pyproject.toml
      advisor collect --from pyproject.toml --exclude 'acme-*' --dry-run
      advisor collect --repos list.txt --workers 4
    """
    from advisor.cli.collect_progress import CollectionProgress
    from advisor.errors import InputError

    source_names = _parse_sources(source, git_only=git_only)
    folder = store_or_default(store)
    if repos is not None:
        if any((repositories, from_, name, budget, dry_run, json_log, record, replay, include, ask, exclude)):
            raise InputError(
                "--repos can be combined only with --source, --git-only, --store, --retrieved-on, "
                "--github-url, --max-wait, --shard, --workers and --cache-limit"
            )
        from advisor.cli.collect_many import collect_many

        collect_many(
            repos, folder, data_home() / "git", shard=shard, workers=workers, sources=source_names,
            cache_limit=cache_limit, retrieved_on=retrieved_on and str(date_or_today(retrieved_on)),
            github_url=github_url, max_wait=max_wait,
        )  # fmt: skip
        return
    content = _read_domain(domain)
    packages, histories = _parse_repositories(repositories, domain, name)
    if not from_ and (include or ask or exclude):
        raise InputError("--include, --ask and --exclude need --from")
    if from_ and repositories:
        raise InputError("name either repositories or files (--from), not both")
    if not repositories and not from_ and not dry_run:
        from advisor.collect.seed import seed_store

        seed_store(folder, domain)
    with CollectionProgress(json_log) as progress:
        api_names = {s for s in source_names if s != "git"}
        try:
            if from_:
                from advisor.cli.collect_from import Permissions, find_repositories, parse_services

                services = parse_services(["none"] if git_only else ask)
                permissions = Permissions(services, exclude or (), include or (), is_dry_run=dry_run)
                names = find_repositories(
                    from_, folder, progress, permissions, max_wait=max_wait, record=record, replay=replay
                )
                groups = names.group_by_sources(api_names, services)
                packages = {repository: p for group, _ in groups for repository, p in group.items()}
                histories = {repository: repository for repository in packages}
            else:
                groups = [(packages, api_names)]
            for group, names_of_sources in groups:
                collect_apis(
                    group, names_of_sources, folder, progress, github_url=github_url, budget=budget,
                    dry_run=dry_run, max_wait=max_wait, record=record, replay=replay,
                    append_to_record=bool(from_),
                )  # fmt: skip
            if "git" in source_names and not dry_run:
                day, patterns = date_or_today(retrieved_on), content.get("identities", ())
                collect_histories(histories, packages, folder, progress, day, name, github_url, patterns)
        except KeyboardInterrupt:
            print("advisor: interrupted; run the same command again to resume", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPT) from None
        progress.print_summary()
    candidates = [entry.get("repository") for entry in content.get("candidates", ())]
    _finish(progress, folder, candidates, dry_run=dry_run)


def _read_domain(domain: str) -> dict[str, Any]:
    """Return the content of a domain file; a bundled one needs no check, which takes most of a short run."""
    from advisor.domain.domain_file import read_domain_file

    if domain.endswith(".toml"):
        from advisor.domain.domain import load_domain

        load_domain(domain)
    return read_domain_file(domain)


def _finish(progress: CollectionProgress, folder: Path, candidates: Sequence[str], *, dry_run: bool) -> None:
    """Measure the store if it has facts about all candidates; raise the error or exit code that fits."""
    from advisor.errors import EXIT_FAILURE, EXIT_PARTIAL
    from advisor.facts.reading import has_facts_about

    if progress.repositories and has_facts_about(folder, candidates):
        measure_facts(folder)
    if progress.only_error is not None:
        raise progress.only_error
    if progress.missing:
        raise typer.Exit(EXIT_PARTIAL if progress.repositories or dry_run else EXIT_FAILURE)


def _parse_sources(names: list[str] | None, *, git_only: bool) -> list[str]:
    from advisor.errors import InputError, UnknownName

    if git_only and names:
        raise InputError("use either --git-only or --source, not both")
    source_names = ["git"] if git_only else names or list(SOURCES)
    for name in source_names:
        if name not in SOURCES:
            raise UnknownName("source", name, list(SOURCES))
    return source_names


def _parse_repositories(
    places: list[str] | None, domain: str, name: str | None
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return what the APIs and what git collect.

    Args:
        places: names, URLs and paths as typed; none: all candidates of the domain.
        domain: a domain.
        name: ``owner/name`` of the one local clone.

    Returns:
        ``owner/name`` → package, and ``owner/name`` or place → place of the history.
    """
    from advisor.addresses import check_place

    check_one_place(places or [], name=name)
    names = [place for place in places or () if not Path(place).is_dir() and "://" not in place]
    if places and not names:
        return {}, {place: place for place in places}
    from advisor.domain.domain import load_domain  # it takes as long as all of an unchanged history

    domain_packages = {c.repository: c.package for c in load_domain(domain).candidates}
    if not places:
        return domain_packages, {repository: repository for repository in domain_packages}
    packages = {check_place(place): domain_packages.get(place) for place in names}
    return packages, {place: place for place in places}
