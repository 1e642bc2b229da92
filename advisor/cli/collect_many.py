"""`advisor collect --repos LIST`: many repositories, collected by several workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from advisor.cli import EXIT_INTERRUPT
from advisor.cli.collect_repositories import find_packages
from advisor.cli.repository_list import read_list, select_shard

if TYPE_CHECKING:
    from advisor.collect.many.queue import Queue, QueuePlan

MERGE_BATCH = 200  # complete parts that are merged in one step while the run continues
MAX_DEATHS = 20  # failed worker processes for each worker, before the run stops


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
    """Collect the repositories of a list; the same command resumes an interrupted run.

    Raises:
        InputError: the list or an option is wrong.
        typer.Exit: 1: every repository failed; 3: some failed; 130: interrupted.
    """
    from advisor.cli.measure_facts import measure_facts
    from advisor.collect.git.clone_cache import parse_size, remove_leftovers
    from advisor.collect.many.queue import Queue, QueuePlan
    from advisor.errors import EXIT_FAILURE, EXIT_PARTIAL

    histories = select_shard(read_list(repos), shard)
    if not histories:
        print(f"advisor: no repository of {repos} is in shard {shard}", file=sys.stderr)
        return
    today = datetime.now(UTC).date().isoformat()
    limit = parse_size(cache_limit) if cache_limit else None
    packages = find_packages(histories, store)
    plan = QueuePlan(histories, packages, tuple(sources), today, str(cache), limit, github_url, max_wait)
    queue = Queue(store)
    with queue.lock_run():
        remove_leftovers(cache)
        plan = queue.start_run(plan, retrieved_on)
        try:
            _run_workers(queue, plan, workers, _make_progress(len(histories)))
        except KeyboardInterrupt:
            print("advisor: interrupted; run the same command again to resume", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPT) from None
        queue.merge_parts()
        failures = {n: reason for n, reason in queue.read_failures().items() if n in histories}
        queue.end_run()
    if len(failures) < len(histories):
        measure_facts(store)
    if failures:
        print("missing (run the same command again to retry):", file=sys.stderr)
        for name, reason in failures.items():
            print(f"  {name}: {reason}", file=sys.stderr)
        raise typer.Exit(EXIT_PARTIAL if len(failures) < len(histories) else EXIT_FAILURE)


def _run_workers(
    queue: Queue, plan: QueuePlan, workers: int, show_progress: Callable[[int, int, bool], None]
) -> None:
    """Run the workers until every repository is complete or has failed; restart a worker that dies.

    Raises:
        AdvisorError: too many workers died.
        CannotWrite: a worker could not write a file; another one could not either.
    """
    from advisor.errors import AdvisorError

    running: dict[int, subprocess.Popen[bytes]] = {}
    deaths = 0
    try:
        for number in range(min(workers, len(plan.histories))):
            running[number] = _start_worker(queue, number)
        while running:
            time.sleep(0.1)
            for number, process in list(running.items()):
                code = process.poll()
                if code is None:
                    continue
                del running[number]
                _raise_write_error(process)
                if code != 0:
                    deaths += 1
                    if deaths > MAX_DEATHS * workers:
                        raise AdvisorError(f"{deaths} workers failed, the last one with exit code {code}")
                    running[number] = _start_worker(queue, number)
            complete_count, failure_count = queue.count_results()
            show_progress(complete_count, failure_count, not running)
            if len(list((queue.folder / "parts").iterdir())) >= MERGE_BATCH:
                queue.merge_parts()
    finally:
        _end_workers(list(running.values()))


def _start_worker(queue: Queue, number: int) -> subprocess.Popen[bytes]:
    words = [str(queue.store), str(number), str(os.getpid())]
    return subprocess.Popen(
        [sys.executable, "-m", "advisor.collect.many.worker", *words],
        stdout=subprocess.PIPE,
        process_group=0,  # Ctrl-C reaches only this process, which then ends the workers
    )


def _end_workers(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGTERM)  # its git too
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.communicate(timeout=10)


def _raise_write_error(worker: subprocess.Popen[bytes]) -> None:
    """Raise the error of a worker that could not write a file: its standard output is the message."""
    from advisor.errors import CannotWrite

    if output := worker.communicate()[0]:
        raise CannotWrite(output.decode().strip())


def _make_progress(total: int) -> Callable[[int, int, bool], None]:
    """Return a function that shows a bar on a terminal, and in a pipe a line for each tenth."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        bars = Progress(
            TextColumn("repositories"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        task = bars.add_task("", total=total, note="")
        bars.start()

        def move_bar(complete_count: int, failure_count: int, is_over: bool) -> None:
            note = f"{failure_count} failed" if failure_count else ""
            bars.update(task, completed=complete_count + failure_count, note=note)
            if is_over:
                bars.stop()

        return move_bar
    last_tenth = -1

    def print_line(complete_count: int, failure_count: int, is_over: bool) -> None:
        nonlocal last_tenth
        tenth = 10 * (complete_count + failure_count) // total
        if tenth > last_tenth or is_over:
            last_tenth = tenth
            counts = f"{complete_count} of {total} repositories collected, {failure_count} failed"
            print(counts, file=sys.stderr)

    return print_line
