"""Collect from GitHub: all overviews in few queries, a plan with its cost, then each repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from advisor import addresses
from advisor.collect import parts
from advisor.collect.github import pages, protocol, queries, rest, shapes
from advisor.collect.github.graphql import GraphQLClient
from advisor.collect.github.pages import Repository
from advisor.collect.github.state import CollectionState
from advisor.collect.http.messages import QueryTooHeavy, RetryableError
from advisor.collect.http.shapes import build_count_rows, read_as
from advisor.collect.http.transport import TRIES, Transport
from advisor.collect.outcome import CollectionOutcome, EventHandler
from advisor.errors import CollectError, InputError, Refused, RepositoryNotFound, Unsound

BATCH = 25  # repositories per overview query; halved when GitHub gives up on it


@dataclass(frozen=True)
class RepositoryPlan:
    """The requests that a repository still needs, and their maximum cost in points."""

    repository: Repository
    requests: int
    points: int


@dataclass(frozen=True)
class Context:
    """Transport, endpoints, store, state, clock, events and outcome of a collection."""

    transport: Transport
    endpoints: protocol.Endpoints
    store: Path
    state: CollectionState
    clock: Callable[[], datetime]
    on_event: EventHandler
    outcome: CollectionOutcome

    def record_missing(
        self, repository: str, part: str, reason: str | CollectError, *, is_final: bool = False
    ) -> None:
        """Record in the outcome that a part of a repository is missing."""
        self.outcome.record_missing(self.on_event, repository, part, reason, is_final=is_final)


async def collect_repositories(
    context: Context, names: Sequence[str], *, has_token: bool, budget: int | None = None
) -> None:
    """Collect GitHub's facts about these repositories; the outcome records what is missing."""
    if not has_token:
        await _collect_without_token(context, names)
        return
    client = GraphQLClient(
        context.transport, context.endpoints, context.outcome, context.on_event, context.clock, budget
    )
    plans = await plan_collection(context, client, names)
    if budget is not None:
        plans.sort(key=lambda plan: plan.points)  # the cheapest first, so that more of them are completed
    for i, plan in enumerate(plans):
        await _collect_one(context, client, plan.repository)
        if budget is not None and context.outcome.points >= budget:
            for open_plan in plans[i + 1 :]:
                reason = f"not started: it may cost {open_plan.points} points, and the budget is used up"
                context.record_missing(open_plan.repository.name, "github", reason)
            return


async def plan_collection(
    context: Context, client: GraphQLClient, names: Sequence[str]
) -> list[RepositoryPlan]:
    """Read the overviews and report the cost of the other requests."""
    repositories = await _read_overviews(context, client, names)
    plans = [_plan_repository(context.state, r) for r in repositories]
    context.on_event(
        "plan",
        {
            "repositories": {p.repository.name: {"requests": p.requests, "points": p.points} for p in plans},
            "requests": sum(p.requests for p in plans),
            "points": sum(p.points for p in plans),
            "spent": context.outcome.points,
        },
    )
    return plans


def _plan_repository(state: CollectionState, repository: Repository) -> RepositoryPlan:
    """Simulate the reading of the pages, without requests, to count them and their points."""
    totals = repository.read_totals()
    progress = {kind: state.read_progress(repository.name, kind) for kind in totals}
    counts = {k: pages.count_for_planning(state, repository.name, k, p) for k, p in progress.items()}
    requests, points = rest.STAR_PAGES, 0
    open_kinds = set(totals)
    while open_kinds:
        open_progress = {k: progress[k] for k in totals if k in open_kinds}
        next_pages = pages.plan_next_pages(open_progress, totals, counts, pages.LARGEST)
        points += queries.build_pages_query("o", "n", next_pages).points
        requests += 1
        for kind, page in next_pages.items():
            counts[kind] += page.first
            if progress[kind].known_until is not None or counts[kind] >= totals[kind]:
                open_kinds.discard(kind)
    return RepositoryPlan(repository, requests, points)


async def _read_overviews(context: Context, client: GraphQLClient, names: Sequence[str]) -> list[Repository]:
    repositories: dict[str, Repository] = {}
    queue, tries, size = list(names), dict.fromkeys(names, 0), BATCH
    while queue:
        batch, aliases = queue[:size], {f"r{i}": name for i, name in enumerate(queue[:size])}
        document = queries.build_overview_query({a: _split_name(n) for a, n in aliases.items()})
        try:
            data = await client.send(document, client.read_data, may_shrink=len(batch) > 1)
        except QueryTooHeavy as error:
            size = max(1, len(batch) // 2)
            context.on_event("smaller", {"size": size, "reason": str(error)})
            continue
        except CollectError as error:
            for name in queue:
                context.record_missing(name, "github", error)
            break
        queue = queue[size:]
        size = min(BATCH, size + max(1, size // 4))
        for alias, name in aliases.items():
            tries[name] += 1
            try:
                repositories[name] = _read_overview(context, data, alias, name)
            except RetryableError as error:
                if tries[name] < TRIES:
                    queue.append(name)
                else:
                    context.record_missing(name, "github", error)
            except CollectError as error:
                _record_failed_overview(context, name, error)
    return _drop_duplicates(context, [repositories[n] for n in names if n in repositories])


def _split_name(name: str) -> tuple[str, str]:
    owner, _, repository = addresses.check_repository(name).partition("/")
    return owner, repository


def _record_failed_overview(context: Context, name: str, error: CollectError) -> None:
    """Record that a repository has no overview; one that GitHub knew earlier and no longer knows is gone."""
    earlier_rows = parts.read_part(context.store, "repositories", name, "github")
    is_gone = isinstance(error, RepositoryNotFound) and bool(earlier_rows)
    if is_gone:
        day = context.clock().date().isoformat()
        row = {
            "repository": name, "observed_on": day, "declared_status": "gone", "evidence": str(error),
            "source": pages.SOURCE, "retrieved_at": day,
        }  # fmt: skip
        parts.add_rows(context.store, "repositories", name, "github", [row], ("observed_on",))
    context.record_missing(name, "github", error, is_final=is_gone)


def _read_overview(context: Context, data: protocol.GraphQLData, alias: str, name: str) -> Repository:
    overview = read_as(shapes.Overview, protocol.get_repository(data, alias), name)
    _check_name(overview.known_as, name)
    if overview.known_as.lower() != name.lower():
        context.on_event("renamed", {"repository": name, "known_as": overview.known_as})
    return Repository(name, overview)


def _check_name(known_as: str, name: str) -> None:
    try:
        addresses.check_repository(known_as)
    except InputError:
        raise Unsound(f"{name}: GitHub sends a name that is not a valid owner/name") from None


def _drop_duplicates(context: Context, repositories: list[Repository]) -> list[Repository]:
    """Keep a repository that has two names under the first of them."""
    first_names: dict[int, str] = {}
    for repository in repositories:
        first = first_names.setdefault(repository.overview.github_id, repository.name)
        if first != repository.name:
            reason = f"it is the same repository as {first}"
            context.record_missing(repository.name, "github", reason, is_final=True)
    return [r for r in repositories if first_names[r.overview.github_id] == r.name]


async def _collect_one(context: Context, client: GraphQLClient, repository: Repository) -> None:
    name, overview, totals = repository.name, repository.overview, repository.read_totals()
    context.on_event("repository", {"repository": name, "totals": totals})
    async with context.state.lock(name, lambda: context.on_event("held", {"repository": name})):
        context.state.save_overview(name, overview.github_id, totals, context.clock())
        _write_overview(context, repository)
        with _record_failure(context, name, "threads and releases"):
            try:
                await pages.read_threads(client, context.state, repository, context.clock(), context.on_event)
            finally:
                pages.write_facts(context.store, context.state, repository)
        with _record_failure(context, name, "star history"):
            await rest.collect_star_history(
                _build_rest_client(context), context.store, name, overview.known_as, overview.stars
            )
    context.outcome.repositories.add(name)
    context.on_event("done", {"repository": name})


def _build_rest_client(context: Context) -> rest.RestClient:
    return rest.RestClient(context.transport, context.endpoints, context.clock, context.on_event)


@contextmanager
def _record_failure(context: Context, name: str, part: str) -> Iterator[None]:
    """Record a part as missing if it fails, and continue."""
    try:
        yield
    except CollectError as error:
        is_final = isinstance(error, RepositoryNotFound | Refused) and part == "star history"
        context.record_missing(name, part, error, is_final=is_final)


def _write_overview(context: Context, repository: Repository) -> None:
    name, overview, day = repository.name, repository.overview, context.clock().date()
    about = {"repository": name, "source": pages.SOURCE, "retrieved_at": day.isoformat()}
    earlier_rows = [
        r
        for r in parts.read_part(context.store, "repositories", name, "github")
        if str(r["observed_on"]) < day.isoformat()
    ]
    earlier_status = earlier_rows[-1]["declared_status"] if earlier_rows else None
    row = shapes.build_repository_row(overview, day, earlier_status)
    parts.add_rows(context.store, "repositories", name, "github", [{**row, **about}], ("observed_on",))
    rows = build_count_rows(shapes.read_totals(overview), day, "as GitHub counts them")
    parts.add_rows(context.store, "counts", name, "github", [{**r, **about} for r in rows], ("day", "metric"))


async def _collect_without_token(context: Context, names: Sequence[str]) -> None:
    for name in names:
        with _record_failure(context, name, "github"):
            await _collect_one_without_token(context, name)


async def _collect_one_without_token(context: Context, name: str) -> None:
    client = _build_rest_client(context)
    try:
        facts = await rest.read_repository(client, name)
    except CollectError as error:
        _record_failed_overview(context, name, error)
        return
    _check_name(facts.known_as, name)
    context.on_event("repository", {"repository": name, "totals": {}})
    async with context.state.lock(name, lambda: context.on_event("held", {"repository": name})):
        context.state.save_overview(name, facts.github_id, {}, context.clock())
        await rest.read_threads(client, context.state, name, facts)
        release_rows = await rest.read_releases(client, facts.known_as)
        rest.write_facts(context.store, context.state, name, facts, context.clock(), release_rows)
        context.outcome.repositories.add(name)
        with _record_failure(context, name, "star history"):
            await rest.collect_star_history(client, context.store, name, facts.known_as, facts.stars)
    context.on_event("done", {"repository": name})
