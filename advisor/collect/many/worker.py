"""A worker of a large collection: it collects repositories from the queue until none is left.

`advisor collect --repos` starts it as ``python -m advisor.collect.many.worker STORE NUMBER LEADER``. It ends
when the process LEADER, which started it, ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.collect.http.host_lock import HostLocks
from advisor.collect.many.queue import Queue, QueuePlan
from advisor.errors import AdvisorError, CannotWrite, CollectError
from advisor.files import home_folder
from advisor.write_errors import explain_write_error

if TYPE_CHECKING:
    from advisor.collect.outcome import CollectionOutcome

CLONES_AT_ONCE = 4
"""Clones from one host at the same time, over all workers."""


def run_worker(store: Path, number: int, leader: int) -> None:
    """Collect until every repository is settled.

    Args:
        store: the store with the queue.
        number: number of this worker, from 0; each worker starts at its own place in the list.
        leader: id of the process that started this one.
    """
    queue = Queue(store)
    plan = queue.read_plan()
    names = sorted(plan.histories)
    start = len(names) * number // max(1, number + 1)
    waiting = [*names[start:], *names[:start]]
    while waiting:
        busy_names = []
        for name in waiting:
            if os.getppid() != leader:
                return
            with queue.claim(name) as is_ours:
                if is_ours:
                    _collect_next(queue, plan, name, number)
                elif not queue.is_settled(name):
                    busy_names.append(name)
        waiting = busy_names
        if waiting:
            time.sleep(0.05)


def _collect_next(queue: Queue, plan: QueuePlan, name: str, number: int) -> None:
    try:
        store = queue.prepare_store(name)
        collect_repository(plan, name, store, number)
    except CannotWrite:  # it has nothing to do with the repository
        raise
    except AdvisorError as error:
        queue.fail(name, str(error))
        return
    if (store / "manifest.json").exists():
        queue.finish(name)
    else:
        queue.fail(name, "no source has facts about it")


def collect_repository(plan: QueuePlan, name: str, store: Path, number: int) -> None:
    """Collect one repository into a store of its own.

    Raises:
        CollectError: a source could not be read.
    """
    locks = HostLocks(Path(plan.cache).parent / "turns")
    if "git" in plan.sources:
        _collect_history(plan, name, store, locks)
    api_sources = {source for source in plan.sources if source != "git"}
    if api_sources:
        outcome = asyncio.run(_collect_from_apis(plan, name, store, api_sources, locks, number))
        failures = [m for m in outcome.missing if not m.is_final]
        if failures:
            raise CollectError("; ".join(f"{m.part}: {m.reason}" for m in failures))


def _collect_history(plan: QueuePlan, name: str, store: Path, locks: HostLocks) -> None:
    from contextlib import nullcontext

    from advisor.collect.git import collect_history
    from advisor.collect.git.clone_cache import shrink_cache

    where, cache = plan.histories[name], Path(plan.cache)
    host = "github.com" if "://" not in where else where.split("/")[2]
    is_remote = bool(host) and not Path(where).is_dir()
    with locks.lock_slot(f"git-{host}", CLONES_AT_ONCE) if is_remote else nullcontext():
        collect_history(
            where,
            store,
            cache,
            retrieved_on=date.fromisoformat(plan.day),
            repository=name,
            warn=lambda text: print(text, file=sys.stderr),
        )
    if plan.cache_limit is not None:
        shrink_cache(cache, plan.cache_limit)


async def _collect_from_apis(
    plan: QueuePlan, name: str, store: Path, sources: set[str], locks: HostLocks, number: int
) -> CollectionOutcome:
    import stamina

    from advisor.collect import apis
    from advisor.collect.github.protocol import check_input_url, find_endpoints
    from advisor.collect.http import auth
    from advisor.collect.http.token_pool import TokenPool
    from advisor.collect.http.transport import Patience

    stamina.instrumentation.set_on_retry_hooks(())
    endpoints = find_endpoints(os.environ, check_input_url(plan.github_url) if plan.github_url else None)
    credentials = (
        auth.find_credentials(endpoints.rest, os.environ, home_folder()) if "github" in sources else []
    )
    request = apis.CollectionRequest(
        {name: plan.packages.get(name)}, sources, store, endpoints, credentials[0] if credentials else None,
        lambda: datetime.now(UTC), patience=Patience(limits=plan.max_wait), locks=locks,
        pool=TokenPool(credentials, locks, number) if len(credentials) > 1 else None,
    )  # fmt: skip
    return await apis.collect_from_apis(request, lambda _kind, _values: None)


def main() -> None:
    """Run the worker.

    The leading process prints the message about a file that cannot be written: it reads that from the
    standard output.
    """
    try:
        run_worker(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except Exception as error:
        message = error if isinstance(error, AdvisorError) else explain_write_error(error)
        if message is None:
            raise
        print(message, file=sys.stdout if isinstance(message, CannotWrite) else sys.stderr)
        sys.exit(message.exit_code)


if __name__ == "__main__":
    main()
