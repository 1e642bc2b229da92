"""One of the workers of a large collection: takes repositories from the queue until none is left.

Started as ``python -m advisor.collect.many.worker STORE NUMBER``. It ends by itself when its leader is gone.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.collect.http.turns import Turns
from advisor.collect.many import clone_cache
from advisor.collect.many.queue import Plan, Queue
from advisor.errors import AdvisorError, CollectError

if TYPE_CHECKING:
    from advisor.collect.outcome import Outcome

CLONES_AT_ONCE = 4
"""From one host, whatever the number of workers."""


def work(store: Path, number: int) -> None:
    """Collect until every repository is settled.

    Args:
        store: the store with the queue.
        number: of this worker, from 0; it begins at another place of the list than the others.
    """
    queue = Queue(store)
    plan = queue.plan()
    leader = os.getppid()
    names = sorted(plan.histories)
    start = len(names) * number // max(1, number + 1)
    waiting = [*names[start:], *names[:start]]
    while waiting:
        left = []
        for name in waiting:
            if os.getppid() != leader:
                return
            with queue.claimed(name) as mine:
                if mine:
                    _one(queue, plan, name, number)
                elif not queue.is_settled(name):
                    left.append(name)
        waiting = left
        if waiting:
            time.sleep(0.05)


def _one(queue: Queue, plan: Plan, name: str, number: int) -> None:
    try:
        place = queue.making(name)
        collect(plan, name, place, number)
    except AdvisorError as error:
        queue.fail(name, str(error))
        return
    if (place / "manifest.json").exists():
        queue.finish(name)
    else:
        queue.fail(name, "no source told anything of it")


def collect(plan: Plan, name: str, place: Path, number: int) -> None:
    """Collect one repository into a store of its own.

    Raises:
        CollectError: a source that it needs could not be read.
    """
    turns = Turns(Path(plan.cache).parent / "turns")
    if "git" in plan.sources:
        _history(plan, name, place, turns)
    api = {source for source in plan.sources if source != "git"}
    if api:
        outcome = asyncio.run(_api(plan, name, place, api, turns, number))
        real = [m for m in outcome.missing if not m.is_final]
        if real:
            raise CollectError("; ".join(f"{m.part}: {m.why}" for m in real))


def _history(plan: Plan, name: str, place: Path, turns: Turns) -> None:
    from contextlib import nullcontext

    from advisor.collect.git import collect as run

    where, cache = plan.histories[name], Path(plan.cache)
    host = "github.com" if "://" not in where else where.split("/")[2]
    is_remote = bool(host) and not Path(where).is_dir()
    with (
        turns.slot(f"git-{host}", CLONES_AT_ONCE) if is_remote else nullcontext(),
        clone_cache.used(cache, name),
    ):
        run(where, place, cache, retrieved_on=date.fromisoformat(plan.day), repository=name)
    if plan.cache_limit is not None:
        clone_cache.shrink(cache, plan.cache_limit)


async def _api(plan: Plan, name: str, place: Path, sources: set[str], turns: Turns, number: int) -> Outcome:
    import stamina

    from advisor.collect import live
    from advisor.collect.github.protocol import check_input_url, endpoints
    from advisor.collect.http import auth
    from advisor.collect.http.token_pool import TokenPool
    from advisor.collect.http.transport import Patience

    stamina.instrumentation.set_on_retry_hooks(())
    at = endpoints(os.environ, check_input_url(plan.github_url) if plan.github_url else None)
    credentials = auth.find_all(at.rest, os.environ, Path.home()) if "github" in sources else []
    wanted = live.Wanted(
        {name: plan.packages.get(name)}, sources, place, at, credentials[0] if credentials else None,
        lambda: datetime.now(UTC), patience=Patience(limits=plan.max_wait), turns=turns,
        pool=TokenPool(credentials, turns, number) if len(credentials) > 1 else None,
    )  # fmt: skip
    return await live.collect(wanted, lambda _what, _numbers: None)


def main() -> None:
    """Work; an interrupt ends it without a word, as the leader tells of it."""
    try:
        work(Path(sys.argv[1]), int(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
    except AdvisorError as error:
        print(f"advisor: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
