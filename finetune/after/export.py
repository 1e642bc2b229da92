"""A run in the files of other tools: MLflow's file store, and what trackio imports."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from finetune import record
from finetune.process import launch
from finetune.record import Record
from finetune.spec import iterate_leaves

_METRICS = ("loss", "learning_rate", "grad_norm", "tokens", "rss_bytes", "gpu_bytes")
# trackio 0.43 keeps ten letters, digits and slashes of a column's name, and groups by what precedes a slash.
_TRACKIO = {
    "loss": "train/loss",
    "learning_rate": "train/lr",
    "grad_norm": "train/norm",
    "tokens": "tokens",
    "rss_bytes": "mem/rss",
    "gpu_bytes": "mem/gpu",
}
_HELD_OUT = {"base": "test/base", "adapter": "test/tuned"}
_STATUS = {"finished": 3, "failed": 4, "interrupted": 5, "crashed": 4, "running": 1}


def to_trackio(folder: Path, out: Path) -> Path:
    """A CSV with a row a step, for ``trackio.import_csv(csv_path=…, project=…)``.

    Columns: step, timestamp (ISO 8601), the numbers of the step's event that are there, and on the last
    row the held-out losses before and after.
    """
    rows = [
        {
            "step": row["step"],
            "timestamp": datetime.fromtimestamp(row["time"]).astimezone().isoformat(),
            **{ours: row[name] for name, ours in _TRACKIO.items() if row.get(name) is not None},
        }
        for row in _steps(folder)
    ]
    held = record.read_record(folder).losses.get("held_out", {})
    if rows:
        rows[-1] |= {ours: held[name] for name, ours in _HELD_OUT.items() if name in held}
    names = ["step", "timestamp", *_TRACKIO.values(), *_HELD_OUT.values()]
    text = io.StringIO()
    writer = csv.DictWriter(text, [n for n in names if any(n in row for row in rows)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    record.write_text(out, text.getvalue())
    return out


def to_mlflow(folder: Path, store: Path, experiment: str = "advisor") -> Path:
    """A run in MLflow's file store.

    MLflow 3.17 opens one with ``MLFLOW_ALLOW_FILE_STORE=true``, or takes it over into its database with
    ``mlflow migrate-filestore``; both were tried, and gave back every parameter and every step.

    Parameters are the leaves of the spec, metrics the steps and the held-out losses. Writing the same
    run again gives the same folder.
    """
    told = record.read_record(folder)
    experiment_id = str(int(hashlib.sha256(experiment.encode()).hexdigest()[:12], 16))
    run_id = hashlib.sha256(f"{told.id}{told.started}".encode()).hexdigest()[:32]
    home = store / experiment_id
    run = home / run_id
    for name in ("metrics", "params", "tags", "artifacts"):
        (run / name).mkdir(parents=True, exist_ok=True)
    started = _milliseconds(told.started)
    ended = _milliseconds(told.ended) if told.ended else None
    _yaml(
        home / "meta.yaml",
        {
            "artifact_location": home.resolve().as_uri(),
            "creation_time": started,
            "experiment_id": experiment_id,
            "last_update_time": ended or started,
            "lifecycle_stage": "active",
            "name": experiment,
        },
    )
    _yaml(
        run / "meta.yaml",
        {
            "artifact_uri": (run / "artifacts").resolve().as_uri(),
            "end_time": ended,
            "entry_point_name": "",
            "experiment_id": experiment_id,
            "lifecycle_stage": "active",
            "run_id": run_id,
            "run_name": told.id,
            "run_uuid": run_id,
            "source_name": "",
            "source_type": 4,
            "source_version": "",
            "start_time": started,
            "status": _STATUS[told.current_state],
            "tags": [],
            "user_id": "",
        },
    )
    for name, value in iterate_leaves(told.spec):
        record.write_text(run / "params" / name, str(value))
    for name, value in _tags(told).items():
        record.write_text(run / "tags" / name, value)
    for name, lines in _series(folder, told).items():
        record.write_text(run / "metrics" / name, "".join(lines))
    return run


def _steps(folder: Path) -> list[dict[str, Any]]:
    """The last word on every step: after a resume a step may have been reported twice."""
    steps = {e["step"]: e for _, e in launch.read_events(folder) if e["event"] == "step"}
    return [steps[n] for n in sorted(steps)]


def _series(folder: Path, told: Record) -> dict[str, list[str]]:
    series: dict[str, list[str]] = {}
    rows = _steps(folder)
    for row in rows:
        for name in _METRICS:
            if row.get(name) is not None:
                line = f"{round(row['time'] * 1000)} {row[name]} {row['step']}\n"
                series.setdefault(name, []).append(line)
    last = rows[-1]["step"] if rows else 0
    for name, loss in told.losses.get("held_out", {}).items():
        series[f"held_out_loss_{name}"] = [f"{_milliseconds(told.ended or told.started)} {loss} {last}\n"]
    return series


def _tags(told: Record) -> dict[str, str]:
    tags = {"mlflow.runName": told.id, "stack": told.stack, "outcome": told.outcome}
    tags |= {f"data.{k}": str(v) for k, v in told.data.items() if k.endswith("sha256")}
    return {**tags, "model.fingerprint": str(told.model.get("fingerprint", ""))}


def _milliseconds(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def _yaml(path: Path, values: dict[str, Any]) -> None:
    record.write_text(path, "".join(f"{k}: {json.dumps(v)}\n" for k, v in values.items()))
