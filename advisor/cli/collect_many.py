"""advisor collect --repos LIST: many repositories, by several workers, in shards."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from advisor.cli import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from advisor.collect.many.queue import Plan, Queue
from advisor.cli.repository_list import in_shard, read_list

PARTS_AT_ONCE = 200
"""Whole parts that are merged in one step of the manifest while the run goes on."""
DEATHS = 20
"""Workers that may die for each one that was asked for."""


def collect_many(
    repos: Path,
    store: Path,
    cache: Path,
    *,
    shard: str,
    workers: int,
    sources: Sequence[str],
    cache_limit: str | None,
    retrieved_on: str | None,
    github_url: str | None,
    max_wait: float,
) -> None:
    """Collect what a list names; the same command goes on where a killed one stopped.

    Raises:
        InputError: the list or an option is wrong.
        typer.Exit: 1 or 3: some could not be had; 130: interrupted.
    """
    from advisor.cli.collected import keep_measurements
    from advisor.collect.many.clone_cache import parse_size, sweep
    from advisor.collect.many.queue import Plan, Queue
    from advisor.errors import EXIT_FAILED, EXIT_PARTIAL

    histories = in_shard(read_list(repos), shard)
    if not histories:
        print(f"advisor: no repository of {repos} is in shard {shard}", file=sys.stderr)
        return
    today = datetime.now(UTC).date().isoformat()
    limit = parse_size(cache_limit) if cache_limit else None
    packages = _packages(histories, store)
    plan = Plan(histories, packages, tuple(sources), today, str(cache), limit, github_url, max_wait)
    queue = Queue(store)
    with queue.held():
        sweep(cache, time.time())
        plan = queue.begin(plan, retrieved_on)
        try:
            _lead(queue, plan, workers, _teller(len(histories)))
        except KeyboardInterrupt:
            print("advisor: interrupted; the same command goes on from here", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        queue.collect_parts()
        failures = {n: why for n, why in queue.failures().items() if n in histories}
        queue.end()
    if len(failures) < len(histories):
        keep_measurements(store)
    if failures:
        print("missing (the same command tries them again):", file=sys.stderr)
        for name, why in failures.items():
            print(f"  {name}: {why}", file=sys.stderr)
        raise typer.Exit(EXIT_PARTIAL if len(failures) < len(histories) else EXIT_FAILED)


def _packages(histories: dict[str, str], store: Path) -> dict[str, str | None]:
    from advisor.answers.dependencies.health import open_stores
    from advisor.answers.dependencies.packages import origins

    known = {
        o.repository: package
        for (kind, package), o in origins(open_stores([store])).items()
        if kind == "pypi"
    }
    return {name: known.get(name) for name in histories}


def _lead(queue: Queue, plan: Plan, workers: int, tell: Callable[[int, int, bool], None]) -> None:
    """Keep so many workers at it until every repository is settled."""
    from advisor.errors import AdvisorError

    def start(number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "advisor.collect.many.worker", str(queue.store), str(number)]
        )

    running = {n: start(n) for n in range(min(workers, len(plan.histories)))}
    deaths = 0
    try:
        while running:
            time.sleep(0.1)
            for number, process in list(running.items()):
                code = process.poll()
                if code is None:
                    continue
                del running[number]
                if code != 0:
                    deaths += 1
                    if deaths > DEATHS * workers:
                        raise AdvisorError(f"{deaths} workers ended with an error; the last one with {code}")
                    running[number] = start(number)
            whole, failed = queue.count()
            tell(whole, failed, not running)
            if len(list((queue.folder / "parts").iterdir())) >= PARTS_AT_ONCE:
                queue.collect_parts()
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


def _teller(total: int) -> Callable[[int, int, bool], None]:
    """A bar on a terminal; in a pipe a line whenever a tenth more is done."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        bars = Progress(
            TextColumn("repositories"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        task = bars.add_task("", total=total, note="")
        bars.start()

        def show(whole: int, failed: int, is_over: bool) -> None:
            bars.update(task, completed=whole + failed, note=f"{failed} failed" if failed else "")
            if is_over:
                bars.stop()

        return show
    told = [-1]

    def say(whole: int, failed: int, is_over: bool) -> None:
        tenth = 10 * (whole + failed) // total
        if tenth > told[0] or is_over:
            told[0] = tenth
            print(f"{whole} of {total} repositories are whole, {failed} failed", file=sys.stderr)

    return say
