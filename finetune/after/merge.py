"""Write a run's result for other programs: a merged model or a GGUF file."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from advisor.files import draft_folder
from finetune import isolation, record
from finetune.after import card
from finetune.errors import RunError, TrainingError, explain_os_errors
from finetune.weights import base

CONVERTER = "convert_hf_to_gguf.py"


def merge_adapter(folder: Path, out: Path | None = None) -> Path:
    """Merge the adapter into the base's 16- or 32-bit weights, and write a complete model in safetensors.

    A QLoRA adapter was trained on the quantised base and is merged into the original; the run's
    ``evaluation.json`` has its loss on both. The model is written to a draft folder, loaded afresh and
    checked (`finetune.after.export_checks`). If no check fails, the draft is renamed, and record and card
    have the checks.

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
    out = out or folder / "merged"
    if out.exists() and any(out.iterdir()):
        raise RunError(f"{out} is not empty")
    base.fetch_model(spec.model.base, spec.model.revision)
    with explain_os_errors(out), draft_folder(out.parent, ".advisor-draft-") as draft:
        command = [sys.executable, "-m", "finetune.after.merge", str(folder), str(draft / "model")]
        process = isolation.run_program(command, isolation.OFFLINE)
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


def _refuse_failures(checks: list[Mapping[str, Any]], folder: Path) -> None:
    failures = [f"{check['name']}: {check['result']}" for check in checks if check["state"] == "failed"]
    if failures:
        raise TrainingError(
            f"the merged model does not answer as the run did, so advisor does not write it. "
            f"{'; '.join(failures)}. If {folder / 'adapter'} changed after the run, restore it"
        )


def find_converter() -> list[str] | None:
    """Return the command of llama.cpp's converter, from PATH or the checkout in LLAMA_CPP."""
    converter = shutil.which(CONVERTER)
    checkout = os.environ.get("LLAMA_CPP")
    if converter is None and checkout and (Path(checkout) / CONVERTER).is_file():
        converter = str(Path(checkout) / CONVERTER)
    return [sys.executable, converter] if converter else None


def write_gguf(folder: Path, out: Path, kind: str = "f16") -> Path:
    """Merge the adapter if that is not done yet, and convert the model to GGUF.

    Raises:
        RunError: llama.cpp's converter is not installed.
        TrainingError: the converter failed.
    """
    command = find_converter()
    if command is None:
        raise RunError(
            f"cannot find {CONVERTER}: clone llama.cpp, pip install its requirements, and set LLAMA_CPP to "
            "the checkout"
        )
    model = folder / "merged"
    if not model.is_dir():
        merge_adapter(folder)
    process = isolation.run_program([*command, str(model), "--outfile", str(out), "--outtype", kind])
    if process.returncode or not out.is_file():
        last = ((process.stderr or process.stdout).strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingError(f"{CONVERTER} failed with exit code {process.returncode}: {last}")
    return out


def _merge_in_process(folder: Path, out: Path) -> None:
    from finetune.after import evaluate, export_checks
    from finetune.data import dataset
    from finetune.data.template import load_tokenizer

    spec = record.read_spec(folder, record.read_record(folder))
    ends = export_checks.find_end_tokens(dataset.open_dataset(folder / "data"), spec)
    model = evaluate.load_model(folder, spec, is_quantised=False).merge_and_unload()
    export_checks.add_end_tokens(model, list(ends))
    model.save_pretrained(out)
    load_tokenizer(str(folder / "adapter")).save_pretrained(out)
    del model
    evaluate.release_memory()
    print(json.dumps([asdict(check) for check in export_checks.check_export(folder, out)]))


if __name__ == "__main__":
    _merge_in_process(Path(sys.argv[1]), Path(sys.argv[2]))
