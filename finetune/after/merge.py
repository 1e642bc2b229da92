"""Merge a run's adapter into its base, and check the model."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from advisor.files import draft_folder
from finetune import isolation, record
from finetune.after import card
from finetune.callbacks import RunCallbacks
from finetune.child_progress import begin
from finetune.errors import RunError, TrainingError, explain_os_errors
from finetune.spec import RunSpec
from finetune.weights import base

AUTOMATIC, ORIGINAL, FROM_4_BITS = "auto", "original", "dequantised"
LOSS_MARGIN = 1e-3  # nats a token: less is rounding


def merge_adapter(
    folder: Path,
    out: Path | None = None,
    base_weights: str = AUTOMATIC,
    callbacks: RunCallbacks = RunCallbacks(),
) -> Path:
    """Merge the adapter into its base, and write a complete model in safetensors.

    A QLoRA adapter was trained on the base in 4 bits. It can be merged into the original weights, or into
    the 4-bit weights after they are converted back to 16 or 32 bits (``dequantised``). The model is written
    to a draft folder, loaded afresh and checked (`finetune.after.export_checks`). If no check fails, the
    draft is renamed, and record and card have the checks.

    Args:
        folder: the run's folder.
        out: folder of the model; None: RUN/merged.
        base_weights: ``original``, ``dequantised``, or ``auto``: the one on which the run's evaluation gave
            the adapter the lower loss.
        callbacks: called with the stage and its progress.

    Raises:
        RunError: the run is not finished, or its adapter cannot be merged, or ``out`` is not empty.
        TrainingError: the merging process failed, or the model does not answer as the adapter.
    """
    run_record = record.read_record(folder)
    if run_record.current_state != "finished":
        raise RunError(f"{folder} is {run_record.current_state}; only a finished run can be merged")
    spec = record.read_spec(folder, run_record)
    if spec.method.name in ("full", "prompt-tuning", "prefix-tuning"):
        raise RunError(f"a {spec.method.name} run has nothing to merge into the base's weights")
    if base_weights == FROM_4_BITS and spec.method.name != "qlora":
        raise RunError(f"a {spec.method.name} run has no quantised base; merge it into the original weights")
    out = out or folder / "merged"
    if out.exists() and any(out.iterdir()):
        raise RunError(f"{out} is not empty")
    chosen_weights = choose_base(run_record) if base_weights == AUTOMATIC else base_weights
    base.fetch_model(spec.model.base, spec.model.revision)
    callbacks.on_stage("merge the adapter into its base, and compare the model with the run")
    with explain_os_errors(out), draft_folder(out.parent, ".advisor-draft-") as draft:
        command = [sys.executable, "-m", "finetune.after.merge"]
        process = isolation.run_program(
            [*command, str(folder), str(draft / "model"), chosen_weights],
            isolation.OFFLINE,
            callbacks.on_progress,
        )
        if process.returncode:
            last = (process.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise TrainingError(f"merging failed with exit code {process.returncode}: {last}")
        if not process.stdout.strip():
            raise TrainingError("merging printed no checks of the model, so advisor does not use it")
        checks = json.loads(process.stdout.splitlines()[-1])
        _refuse_failures(checks, folder)
        if out.exists():
            out.rmdir()
        (draft / "model").rename(out)
    run_record = record.update_record(folder, run_record, export=tuple(checks))
    card.write_card(folder, run_record)
    return out


def choose_base(run_record: record.Record) -> str:
    """Return the weights that a merge needs: those on which the adapter has the lower held-out loss.

    The original weights win within rounding, because they have no rounding of 4 bits.
    """
    losses = run_record.losses.get("held_out", {})
    if "adapter_quantised" not in losses:
        return ORIGINAL
    if "adapter" not in losses:  # the original base did not fit into the memory
        return FROM_4_BITS
    return FROM_4_BITS if losses["adapter"] > losses["adapter_quantised"] + LOSS_MARGIN else ORIGINAL


def _refuse_failures(checks: list[Mapping[str, Any]], folder: Path) -> None:
    failures = [f"{check['name']}: {check['result']}" for check in checks if check["state"] == "failed"]
    if failures:
        raise TrainingError(
            f"the merged model does not answer as the run did, so advisor does not write it. "
            f"{'; '.join(failures)}. If {folder / 'adapter'} changed after the run, restore it"
        )


def _merge_in_process(folder: Path, out: Path, base_weights: str) -> None:
    from finetune.after import answer_checks, evaluate, export_checks
    from finetune.data import dataset
    from finetune.data.template import load_tokenizer

    spec = record.read_spec(folder, record.read_record(folder))
    data = dataset.open_dataset(folder / "data")
    ends = export_checks.find_end_tokens(data, spec)
    is_dequantised = base_weights == FROM_4_BITS
    begin("load the adapter")
    adapter = (evaluate.load_from_4_bits if is_dequantised else _load_original)(folder, spec)
    tokenizer = export_checks.load_run_tokenizer(spec)
    questions = answer_checks.select_questions(data, tokenizer, spec)
    answers = answer_checks.answer_with(adapter, tokenizer, questions, "adapter")
    begin("write the merged model")
    model = adapter.merge_and_unload()
    export_checks.add_end_tokens(model, list(ends))
    model.save_pretrained(out)
    load_tokenizer(str(folder / "adapter")).save_pretrained(out)
    del adapter, model
    evaluate.release_memory()
    checks = export_checks.check_export(folder, out, answers, is_dequantised=is_dequantised)
    print(json.dumps([asdict(check) for check in checks]))


def _load_original(folder: Path, spec: RunSpec) -> Any:
    from finetune.after import evaluate

    return evaluate.load_model(folder, spec, is_quantised=False)


if __name__ == "__main__":
    _merge_in_process(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
