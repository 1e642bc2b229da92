"""Export a run to other tools: MLflow's file store, and a CSV file for trackio."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from finetune import record
from finetune.errors import explain_os_errors
from finetune.process import launch
from finetune.record import Record
from finetune.spec import iterate_leaves

_METRICS = ("loss", "accuracy", "margin", "learning_rate", "grad_norm", "tokens", "rss_bytes", "gpu_bytes")
# trackio 0.43 truncates column names to ten letters, digits and slashes, and groups by the part before a
# slash.
_TRACKIO = {
    "loss": "train/loss",
    "accuracy": "train/acc",
    "margin": "train/marg",
    "learning_rate": "train/lr",
    "grad_norm": "train/norm",
    "tokens": "tokens",
    "rss_bytes": "mem/rss",
    "gpu_bytes": "mem/gpu",
}
_LOSSES = {"base": "test/base", "adapter": "test/tuned"}
_STATUS = {"finished": 3, "failed": 4, "interrupted": 5, "crashed": 4, "running": 1}


def to_trackio(folder: Path, out: Path) -> Path:
    """Write a CSV with one row per step, for ``trackio.import_csv(csv_path=…, project=…)``.

    Columns: step, timestamp (ISO 8601), the numbers of the step's event, and in the last row the held-out
    losses before and after training.
    """
    rows = [
        {
            "step": row["step"],
            "timestamp": datetime.fromtimestamp(row["time"]).astimezone().isoformat(),
            **{column: row[name] for name, column in _TRACKIO.items() if row.get(name) is not None},
        }
        for row in _read_steps(folder)
    ]
    losses = record.read_record(folder).losses.get("held_out", {})
    if rows:
        rows[-1] |= {column: losses[name] for name, column in _LOSSES.items() if name in losses}
    names = ["step", "timestamp", *_TRACKIO.values(), *_LOSSES.values()]
    text = io.StringIO()
    writer = csv.DictWriter(text, [n for n in names if any(n in row for row in rows)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    record.write_text(out, text.getvalue())
    return out


def to_mlflow(folder: Path, store: Path, experiment: str = "advisor") -> Path:
    """Write a run to an MLflow file store.

    MLflow 3.17 opens it with ``MLFLOW_ALLOW_FILE_STORE=true``, or imports it into its database with
    ``mlflow migrate-filestore``. We tried both: they return every parameter and every step.

    The parameters are the fields of the spec; the metrics are the steps and the held-out losses. The same run
    always goes to the same folder.
    """
    run_record = record.read_record(folder)
    experiment_id = str(int(hashlib.sha256(experiment.encode()).hexdigest()[:12], 16))
    run_id = hashlib.sha256(f"{run_record.id}{run_record.started}".encode()).hexdigest()[:32]
    home = store / experiment_id
    run = home / run_id
    with explain_os_errors(store):
        for name in ("metrics", "params", "tags", "artifacts"):
            (run / name).mkdir(parents=True, exist_ok=True)
    start_time = _milliseconds(run_record.started)
    end_time = _milliseconds(run_record.ended) if run_record.ended else None
    _write_yaml(
        home / "meta.yaml",
        {
            "artifact_location": home.resolve().as_uri(),
            "creation_time": start_time,
            "experiment_id": experiment_id,
            "last_update_time": end_time or start_time,
            "lifecycle_stage": "active",
            "name": experiment,
        },
    )
    _write_yaml(
        run / "meta.yaml",
        {
            "artifact_uri": (run / "artifacts").resolve().as_uri(),
            "end_time": end_time,
            "entry_point_name": "",
            "experiment_id": experiment_id,
            "lifecycle_stage": "active",
            "run_id": run_id,
            "run_name": run_record.id,
            "run_uuid": run_id,
            "source_name": "",
            "source_type": 4,
            "source_version": "",
            "start_time": start_time,
            "status": _STATUS[run_record.current_state],
            "tags": [],
            "user_id": "",
        },
    )
    for name, value in iterate_leaves(run_record.spec):
        record.write_text(run / "params" / name, str(value))
    for name, value in _collect_tags(run_record).items():
        record.write_text(run / "tags" / name, value)
    for name, lines in _metric_lines(folder, run_record).items():
        record.write_text(run / "metrics" / name, "".join(lines))
    return run


def _read_steps(folder: Path) -> list[dict[str, Any]]:
    """Return the last event of every step; after a resume a step may have two."""
    steps = {e["step"]: e for _, e in launch.read_events(folder) if e["event"] == "step"}
    return [steps[n] for n in sorted(steps)]


def _metric_lines(folder: Path, run_record: Record) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    rows = _read_steps(folder)
    for row in rows:
        for name in _METRICS:
            if row.get(name) is not None:
                text = f"{round(row['time'] * 1000)} {row[name]} {row['step']}\n"
                lines.setdefault(name, []).append(text)
    last = rows[-1]["step"] if rows else 0
    results = {f"held_out_loss_{n}": loss for n, loss in run_record.losses.get("held_out", {}).items()}
    for name, figures in run_record.losses.get("preferences", {}).items():
        results |= {f"held_out_{figure}_{name}": value for figure, value in figures.items()}
    for name, value in results.items():
        lines[name] = [f"{_milliseconds(run_record.ended or run_record.started)} {value} {last}\n"]
    return lines


def _collect_tags(run_record: Record) -> dict[str, str]:
    tags = {"mlflow.runName": run_record.id, "stack": run_record.stack, "outcome": run_record.outcome}
    tags |= {f"data.{k}": str(v) for k, v in run_record.data.items() if k.endswith("sha256")}
    return {**tags, "model.fingerprint": str(run_record.model.get("fingerprint", ""))}


def _milliseconds(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def _write_yaml(path: Path, values: dict[str, Any]) -> None:
    record.write_text(path, "".join(f"{k}: {json.dumps(v)}\n" for k, v in values.items()))
