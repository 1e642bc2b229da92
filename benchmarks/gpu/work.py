"""What the kit runs with the interpreter of its environment; `kit.py` starts this.

    python work.py numbers                     # NF4 there and back, and a step of the paged optimizer
    python work.py model FOLDER llama-8b|tiny  # a model with random weights
    python work.py texts FILE ROWS LENGTH
    python work.py train RUN WORDS…            # `advisor train WORDS -o RUN`
    python work.py interrupt RUN WORDS…        # the same with Ctrl-C after its first steps, then --resume

Each prints one JSON object in its last line.
"""

from __future__ import annotations

import itertools
import json
import signal
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import qlora  # noqa: E402 - the benchmark in the folder above

from finetune.machine import device_memory, hardware, roofline  # noqa: E402
from finetune.process import launch  # noqa: E402
from finetune.record import read_record  # noqa: E402
from finetune.spec import RunSpec  # noqa: E402
from finetune.weights import base  # noqa: E402

PACKAGES = ("torch", "transformers", "accelerate", "trl", "peft", "bitsandbytes", "datasets", "triton")
PACKAGES += ("torchtune", "torchao", "litgpt", "lightning", "unsloth", "unsloth-zoo")
WARM_UP_STEPS = 2


def measure_numbers() -> dict:
    """Return the facts of the card and of torch, the error of NF4, and whether the paged optimizer works."""
    import bitsandbytes
    import torch

    has_gpu = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if has_gpu else ("cpu", torch.float32)
    torch.manual_seed(0)
    weight = torch.randn(1024, 1024, device=device, dtype=dtype)
    packed, state = bitsandbytes.functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    error = (bitsandbytes.functional.dequantize_4bit(packed, state) - weight).abs().mean().item()
    facts = {
        "nf4_error": error,
        "torch_cuda": torch.version.cuda,
        "versions": read_versions(),
        "paged_value": None,
    }
    if has_gpu:
        parameter = torch.nn.Parameter(torch.ones(8192, device=device))
        optimizer = bitsandbytes.optim.PagedAdamW8bit([parameter])
        parameter.sum().backward()
        optimizer.step()
        facts |= {"paged_value": float(parameter[0]), "architectures": torch.cuda.get_arch_list()}
    return facts


def read_versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def train(run: Path, words: list[str]) -> dict:
    """Run `advisor train`, and return the figures of the run and how the command ended."""
    began = time.monotonic()
    with device_memory.record_peak(run):
        process = subprocess.run(
            [sys.executable, "-m", "advisor", "train", *words, "-o", str(run)],
            stdout=sys.stderr,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    sys.stderr.write(process.stderr)
    figures = {"exit_code": process.returncode, "seconds": round(time.monotonic() - began, 1)}
    figures["message"] = " ".join(process.stderr.split())[-1500:]
    return figures | (describe_run(run) if (run / "record.json").is_file() else {})


def interrupt_and_resume(run: Path, words: list[str]) -> dict:
    """Train, press Ctrl-C after the first steps, resume, and return both ends."""
    advisor = [sys.executable, "-m", "advisor", "train"]
    process = subprocess.Popen([*advisor, *words, "-o", str(run)], stdout=sys.stderr, start_new_session=True)
    while process.poll() is None and count_steps(run) < WARM_UP_STEPS:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    exit_code = process.wait()
    ends = {"exit_code": exit_code, "interrupted": describe_run(run)}
    resume = subprocess.run([*advisor, "--resume", str(run)], stdout=sys.stderr, check=False)
    return ends | {"resume_exit_code": resume.returncode, "resumed": describe_run(run)}


def count_steps(run: Path) -> int:
    return sum(event["event"] == "step" for _, event in launch.read_events(run)) if run.is_dir() else 0


def describe_run(run: Path) -> dict:
    """Return the figures of a run from its record and its events; memory in MiB, times in seconds."""
    run_record = read_record(run)
    spec = RunSpec.model_validate(run_record.spec)
    events = [event for _, event in launch.read_events(run)]
    steps = [event for event in events if event["event"] == "step"]
    loaded = next((event for event in events if event["event"] == "loaded"), {})
    training = spec.training
    gate = run / "gate.json"
    return {
        "stack": spec.stack,
        "method": spec.method.name,
        "kind": spec.devices.kind,
        "dtype": training.dtype,
        "micro_batch_size": training.micro_batch_size,
        "gradient_checkpointing": training.gradient_checkpointing,
        "optimizer": training.optimizer,
        "state": run_record.state,
        "outcome": run_record.outcome,
        "deviations": list(run_record.deviations),
        "longest_row": run_record.data.get("longest"),
        "steps": [event["step"] for event in steps],
        "losses": [event["loss"] for event in steps],
        "trainable": loaded.get("trainable"),
        "held_out": run_record.losses.get("held_out"),
        "timings": run_record.timings_seconds,
        "versions": read_versions(),
        "logits": json.loads(gate.read_text()) if gate.is_file() else None,
        **describe_memory(run, run_record),
        **describe_speed(run_record, spec, steps),
    }


def describe_memory(run: Path, run_record) -> dict:
    """Return the predicted and the measured peaks; torch's allocator does not count CUDA's context."""
    predicted = run_record.memory_bytes.get("predicted") or {}
    peak = run_record.memory_bytes.get("measured_peak")
    figures = {
        "predicted_mib": {part: round(value / 2**20) for part, value in predicted.items()},
        "peak_driver_mib": round(device_memory.read_peak_bytes(run) / 2**20) or None,
        "peak_process_mib": round(peak / 2**20) if peak else None,
    }
    if predicted and peak:
        is_gpu = run_record.memory_bytes["device"] == "gpu"
        expected = predicted["total"] - (predicted["runtime"] if is_gpu else 0)
        figures["prediction_error"] = round(expected / peak - 1, 4)
    return figures


def describe_speed(run_record, spec: RunSpec, steps: list[dict]) -> dict:
    """Return the tokens a second after the warm-up, and their share of the limit of the card."""
    timed = steps[WARM_UP_STEPS - 1 :]
    if len(timed) < 2 or not run_record.data:
        return {"tokens_per_second": None, "share_of_limit": None}
    rate = (timed[-1]["tokens"] - timed[0]["tokens"]) / (timed[-1]["time"] - timed[0]["time"])
    seconds = [after["time"] - before["time"] for before, after in itertools.pairwise(timed)]
    shape = base.read_shape(base.read_model_config(spec.model.base, spec.model.revision))
    length = steps[-1]["tokens"] / (len(steps) * spec.training.batch_size)
    gpus = hardware.detect_machine().gpus
    limit = roofline.predict_limit(shape, spec, length, gpus) if shape else None
    return {
        "tokens_per_second": round(rate, 1),
        "step_seconds": round(statistics.median(seconds), 4),
        "limit_tokens_per_second": round(limit.tokens_per_second) if limit else None,
        "share_of_limit": round(rate / limit.tokens_per_second, 4) if limit else None,
    }


def main(words: list[str]) -> dict:
    match words:
        case ["numbers"]:
            return measure_numbers()
        case ["model", folder, shape]:
            Path(folder).mkdir(parents=True)
            return {"model": str(qlora.write_model(Path(folder), qlora.SHAPES[shape]))}
        case ["texts", file, rows, length]:
            return {"texts": str(qlora.write_texts(Path(file), int(rows), int(length)))}
        case ["train", run, *options]:
            return train(Path(run), options)
        case ["interrupt", run, *options]:
            return interrupt_and_resume(Path(run), options)
    raise SystemExit(__doc__)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
