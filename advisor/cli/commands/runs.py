"""advisor runs: list, show, compare, prune, merge, export."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import app
from advisor.files import data_home

if TYPE_CHECKING:
    from finetune.record import Record

runs = typer.Typer(help="The runs on this machine: list, show, diff, prune, merge, gguf, export.")
app.add_typer(runs, name="runs")
Run = Annotated[str, typer.Argument(help="Folder of a run, its id, or the beginning of its id.")]


class Tool(StrEnum):
    """What a run can be written for."""

    mlflow = "mlflow"
    trackio = "trackio"


@runs.callback(invoke_without_command=True)
def list_runs(context: typer.Context) -> None:
    """List the runs, oldest first."""
    if context.invoked_subcommand is not None:
        return
    from advisor.report.text import table
    from finetune import record

    rows = [_row(folder, told) for folder, told in record.every()]
    if not rows:
        print(f"no runs yet in {data_home() / 'runs'}")
        return
    header = ["run", "state", "model", "method", "held out", "steps", "seconds", "MiB"]
    print("\n".join(table(header, rows)))


def _row(folder: Path, told: Record) -> list[str]:
    from finetune.record import size_bytes

    held = told.losses.get("held_out", {})
    suffix = "_quantised" if "base_quantised" in held else ""
    losses = f"{held['base' + suffix]:.3f} → {held['adapter' + suffix]:.3f}" if held else "?"
    steps = str(max((a.to_step for a in told.attempts), default=0))
    seconds = sum(a.seconds for a in told.attempts)
    return [
        folder.name,
        told.standing,
        Path(told.spec["model"]["base"]).name,
        str(told.spec["method"]["name"] or "?"),
        losses,
        steps,
        f"{seconds:.0f}" if seconds else "?",
        f"{size_bytes(folder) / 2**20:.0f}",
    ]


@runs.command()
def show(run: Run) -> None:
    """Print the record of a run as JSON."""
    from finetune import record

    print((record.find(run) / "record.json").read_text("utf-8"), end="")


@runs.command()
def diff(left: Run, right: Run) -> None:
    """Say what differed between two runs: first what was set, then what came of it."""
    from advisor.report.text import table
    from finetune import record
    from finetune.after import compare

    a, b = record.load(record.find(left)), record.load(record.find(right))
    found = compare.difference(a, b)
    causes = [d for d in found if d.is_cause]
    results = [d for d in found if not d.is_cause]
    for title, rows in (("what was set", causes), ("what came of it", results)):
        print(f"{title}: {len(rows) or 'no'} difference{'s' * (len(rows) != 1)}")
        if rows:
            cells = [[f"{d.part}.{d.name}", _shown(d.left), _shown(d.right)] for d in rows]
            print("\n".join("  " + line for line in table(["", a.id, b.id], cells)))
    if len(causes) > 1:
        print(f"{len(causes)} things were changed at once: none of them can be called the cause")


def _shown(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 40 else text[:18] + "…" + text[-18:]  # a column's width


@runs.command()
def prune(
    chosen: Annotated[
        list[str] | None, typer.Argument(help="Runs; default: all that did not finish.")
    ] = None,
    checkpoints: Annotated[bool, typer.Option(help="Only the checkpoints of finished runs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs that did not finish, or the checkpoints of those that did. Running ones are spared."""
    from finetune import record

    def sure(folder: Path) -> bool:
        return yes or typer.confirm(
            f"delete {folder} ({record.size_bytes(folder) / 2**20:.0f} MiB)?", err=True
        )

    known = [(record.find(name), record.load(record.find(name))) for name in chosen or []] or list(
        record.every()
    )
    if checkpoints:
        folders = [f / "work" for f, told in known if told.standing == "finished" and (f / "work").is_dir()]
        gone = record.remove_checkpoints(folders, sure)
    else:
        folders = [f for f, told in known if chosen or told.standing not in ("finished", "running")]
        gone = record.remove(folders, sure)
    for folder in gone:
        print(f"deleted {folder}")
    if not gone:
        print("nothing deleted", file=sys.stderr)


@runs.command()
def merge(
    run: Run,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="Folder; default RUN/merged.")] = None,
) -> None:
    """Merge the adapter into the base: a whole model in safetensors."""
    from finetune import record
    from finetune.after import merge as handover

    print(handover.merge(record.find(run), out))


@runs.command()
def gguf(
    run: Run,
    out: Annotated[Path, typer.Option("--output", "-o", help="The GGUF file.")],
    kind: Annotated[str, typer.Option("--type", help="f32, f16, bf16, q8_0.")] = "f16",
) -> None:
    """Convert to GGUF with llama.cpp's converter (from PATH, or of the checkout in LLAMA_CPP)."""
    from finetune import record
    from finetune.after import merge as handover

    print(handover.gguf(record.find(run), out, kind))


@runs.command()
def export(
    run: Run,
    to: Annotated[Tool, typer.Option(help="Whose files to write.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="MLflow: the store's folder. trackio: a CSV.")],
) -> None:
    """Write a run as MLflow's file store or as CSV for trackio; the way to open it goes to stderr."""
    from finetune import record
    from finetune.after import export as write

    folder = record.find(run)
    print(write.to_mlflow(folder, out) if to is Tool.mlflow else write.to_trackio(folder, out))
    opened = {
        Tool.mlflow: f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {out}, or "
        f"mlflow migrate-filestore --source {out} --target sqlite:///mlflow.db",
        Tool.trackio: f"python -c \"import trackio; trackio.import_csv('{out}', project='PROJECT')\"",
    }
    print(f"open it with: {opened[to]}", file=sys.stderr)
