"""Write the folder of a finished run with known times, without training."""

from __future__ import annotations

import json
from pathlib import Path

from finetune import record
from finetune.spec import compose_spec


def write_finished_run(folder: Path) -> Path:
    """Write record, data and events of a run of six steps; return the folder."""
    (folder / "data").mkdir()
    (folder / "data" / "rows.jsonl").touch()
    (folder / "data" / "summary.json").write_text(json.dumps({"train_sha256": "t", "test_sha256": "h"}))
    spec = compose_spec(
        [("t", {"model": {"base": "a/b"}, "data": {"train": "x"}, "devices": {"kind": "cpu"}})]
    ).spec
    record.write_record(folder, record.Record(
        id="r", state="finished", started=record.utc_now(), spec=spec.model_dump(mode="json"), origins={}, stack="trl",
        losses={"held_out": {"base": 2.0, "adapter": 1.5}}, environment={"packages": {"trl": "1.16.0"}},
        model={"fingerprint": "f"},
    ))  # fmt: skip
    marks = [("started", 0.0, {}), ("imported", 4.0, {}), ("loaded", 5.5, {"trainable": 10})]
    marks += [
        (
            "step",
            6.0 + 9 * (n > 0) + n,
            {"step": n + 1, "loss": 3.0 - n, "tokens": 50 * (n + 1), "trained": 10 * (n + 1)},
        )
        for n in range(6)
    ]
    marks += [("finished", 30.0, {"peak_rss_bytes": 7, "peak_gpu_bytes": 0})]
    (folder / "events.jsonl").write_text(
        "".join(json.dumps({"event": e, "time": t, **f}) + "\n" for e, t, f in marks)
    )
    return folder
