"""Print the progress of a training run, its summary, and the findings about its data."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from finetune.callbacks import RunCallbacks
    from finetune.data.findings import Finding

_ROWS_A_COUNT = 100


@contextmanager
def show_progress() -> Iterator[RunCallbacks]:
    """Show the stages of a run, and one bar with the loss, the memory and the time left.

    In a log or a pipe, which show no bar, a line a minute says how far the work is. With --quiet there is
    neither.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from advisor.cli.messages import is_quiet
    from advisor.cli.progress_log import ProgressLog
    from finetune import train_extra
    from finetune.callbacks import RunCallbacks

    console = Console(stderr=True, quiet=is_quiet())

    def write_line(text: str) -> None:
        console.print(f"· {text}", soft_wrap=not console.is_terminal)

    progress_log = ProgressLog(write_line, is_active=not console.is_terminal)

    def on_stage(text: str) -> None:
        write_line(text)
        progress_log.start_stage(text)
        bar.update(task, description="", count="", total=None, visible=False)

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Without a terminal the bar would leave an empty line, in front of an error too.
    bar = Progress(*columns, console=console, disable=not console.is_interactive)
    task = bar.add_task("", total=None, count="", figures="", visible=False)
    with ExitStack() as stack:
        stack.enter_context(progress_log)
        train_extra.enter_environment(sys.argv[1:], on_stage)  # before the bar, which hides the cursor
        stack.enter_context(bar)

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "step" and event["loss"] is not None:
                memory = (event["gpu_bytes"] or event["rss_bytes"]) / 2**30
                loss, accuracy = f"loss {event['loss']:.3f}", event.get("accuracy")
                loss += "" if accuracy is None else f", accuracy {accuracy:.0%}"
                progress_log.figures = f"step {event['step']} of {event['steps']}, {loss}"
                figures = f"{loss}  {event['tokens']:,} tokens  {memory:.1f} GiB"
                bar.update(
                    task,
                    description="train",
                    count=f"{event['step']}/{event['steps']}",
                    completed=event["step"],
                    total=event["steps"],
                    figures=figures,
                    visible=True,
                )

        def on_stop() -> None:
            console.print("writes a checkpoint after this step and stops; press Ctrl-C again to stop at once")

        def on_rows(count: int) -> None:
            progress_log.figures = f"{count:,} rows"
            if count % _ROWS_A_COUNT == 0:
                bar.update(task, count=progress_log.figures, visible=True)

        def on_progress(text: str, number: int, total: int) -> None:
            count = f"{number:,} of {total:,} rows" if total else ""
            progress_log.figures = f"{text}: {count}" if count else text
            bar.update(
                task,
                description=escape(text),
                count=count,
                completed=number,
                total=total or None,
                figures="",
                visible=True,
            )

        yield RunCallbacks(
            on_stage=on_stage, on_rows=on_rows, on_progress=on_progress, on_event=on_event, on_stop=on_stop
        )
        bar.update(task, visible=False)


def format_summary(folder: Path) -> str:
    """Return the outcome of a finished run, its files, and answers of the base model and of the adapter.

    Of several machines, only the first one evaluates: the others get one line.
    """
    import json

    from finetune import record
    from finetune.after import task
    from finetune.process import reporting, torchrun

    run = record.read_record(folder)
    if run.spec["devices"]["nodes"] > 1 and torchrun.node_rank():
        node = torchrun.node_rank()
        return f"machine {node} is done; machine 0 evaluates and writes the record in {folder}"
    lines = [
        run.outcome,
        *task.describe(run.task),
        f"adapter: {folder / 'adapter'}",
        f"record:  {folder / 'record.json'}",
    ]
    tool = run.spec["logging"].get("report_to", "none")
    if tool != "none":
        lines.append(f"{tool}: {reporting.describe_next_step(folder, tool)}")
    evaluation = folder / "evaluation.json"
    if evaluation.is_file():
        for answer in json.loads(evaluation.read_text("utf-8"))["generations"]:
            question = " ".join(answer["question"].split())
            lines += ["", question, f"  base:       {' '.join(answer['base'].split())}"]
            lines += [f"  fine-tuned: {' '.join(answer['adapter'].split())}"]
    return "\n".join(lines)


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print each finding about the data: what is wrong and where, why it matters, what to do."""
    colours = {"error": "bold red", "warning": "yellow", "note": "dim"}
    for finding in findings:
        console.print(f"[{colours[finding.severity]}]{finding.severity}[/] {finding.code}: ", end="")
        console.print(f"{finding.what} ({finding.where})", markup=False, highlight=False)
        console.print(
            f"    why: {finding.why}\n    do:  {finding.remedy}", style="dim", markup=False, highlight=False
        )
