"""The progress bar of a training run, and its summary."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune.run import Watch


@contextmanager
def progress() -> Iterator[Watch]:
    """One bar for the whole run, with the loss and the time left; stages above it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from finetune import home
    from finetune.run import Watch

    console = Console(stderr=True)
    home.enter(sys.argv[1:], lambda text: console.print(f"· {text}"))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=False) as bar:
        task = bar.add_task("prepare", total=None, told="", visible=False)

        def event(told: dict[str, Any]) -> None:
            if told["event"] == "step" and told["loss"] is not None:
                memory = (told["gpu_bytes"] or told["rss_bytes"]) / 2**30
                text = f"loss {told['loss']:.3f}  {told['tokens']:,} tokens  {memory:.1f} GiB"
                bar.update(
                    task,
                    description="train",
                    completed=told["step"],
                    total=told["steps"],
                    told=text,
                    visible=True,
                )

        def stopping() -> None:
            console.print("stopping at the end of this step, with a checkpoint; Ctrl-C again to stop at once")

        yield Watch(stage=lambda text: console.print(f"· {text}"), event=event, stopping=stopping)


def summary(folder: Path) -> str:
    """What a finished run has to say; on any but the first of several machines, that it is over."""
    import json

    from finetune import record
    from finetune.process import spread

    told = record.load(folder)
    if told.spec["devices"]["nodes"] > 1 and spread.rank():
        return f"machine {spread.rank()} is done; the first one evaluates and keeps the record in {folder}"
    lines = [f"{told.outcome}", f"adapter: {folder / 'adapter'}", f"record:  {folder / 'record.json'}"]
    judged = folder / "evaluation.json"
    if judged.is_file():
        for one in json.loads(judged.read_text("utf-8"))["generations"]:
            question = " ".join(one["question"].split())
            lines += ["", question, f"  base:       {' '.join(one['base'].split())}"]
            lines += [f"  fine-tuned: {' '.join(one['adapter'].split())}"]
    return "\n".join(lines)
