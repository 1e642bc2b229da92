"""advisor collect: fresh facts from GitHub, the package world and histories into the user's store."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import EXIT_INTERRUPTED, app
from advisor.collect import sources

if TYPE_CHECKING:
    from advisor.cli.collect_progress import Progress
from advisor.cli.collected import keep_measurements
from advisor.cli.options import Day, StoreFolder, day_or_today, store_or_default
from advisor.files import data_home

SOURCES = ("git", "github", *sources.SOURCES)


@app.command()
def collect(
    repositories: Annotated[
        list[str] | None,
        typer.Argument(help="owner/name; a URL or the path of a clone gives its history alone."),
    ] = None,
    domain: Annotated[str, typer.Option(help="Whose candidates, if none is named.")] = "finetuning",
    source: Annotated[
        list[str] | None, typer.Option(help=f"Only this: {', '.join(SOURCES)}; may be repeated.")
    ] = None,
    git_only: Annotated[bool, typer.Option("--git-only", help="History alone: no token, no API.")] = False,
    name: Annotated[
        str | None, typer.Option(help="owner/name of the one local clone given, if it cannot say.")
    ] = None,
    store: StoreFolder = None,
    retrieved_on: Day = None,
    github_url: Annotated[str | None, typer.Option(help="A GitHub Enterprise or a test server.")] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="GraphQL points to spend at most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its cost.")] = False,
    max_wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for rate limits at most.")] = 900,
    json_log: Annotated[Path | None, typer.Option(help="Write each step as a line of JSON.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write all answers down, without the token.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Take the answers from such a file.")] = None,
    from_: Annotated[
        list[Path] | None, typer.Option("--from", help="What this file needs (see rank --from); repeatable.")
    ] = None,
    repos: Annotated[
        Path | None, typer.Option(help="Many: a list with a line `owner/name` or `owner/name URL` each.")
    ] = None,
    shard: Annotated[str, typer.Option(help="With --repos: only part i of n, as i/n.")] = "1/1",
    workers: Annotated[int, typer.Option(min=1, max=64, help="With --repos: processes.")] = 2,
    cache_limit: Annotated[
        str | None, typer.Option(help="With --repos: size of the clones kept, e.g. 20GB; default: no limit.")
    ] = None,
) -> None:
    """Collect fresh facts; `advisor rank` then uses them.

    Without names: all candidates of the domain. A second run asks only for what changed, an
    interrupted one goes on where it stopped. The token is taken from GH_TOKEN, GITHUB_TOKEN, a GitHub
    App, .netrc or gh; without one GitHub answers 60 requests an hour, and first responses stay unknown.
    Examples: advisor collect; advisor collect huggingface/trl --source github; advisor collect --dry-run
    """
    from advisor.cli.collect_progress import Progress
    from advisor.errors import InputError

    wanted = _sources(source, git_only=git_only)
    if repos is not None:
        if any((repositories, from_, name, budget, dry_run, json_log, record, replay)):
            raise InputError("--repos goes with --source, --shard, --workers, --cache-limit and --max-wait")
        _many(repos, store, wanted, shard, workers, cache_limit, retrieved_on, github_url, max_wait)
        return
    packages, histories = _repositories(repositories, domain, name)
    folder = store_or_default(store)
    if from_ and repositories:
        raise InputError("name either repositories or files (--from), not both")
    if not repositories and not from_ and not dry_run:
        from advisor.collect.seed import seed

        seed(folder, domain)
    with Progress(json_log) as progress:
        api = {s for s in wanted if s != "git"}
        try:
            if from_:
                packages = _from_files(from_, folder, progress, max_wait, record, replay)
                histories = {name: name for name in packages}
            if api and packages:
                _collect_api(
                    packages, api, folder, progress, github_url=github_url, budget=budget, dry_run=dry_run,
                    max_wait=max_wait, record=record, replay=replay, record_goes_on=bool(from_),
                )  # fmt: skip
            if "git" in wanted and not dry_run:
                _collect_git(histories, folder, progress, day_or_today(retrieved_on), name, github_url)
        except KeyboardInterrupt:
            print("advisor: interrupted; the same command goes on from here", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        progress.summary()
    _end(progress, folder, domain, dry_run=dry_run)


def _end(progress: Progress, folder: Path, domain: str, *, dry_run: bool) -> None:
    """Measure what was collected once it answers the domain, and leave with the exit code that fits."""
    from advisor.domain.domain import load_domain
    from advisor.errors import EXIT_FAILED, EXIT_PARTIAL
    from advisor.facts.reading import knows_all

    if progress.collected and knows_all(folder, (c.repository for c in load_domain(domain).candidates)):
        keep_measurements(folder)
    if progress.only_error is not None:
        raise progress.only_error
    if progress.missing:
        raise typer.Exit(EXIT_PARTIAL if progress.collected or dry_run else EXIT_FAILED)


def _from_files(
    files: list[Path],
    store: Path,
    progress: Progress,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
) -> dict[str, str | None]:
    from advisor.cli.collect_from import repositories_of

    return repositories_of(files, store, progress, max_wait=max_wait, record=record, replay=replay)


def _many(
    repos: Path,
    store: Path | None,
    sources: list[str],
    shard: str,
    workers: int,
    cache_limit: str | None,
    retrieved_on: str | None,
    github_url: str | None,
    max_wait: float,
) -> None:
    from advisor.cli.collect_many import collect_many

    collect_many(
        repos, store_or_default(store), data_home() / "git", shard=shard, workers=workers, sources=sources,
        cache_limit=cache_limit, retrieved_on=retrieved_on and str(day_or_today(retrieved_on)),
        github_url=github_url, max_wait=max_wait,
    )  # fmt: skip


def _sources(given: list[str] | None, *, git_only: bool) -> list[str]:
    from advisor.errors import InputError, UnknownName

    if git_only and given:
        raise InputError("--git-only and --source exclude each other")
    chosen = ["git"] if git_only else given or list(SOURCES)
    for name in chosen:
        if name not in SOURCES:
            raise UnknownName("source", name, list(SOURCES))
    return chosen


def _repositories(
    given: list[str] | None, domain: str, name: str | None
) -> tuple[dict[str, str | None], dict[str, str]]:
    """``owner/name`` → package for the APIs; ``owner/name`` or place → where its history is."""
    from advisor.addresses import check_repository
    from advisor.domain.domain import load_domain
    from advisor.errors import InputError

    known = {c.repository: c.package for c in load_domain(domain).candidates}
    if name and (not given or len(given) != 1):
        raise InputError("--name goes with exactly one repository")
    if not given:
        return known, {n: n for n in known}
    packages: dict[str, str | None] = {}
    for place in given:
        if not Path(place).is_dir() and "://" not in place:
            packages[check_repository(place)] = known.get(place)
    return packages, {place: place for place in given}


def _collect_api(
    packages: dict[str, str | None],
    sources: set[str],
    store: Path,
    progress: Progress,
    *,
    github_url: str | None,
    budget: int | None,
    dry_run: bool,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
    record_goes_on: bool = False,
) -> None:
    import asyncio
    import os

    import stamina

    from advisor.collect import live
    from advisor.collect.github.protocol import check_input_url, endpoints
    from advisor.collect.http import auth
    from advisor.collect.http.recording import replay as from_recording
    from advisor.collect.http.transport import Patience

    stamina.instrumentation.set_on_retry_hooks(())  # retries are told by the progress
    at = endpoints(os.environ, check_input_url(github_url) if github_url else None)
    credential = auth.find(at.rest, os.environ, Path.home()) if "github" in sources else None
    progress.tell("token", {"found_in": credential.found_in if credential else None})
    wanted = live.Wanted(
        packages, sources, store, at, credential, lambda: datetime.now(UTC), budget=budget, is_dry=dry_run,
        patience=Patience(limits=max_wait), record=record, record_goes_on=record_goes_on,
        wire=from_recording(replay) if replay else None,
    )  # fmt: skip
    progress.take(asyncio.run(live.collect(wanted, progress.tell)))


def _collect_git(
    histories: dict[str, str], store: Path, progress: Progress, day: date, name: str | None, url: str | None
) -> None:
    import os

    from advisor.collect.git import collect as run
    from advisor.collect.github.protocol import endpoints
    from advisor.errors import CollectError

    web = endpoints(os.environ, url).web
    for place, where in histories.items():
        is_name = not Path(where).is_dir() and "://" not in where
        try:
            done = run(
                f"{web}/{where}.git" if is_name and web != "https://github.com" else where,
                store,
                data_home() / "git",
                retrieved_on=day,
                repository=name or (where if is_name else None),
                progress=lambda text: progress.tell("git", {"text": text}),
            )
        except CollectError as error:
            progress.fail(place, "git", error)
        else:
            progress.collected.add(done)
