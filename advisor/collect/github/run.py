"""GitHub: the overview of all repositories in a few queries, a plan with its price, then one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from advisor import addresses
from advisor.collect import parts
from advisor.collect.github import pages, protocol, queries, rest, shapes
from advisor.collect.github.asking import Asking
from advisor.collect.github.pages import Repository
from advisor.collect.github.state import State
from advisor.collect.http.messages import TooHeavy, TryAgain
from advisor.collect.http.shapes import count_rows, read_as
from advisor.collect.http.transport import TRIES, Transport
from advisor.collect.outcome import Outcome, Tell
from advisor.errors import CollectError, InputError, Refused, RepositoryNotFound, Unsound

BATCH = 25  # repositories in one overview; halved when GitHub gives up on it


@dataclass(frozen=True)
class Planned:
    """What is still to be asked of one repository, and what that will cost at most."""

    repository: Repository
    requests: int
    points: int


@dataclass(frozen=True)
class Where:
    """What every step needs: the wire, the place, the store and the clock."""

    transport: Transport
    at: protocol.Endpoints
    store: Path
    state: State
    clock: Callable[[], datetime]
    tell: Tell
    outcome: Outcome


async def collect(where: Where, names: Sequence[str], *, has_token: bool, budget: int | None = None) -> None:
    """Collect what GitHub knows of these repositories; what is missing is noted in the outcome."""
    if not has_token:
        await _without_token(where, names)
        return
    asking = Asking(where.transport, where.at, where.outcome, where.tell, where.clock, budget)
    planned = await plan(where, asking, names)
    if budget is not None:
        planned.sort(key=lambda step: step.points)  # the cheap ones first: more of them come to their end
    for at, step in enumerate(planned):
        await _one(where, asking, step.repository)
        if budget is not None and where.outcome.points >= budget:
            for unread in planned[at + 1 :]:
                why = f"not begun: it may cost {unread.points} points, and the budget is spent"
                where.outcome.miss(where.tell, unread.repository.name, "github", why)
            return


async def plan(where: Where, asking: Asking, names: Sequence[str]) -> list[Planned]:
    """Ask for the overviews and say what the rest will cost."""
    found = await _overviews(where, asking, names)
    planned = [_planned(where.state, r) for r in found]
    where.tell(
        "plan",
        {
            "repositories": {
                p.repository.name: {"requests": p.requests, "points": p.points} for p in planned
            },
            "requests": sum(p.requests for p in planned),
            "points": sum(p.points for p in planned),
            "spent": where.outcome.points,
        },
    )
    return planned


def _planned(state: State, repository: Repository) -> Planned:
    """Follow the reading of the pages without asking: how many, and how large."""
    totals = repository.totals()
    progress = {kind: state.progress(repository.name, kind) for kind in totals}
    have = {k: state.count(repository.name, k) if p.number == 1 else 0 for k, p in progress.items()}
    requests, points, size = rest.STAR_PAGES, 0, pages.START
    open_kinds = set(totals)
    while open_kinds:
        wanted = {
            k: pages.next_page(k, progress[k], totals[k], have[k], size) for k in totals if k in open_kinds
        }
        points += queries.pages("o", "n", wanted).points
        requests += 1
        for kind, page in wanted.items():
            have[kind] += page.first
            if progress[kind].known_until is not None or have[kind] >= totals[kind]:
                open_kinds.discard(kind)
        size = min(pages.LARGEST, size + pages.GROWTH)
    return Planned(repository, requests, points)


async def _overviews(where: Where, asking: Asking, names: Sequence[str]) -> list[Repository]:
    found: dict[str, Repository] = {}
    queue, tries, size = list(names), dict.fromkeys(names, 0), BATCH
    while queue:
        batch, aliases = queue[:size], {f"r{i}": name for i, name in enumerate(queue[:size])}
        document = queries.overview({a: _split(n) for a, n in aliases.items()})
        try:
            data = await asking.ask(document, asking.read, may_shrink=len(batch) > 1)
        except TooHeavy as error:
            size = max(1, len(batch) // 2)
            where.tell("smaller", {"size": size, "reason": str(error)})
            continue
        except CollectError as error:
            for name in queue:
                where.outcome.miss(where.tell, name, "github", error)
            break
        queue = queue[size:]
        size = min(BATCH, size + max(1, size // 4))
        for alias, name in aliases.items():
            tries[name] += 1
            try:
                found[name] = _overview(where, data, alias, name)
            except TryAgain as error:
                if tries[name] < TRIES:
                    queue.append(name)
                else:
                    where.outcome.miss(where.tell, name, "github", error)
            except CollectError as error:
                where.outcome.miss(where.tell, name, "github", error)
    return _once_each(where, [found[n] for n in names if n in found])


def _split(name: str) -> tuple[str, str]:
    owner, _, repository = addresses.check_repository(name).partition("/")
    return owner, repository


def _overview(where: Where, data: protocol.Data, alias: str, name: str) -> Repository:
    seen = read_as(shapes.Overview, protocol.of_repository(data, alias), name)
    _check_name(seen.known_as, name)
    repository = Repository(name, seen)
    if seen.known_as.lower() != name.lower():
        where.tell("renamed", {"repository": name, "known_as": seen.known_as})
    return repository


def _check_name(known_as: str, name: str) -> None:
    try:
        addresses.check_repository(known_as)
    except InputError:
        raise Unsound(f"{name}: GitHub gives it a name that is none") from None


def _once_each(where: Where, found: list[Repository]) -> list[Repository]:
    """The same repository under two names is collected under the first."""
    first: dict[int, str] = {}
    for repository in found:
        other = first.setdefault(repository.seen.github_id, repository.name)
        if other != repository.name:
            why = f"it is the same repository as {other}"
            where.outcome.miss(where.tell, repository.name, "github", why, is_final=True)
    return [r for r in found if first[r.seen.github_id] == r.name]


async def _one(where: Where, asking: Asking, repository: Repository) -> None:
    name = repository.name
    where.tell("repository", {"repository": name, "totals": repository.totals()})
    async with where.state.hold(name, lambda: where.tell("held", {"repository": name})):
        where.state.see(name, repository.seen.github_id, repository.totals(), where.clock())
        _write_overview(where, repository)
        with _noting(where, name, "threads and releases"):
            try:
                await pages.read_all(asking, where.state, repository, where.clock(), where.tell)
            finally:
                pages.write_facts(where.store, where.state, repository)
        with _noting(where, name, "star history"):
            speaking = rest.Rest(where.transport, where.at, where.clock, where.tell)
            await rest.star_history(
                speaking, where.store, name, repository.seen.known_as, repository.seen.stars
            )
    where.outcome.done.add(name)
    where.tell("done", {"repository": name})


class _noting:  # noqa: N801 - reads as a word of the `with` statement
    """Note a failed part as missing and go on; what is not there at all is noted as such."""

    def __init__(self, where: Where, name: str, part: str) -> None:
        self._where, self._name, self._part = where, name, part

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, CollectError):
            return False
        is_final = isinstance(error, RepositoryNotFound | Refused) and self._part == "star history"
        self._where.outcome.miss(self._where.tell, self._name, self._part, error, is_final=is_final)
        return True


def _write_overview(where: Where, repository: Repository) -> None:
    name, seen, day = repository.name, repository.seen, where.clock().date()
    about = {"repository": name, "source": pages.SOURCE, "retrieved_at": day.isoformat()}
    before = [
        r
        for r in parts.of(where.store, "repositories", name, "github")
        if str(r["observed_on"]) < day.isoformat()
    ]
    was_archived = bool(before) and before[-1]["declared_status"] == "archived"
    row = shapes.repository_row(seen, day, was_archived=was_archived)
    parts.add(where.store, "repositories", name, "github", [{**row, **about}], ("observed_on",))
    counted = count_rows(shapes.totals(seen), day, "as GitHub counts them")
    parts.add(where.store, "counts", name, "github", [{**r, **about} for r in counted], ("day", "metric"))


async def _without_token(where: Where, names: Sequence[str]) -> None:
    for name in names:
        with _noting(where, name, "github"):
            await _one_without_token(where, name)


async def _one_without_token(where: Where, name: str) -> None:
    speaking = rest.Rest(where.transport, where.at, where.clock, where.tell)
    seen = await rest.overview(speaking, name)
    _check_name(seen.known_as, name)
    where.tell("repository", {"repository": name, "totals": {}})
    async with where.state.hold(name, lambda: where.tell("held", {"repository": name})):
        where.state.see(name, seen.github_id, {}, where.clock())
        await rest.threads(speaking, where.state, name, seen)
        released = await rest.releases(speaking, seen.known_as)
        rest.write_facts(where.store, where.state, name, seen, where.clock(), released)
        where.outcome.done.add(name)
        with _noting(where, name, "star history"):
            await rest.star_history(speaking, where.store, name, seen.known_as, seen.stars)
    where.tell("done", {"repository": name})
