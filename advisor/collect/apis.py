"""Collect from web APIs: GitHub and the other sources run at the same time.

Each source takes one repository after the other, and an error of one source does not stop the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.collect.github import run
from advisor.collect.github.graphql import GraphQLClient
from advisor.collect.github.protocol import Endpoints
from advisor.collect.github.state import CollectionState
from advisor.collect.http.messages import parse_origin
from advisor.collect.http.recording import Recording
from advisor.collect.http.transport import Patience, Transport
from advisor.collect.outcome import CollectionOutcome, EventHandler
from advisor.collect.sources import SOURCES, Source, load_source
from advisor.errors import CollectError, RepositoryNotFound

if TYPE_CHECKING:
    import httpx

    from advisor.collect.http.auth import Credential
    from advisor.collect.http.host_lock import HostLocks
    from advisor.collect.http.token_pool import TokenPool


@dataclass(frozen=True)
class CollectionRequest:
    """What to collect, from which sources and within which limits.

    Attributes:
        repositories: ``owner/name`` → package name; None if it is not known.
        sources: ``github`` or names of ``sources.SOURCES``.
        store: folder of fact tables.
        endpoints: addresses of GitHub's APIs.
        credential: token for that GitHub; None: requests without a token.
        clock: returns the current time.
        budget: largest number of GraphQL points to spend.
        is_dry_run: read only the overviews, report the plan and stop.
        patience: limits on waiting.
        record: file to write the requests and responses to.
        append_to_record: add to that file, because an earlier step of this run began it.
        wire: replaces the network in tests and replays.
        locks: rate limits shared with other processes; None: this process runs alone.
        pool: several tokens to use instead of the credential.
    """

    repositories: Mapping[str, str | None]
    sources: Collection[str]
    store: Path
    endpoints: Endpoints
    credential: Credential | None
    clock: Callable[[], datetime]
    budget: int | None = None
    is_dry_run: bool = False
    patience: Patience = field(default_factory=Patience)
    record: Path | None = None
    append_to_record: bool = False
    wire: httpx.AsyncBaseTransport | None = None
    locks: HostLocks | None = None
    pool: TokenPool | None = None


async def collect_from_apis(request: CollectionRequest, on_event: EventHandler) -> CollectionOutcome:
    """Collect what the request names; the outcome lists what is missing.

    Facts that were collected before an error stay in the store.

    Raises:
        InputError: the request cannot be used.
        FactsError: the store is damaged.
    """
    outcome = CollectionOutcome()
    state = CollectionState(request.store)
    other_sources = {name: load_source(name) for name in SOURCES if name in request.sources}
    hosts: dict[str, Credential | None] = {
        parse_origin(source.HOST): None for source in other_sources.values()
    }
    if "github" in request.sources:
        hosts |= {
            parse_origin(request.endpoints.rest): request.credential,
            parse_origin(request.endpoints.graphql): request.credential,
        }
    try:
        async with Transport(
            hosts,
            patience=request.patience,
            cache=state,
            on_event=on_event,
            wire=request.wire,
            locks=request.locks,
            pool=request.pool,
        ) as transport:
            recording = (
                Recording(request.record, transport.secrets, append=request.append_to_record)
                if request.record
                else None
            )
            transport.recorder = recording
            try:
                await _run(request, other_sources, transport, state, on_event, outcome)
            finally:
                if recording:
                    recording.close()
            outcome.requests = transport.traffic.requests
            outcome.unchanged_responses = transport.traffic.cache_hits
            outcome.waited_seconds = transport.traffic.waited_seconds
    finally:
        state.close()
    return outcome


async def _run(
    request: CollectionRequest,
    other_sources: Mapping[str, Source],
    transport: Transport,
    state: CollectionState,
    on_event: EventHandler,
    outcome: CollectionOutcome,
) -> None:
    context = run.Context(
        transport, request.endpoints, request.store, state, request.clock, on_event, outcome
    )
    names = list(request.repositories)
    if request.is_dry_run:
        if request.credential is None or "github" not in request.sources:
            on_event("plan", {"repositories": {}, "requests": 0, "points": 0, "spent": 0})
            return
        asking = GraphQLClient(transport, request.endpoints, outcome, on_event, request.clock, request.budget)
        await run.plan_collection(context, asking, names)
        return
    tasks: list[Awaitable[None]] = []
    if "github" in request.sources:
        has_token = request.credential is not None
        tasks.append(run.collect_repositories(context, names, has_token=has_token, budget=request.budget))
    tasks += [
        _collect_source(context, name, source, request.repositories) for name, source in other_sources.items()
    ]
    await _run_together(tasks)


async def _collect_source(
    context: run.Context, name: str, source: Source, packages: Mapping[str, str | None]
) -> None:
    for repository, package in packages.items():
        if source.NEEDS_PACKAGE and not package:
            continue
        try:
            day = context.clock().date()
            await source.collect(context.transport, context.store, repository, package or "", day)
        except CollectError as error:
            is_final = isinstance(error, RepositoryNotFound)
            context.outcome.record_missing(context.on_event, repository, name, error, is_final=is_final)
        else:
            context.outcome.repositories.add(repository)
            context.on_event("source", {"repository": repository, "source": name})


async def _run_together(tasks: Sequence[Awaitable[None]]) -> None:
    """Run all tasks; an error in one cancels the others and is raised."""
    running = [asyncio.ensure_future(t) for t in tasks]
    try:
        for task in running:
            await task
    finally:
        for task in running:
            task.cancel()
            with suppress(asyncio.CancelledError, CollectError):
                await task
