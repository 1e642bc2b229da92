"""All sources together: GitHub and the package world at the same time, each serial, each failing alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.collect.github import run
from advisor.collect.github.asking import Asking
from advisor.collect.github.protocol import Endpoints
from advisor.collect.github.state import State
from advisor.collect.http.messages import origin
from advisor.collect.http.recording import Recording
from advisor.collect.http.transport import Patience, Transport
from advisor.collect.outcome import Outcome, Tell
from advisor.collect.sources import SOURCES, Source, source
from advisor.errors import CollectError, RepositoryNotFound

if TYPE_CHECKING:
    import httpx

    from advisor.collect.http.auth import Credential
    from advisor.collect.http.token_pool import TokenPool
    from advisor.collect.http.turns import Turns


@dataclass(frozen=True)
class Wanted:
    """What to collect, from where, and how far to go for it.

    Attributes:
        repositories: ``owner/name`` → name of the package, None where none is known.
        sources: ``github`` or some of ``sources.SOURCES``.
        store: folder of facts.
        at: where GitHub is.
        credential: for that GitHub; None: without a token.
        budget: GraphQL points at most.
        is_dry: ask for the overviews, tell the plan, and stop.
        patience: bounds on waiting.
        record: file to write the exchanges to.
        record_goes_on: add to that file what an earlier part of the same run has begun.
        wire: what stands in for the network.
        clock: tells the time.
        turns: with other processes that collect; None: there are none.
        pool: tokens to take in place of the credential.
    """

    repositories: Mapping[str, str | None]
    sources: Collection[str]
    store: Path
    at: Endpoints
    credential: Credential | None
    clock: Callable[[], datetime]
    budget: int | None = None
    is_dry: bool = False
    patience: Patience = field(default_factory=Patience)
    record: Path | None = None
    record_goes_on: bool = False
    wire: httpx.AsyncBaseTransport | None = None
    turns: Turns | None = None
    pool: TokenPool | None = None


async def collect(wanted: Wanted, tell: Tell) -> Outcome:
    """Collect; what could not be had is in the outcome, and what was collected is kept in any case.

    Raises:
        InputError: something in what is wanted cannot be used.
        FactsError: the store is damaged.
    """
    outcome = Outcome()
    state = State(wanted.store)
    beside = {name: source(name) for name in SOURCES if name in wanted.sources}
    hosts: dict[str, Credential | None] = {origin(asked.HOST): None for asked in beside.values()}
    if "github" in wanted.sources:
        hosts |= {origin(wanted.at.rest): wanted.credential, origin(wanted.at.graphql): wanted.credential}
    try:
        async with Transport(
            hosts,
            patience=wanted.patience,
            cache=state,
            tell=tell,
            wire=wanted.wire,
            turns=wanted.turns,
            pool=wanted.pool,
        ) as transport:
            recording = (
                Recording(wanted.record, transport.secrets, goes_on=wanted.record_goes_on)
                if wanted.record
                else None
            )
            transport.recorder = recording
            try:
                await _run(wanted, beside, transport, state, tell, outcome)
            finally:
                if recording:
                    recording.close()
            outcome.requests = transport.traffic.requests
            outcome.not_modified = transport.traffic.not_modified
            outcome.waited_seconds = transport.traffic.waited_seconds
    finally:
        state.close()
    return outcome


async def _run(
    wanted: Wanted,
    beside: Mapping[str, Source],
    transport: Transport,
    state: State,
    tell: Tell,
    outcome: Outcome,
) -> None:
    where = run.Where(transport, wanted.at, wanted.store, state, wanted.clock, tell, outcome)
    names = list(wanted.repositories)
    if wanted.is_dry:
        if wanted.credential is None or "github" not in wanted.sources:
            tell("plan", {"repositories": {}, "requests": 0, "points": 0, "spent": 0})
            return
        asking = Asking(transport, wanted.at, outcome, tell, wanted.clock, wanted.budget)
        await run.plan(where, asking, names)
        return
    tasks: list[Awaitable[None]] = []
    if "github" in wanted.sources:
        has_token = wanted.credential is not None
        tasks.append(run.collect(where, names, has_token=has_token, budget=wanted.budget))
    tasks += [_each(where, name, asked, wanted.repositories) for name, asked in beside.items()]
    await _together(tasks)


async def _each(where: run.Where, name: str, asked: Source, packages: Mapping[str, str | None]) -> None:
    for repository, package in packages.items():
        if asked.NEEDS_PACKAGE and not package:
            continue
        try:
            day = where.clock().date()
            await asked.collect(where.transport, where.store, repository, package or "", day)
        except CollectError as error:
            is_final = isinstance(error, RepositoryNotFound)
            where.outcome.miss(where.tell, repository, name, error, is_final=is_final)
        else:
            where.outcome.done.add(repository)
            where.tell("source", {"repository": repository, "source": name})


async def _together(tasks: Sequence[Awaitable[None]]) -> None:
    """Run all; if one fails for a reason that is not its source's, end the others and say so."""
    running = [asyncio.ensure_future(t) for t in tasks]
    try:
        for task in running:
            await task
    finally:
        for task in running:
            task.cancel()
            with suppress(asyncio.CancelledError, CollectError):
                await task
