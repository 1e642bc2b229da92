"""advisor runs: list, compare, delete, merge, push and export the runs on this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import app
from advisor.cli.output import check_output
from advisor.cli.run_exports import export, gguf, merge, push
from advisor.cli.run_options import Metrics, Run
from advisor.cli.run_output import show_progress
from advisor.files import data_home

if TYPE_CHECKING:
    from finetune.record import Record

runs = typer.Typer(
    help="List, compare, delete, merge, push and export training runs.\n\n"
    "Without a command: list the runs, oldest first."
)
app.add_typer(runs, name="runs")


@runs.callback(invoke_without_command=True)
def list_runs(context: typer.Context) -> None:
    """List the runs, oldest first."""
    if context.invoked_subcommand is not None:
        return
    from advisor.report.tables import text_table
    from finetune import record

    def report(problem: str) -> None:
        print(f"advisor: {problem}", file=sys.stderr)

    rows = [_format_row(folder, run) for folder, run in record.iterate_runs(report)]
    if not rows:
        print(f"no runs yet in {data_home() / 'runs'}")
        return
    header = ["run", "state", "model", "method", "held out", "steps", "seconds", "MiB"]
    print("\n".join(text_table(header, rows)))


def _format_row(folder: Path, run: Record) -> list[str]:
    from finetune.record import count_bytes

    held_out = run.losses.get("held_out")
    suffix = "_quantised" if _look_up(held_out, "base_quantised") is not None else ""
    values = [_look_up(held_out, name + suffix) for name in ("base", "adapter")]
    losses = " → ".join(f"{value:.3f}" for value in values if isinstance(value, int | float)) or "?"
    accuracy = _look_up(run.losses, "preferences", f"adapter{suffix}", "accuracy")
    if isinstance(accuracy, int | float):
        losses += f", accuracy {accuracy:.0%}"
    method, objective = (_look_up(run.spec, "method", name) for name in ("name", "objective"))
    steps = str(max((attempt.to_step for attempt in run.attempts), default=0))
    seconds = sum(attempt.seconds for attempt in run.attempts)
    return [
        folder.name,
        run.current_state,
        Path(str(_look_up(run.spec, "model", "base") or "?")).name,
        f"{method}, {objective}" if isinstance(objective, str) and objective != "sft" else str(method or "?"),
        losses,
        steps,
        f"{seconds:.0f}" if seconds else "?",
        f"{count_bytes(folder) / 2**20:.0f}",
    ]


def _look_up(values: Any, *names: str) -> Any:
    """Return a value of nested tables; None if there is none, as in a record that somebody changed."""
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


@runs.command()
def show(run: Run) -> None:
    """Print the record of a run as JSON."""
    from finetune import record

    folder = record.find_run(run)
    record.read_record(folder)  # refuses what is no record
    print((folder / "record.json").read_text("utf-8"), end="")


@runs.command()
def diff(first: Run, second: Run) -> None:
    """Compare two runs: their settings, then their results."""
    from advisor.report.tables import text_table
    from finetune import record
    from finetune.after.differences import find_differences

    a, b = record.read_record(record.find_run(first)), record.read_record(record.find_run(second))
    differences = find_differences(a, b)
    causes = [d for d in differences if d.is_cause]
    results = [d for d in differences if not d.is_cause]
    for title, rows in (("settings", causes), ("results", results)):
        print(f"{title}: {len(rows) or 'no'} difference{'s' * (len(rows) != 1)}")
        if rows:
            cells = [[f"{d.part}.{d.name}", _format_value(d.first), _format_value(d.second)] for d in rows]
            print("\n".join("  " + line for line in text_table(["", a.id, b.id], cells)))
    if len(causes) > 1:
        print(f"{len(causes)} settings differ, so the results do not show the effect of any one of them")


def _format_value(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 40 else text[:18] + "…" + text[-18:]  # the width of a column


@runs.command()
def judge(run: Run, metric: Metrics = None) -> None:
    """Judge the answers of a finished run by metrics of the task.

    Shows base and adapter with 95 % intervals and a paired test, and writes the result into the record and
    the model card. Uses the answers in RUN/answers.jsonl, and no model.
    """
    from finetune import record
    from finetune.after import card, task
    from finetune.sections import AUTOMATIC_METRIC

    folder = record.find_run(run)
    run_record = record.read_record(folder)
    result = task.judge_answers(folder, metric or [AUTOMATIC_METRIC])
    if any("error" not in one for one in result["metrics"].values()):
        run_record = record.update_record(folder, run_record, task=result)
        card.write_card(folder, run_record)
    print("\n".join(task.describe(result)) or f"no metric: {result['reason']}")


@runs.command()
def tree(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="Folder of runs. Default: the one in your data folder."),
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="WORD", help="Only runs with this tag.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write an HTML page.", callback=check_output)
    ] = None,
) -> None:
    """Show what was tried: each run under its parent, what it changed and brought, and which is best.

    Runs are compared by the first metric of the task that all of them have, else by the held-out loss, and
    only if their held-out rows are the same.
    """
    from advisor.cli.run_tree import format_tree, read_groups, render_page
    from advisor.files import write_atomically

    groups = read_groups(folder, tag)
    print("\n".join(format_tree(groups)) or f"no runs yet in {folder or data_home() / 'runs'}")
    if html is not None:
        write_atomically(html, render_page(groups).encode())
        print(f"written: {html}")


@runs.command()
def note(
    run: Run, text: Annotated[str, typer.Argument(help="The note. It replaces an earlier one.")]
) -> None:
    """Write a note into the record of a run: why you tried it, or what you learned."""
    from finetune import record

    folder = record.find_run(run)
    record.update_record(folder, record.read_record(folder), note=text)
    print(f"{folder.name}: {text}")


@runs.command()
def tag(
    run: Run,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="Words to add.")],
    remove: Annotated[bool, typer.Option("--remove", help="Remove the words.")] = False,
) -> None:
    """Add tags to the record of a run, or remove them."""
    from finetune import record

    folder = record.find_run(run)
    run_record = record.read_record(folder)
    other_tags = [word for word in run_record.tags if word not in words]
    tags = tuple(dict.fromkeys([*other_tags, *([] if remove else words)]))
    record.update_record(folder, run_record, tags=tags)
    print(f"{folder.name}: {', '.join(tags) or 'no tags'}")


@runs.command()
def prune(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[run]...", help="Runs to delete. Default: all that did not finish."),
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option(help="Delete only the checkpoints of finished runs, and keep the runs.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete runs that did not finish, or checkpoints.

    Asks before each deletion. Never deletes a run that is running.
    """
    from finetune import record

    def confirm(folder: Path) -> bool:
        size = f"{record.count_bytes(folder) / 2**20:.0f} MiB"
        return yes or typer.confirm(f"delete {folder} ({size})?", err=True)

    folders = [record.find_run(name) for name in names or []]
    candidates = [(folder, record.read_record(folder)) for folder in folders] or [
        (folder, run) for folder, run in record.iterate_runs() if not _is_link(folder)
    ]
    if checkpoints:
        work_folders = [folder / "work" for folder, run in candidates if run.current_state == "finished"]
        deleted_folders = record.remove_checkpoints([f for f in work_folders if f.is_dir()], confirm)
    else:
        keep_states = () if names else ("finished", "running")
        run_folders = [folder for folder, run in candidates if run.current_state not in keep_states]
        deleted_folders = record.remove_runs(run_folders, confirm)
    for folder in deleted_folders:
        print(f"deleted {folder}")
    if not deleted_folders:
        print("nothing deleted", file=sys.stderr)


def _is_link(folder: Path) -> bool:
    """Return whether a run's folder is a symbolic link; say that it stays."""
    if folder.is_symlink():
        print(f"kept {folder}: it is a symbolic link to {folder.resolve()}", file=sys.stderr)
    return folder.is_symlink()


@runs.command()
def serve(
    run: Run,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Port; 0: any free one.")] = 8080,
) -> None:
    """Serve base and adapter as an OpenAI-compatible endpoint on this machine, until Ctrl-C.

    The models are `adapter` and `base`. Only programs on this machine reach it.
    """
    from contextlib import closing

    from finetune import record
    from finetune.after.serve import ModelProcess, build_server

    folder = record.find_run(run)
    with show_progress() as callbacks:
        callbacks.on_stage(f"load the model of {folder.name}")
        process = ModelProcess(folder)
    with closing(process) as models, build_server(models, folder.name, port) as server:
        print(
            f"http://127.0.0.1:{server.server_address[1]}/v1 serves the models adapter and base", flush=True
        )
        server.serve_forever()


@runs.command()
def chat(
    run: Run,
    max_tokens: Annotated[int, typer.Option(min=1, metavar="N", help="Longest answer in tokens.")] = 256,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="System message before each question, as in your rows.")
    ] = None,
) -> None:
    """Ask base and adapter in the terminal, side by side.

    A line is a question without the earlier ones. Ends at the end of the input (Ctrl-D).
    """
    from contextlib import closing

    from finetune import record
    from finetune.after.serve import MODELS, ModelProcess

    folder = record.find_run(run)
    with show_progress() as callbacks:
        callbacks.on_stage(f"load the model of {folder.name}")
        process = ModelProcess(folder)
    first_messages = [{"role": "system", "content": system}] if system else []
    with closing(process) as models:
        print("ask a question; Ctrl-D ends", file=sys.stderr)
        for line in sys.stdin:
            if not line.strip():
                continue
            for model in MODELS[::-1]:
                messages = [*first_messages, {"role": "user", "content": line.strip()}]
                request = {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": 0}
                pieces = list(models.answer(request))
                text = "".join(piece.get("text", "") for piece in pieces).strip()
                print(f"{model + ':':<9}{pieces[-1].get('error') or text}", flush=True)


for _command in (merge, gguf, push, export):
    runs.command()(_command)
