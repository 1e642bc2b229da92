"""What leaves a run: a merged model, a GGUF file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from finetune import record
from finetune.errors import RunError, TrainingError
from finetune.spec import RunSpec

CONVERTER = "convert_hf_to_gguf.py"


def merge_adapter(folder: Path, out: Path | None = None) -> Path:
    """Add the adapter's weights to the base's own 16- or 32-bit ones; a whole model in safetensors.

    An adapter of a QLoRA run was trained on the quantised base; it is merged into the original, and the
    run's ``evaluation.json`` holds its loss on both. Written beside its place and renamed.

    Raises:
        RunError: the run is not finished, or is no run of an adapter that can be merged.
        TrainingError: the merging process ended with an error.
    """
    told = record.read_record(folder)
    if told.current_state != "finished":
        raise RunError(f"{folder} is {told.current_state}; only a finished run can be merged")
    spec = RunSpec.model_validate(told.spec)
    if spec.method.name in ("full", "prompt-tuning", "prefix-tuning"):
        raise RunError(f"a run of {spec.method.name} has nothing to merge into the base's weights")
    out = out or folder / "merged"
    if out.exists() and any(out.iterdir()):
        raise RunError(f"{out} is not empty")
    draft = out.with_name(out.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "finetune.after.merge", str(folder), str(draft)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        check=False,
    )
    if done.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingError(f"merging ended with {done.returncode}: {last}")
    if out.exists():
        out.rmdir()
    draft.rename(out)
    return out


def find_converter() -> list[str] | None:
    """llama.cpp's converter: from PATH, or from a checkout named by LLAMA_CPP."""
    found = shutil.which(CONVERTER)
    checkout = os.environ.get("LLAMA_CPP")
    if found is None and checkout and (Path(checkout) / CONVERTER).is_file():
        found = str(Path(checkout) / CONVERTER)
    return [sys.executable, found] if found else None


def write_gguf(folder: Path, out: Path, kind: str = "f16") -> Path:
    """Merge where that has not been done, and convert.

    Raises:
        RunError: llama.cpp's converter is not installed.
        TrainingError: it ended with an error.
    """
    command = find_converter()
    if command is None:
        raise RunError(
            f"{CONVERTER} is not here: clone llama.cpp, pip install its requirements, and name the checkout "
            "in LLAMA_CPP"
        )
    merged = folder / "merged"
    if not merged.is_dir():
        merge_adapter(folder)
    done = subprocess.run(
        [*command, str(merged), "--outfile", str(out), "--outtype", kind],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not out.is_file():
        last = ((done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingError(f"{CONVERTER} ended with {done.returncode}: {last}")
    return out


def _merge_here(folder: Path, out: Path) -> None:
    from finetune.after.evaluate import load_model
    from finetune.data.template import load_tokenizer

    spec = RunSpec.model_validate(record.read_record(folder).spec)
    model = load_model(folder, spec, quantised=False)
    model.merge_and_unload().save_pretrained(out)
    load_tokenizer(str(folder / "adapter")).save_pretrained(out)


if __name__ == "__main__":
    _merge_here(Path(sys.argv[1]), Path(sys.argv[2]))
