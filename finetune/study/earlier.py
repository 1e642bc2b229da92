"""Runs of an interrupted study in its folder: which of them count."""

from __future__ import annotations

from pathlib import Path

from finetune import record
from finetune.errors import RunError
from finetune.spec import RunSpec, iterate_leaves

ROUTINE_FIELDS = ("output", "evaluation.every_steps")


def read_earlier_run(folder: Path, spec: RunSpec) -> record.Record | None:
    """Return the record of the run in a folder if it has this spec; None if there is no run.

    Raises:
        RunError: it is running, or has another spec.
    """
    if not (folder / "record.json").is_file():
        return None
    run_record = record.read_record(folder)
    if run_record.current_state == "running":
        raise RunError(f"{folder} is running; wait for it, or use another -o")
    earlier_values = dict(iterate_leaves(record.read_spec(folder, run_record).model_dump()))
    for name, value in iterate_leaves(spec.model_dump()):
        if value is not None and name not in ROUTINE_FIELDS and earlier_values[name] != value:
            raise RunError(
                f"{folder} has a run with {name} = {earlier_values[name]!r}, not {value!r}; use another -o"
            )
    return run_record
