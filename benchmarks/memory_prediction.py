"""Compare predicted and measured peak memory, on random models of real shapes.

    python benchmarks/memory_prediction.py OUT.json [NAME … | held-out | short]
    python benchmarks/memory_prediction.py table    # all recorded results, with today's formula

Each setting trains three steps with the trl stack, on rows of exactly `length` tokens. The result compares
`memory.predict_memory` with the peak of the process (resident memory on a CPU, allocated memory on a GPU).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from finetune import attempt, spec
from finetune.data.dataset import open_dataset
from finetune.machine import hardware, memory
from finetune.process import environment, launch
from finetune.stacks import load_stack
from finetune.weights import base

SMOL = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
        "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": True}  # fmt: skip
SMOL_360 = {"hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15,
            "num_key_value_heads": 5, "vocab_size": 49152, "tie_word_embeddings": True}  # fmt: skip
SMALL = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8,
         "num_key_value_heads": 8, "vocab_size": 32000, "tie_word_embeddings": False}  # fmt: skip
WIDE_8 = {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 8, "num_attention_heads": 16,
          "num_key_value_heads": 8, "vocab_size": 32000, "tie_word_embeddings": False}  # fmt: skip
# name: shape, dtype of the file, method, dtype, length, micro-batch, gradient checkpointing
SETTINGS = {
    "smol-lora-128x4": (SMOL, "bfloat16", "lora", "float32", 128, 4, False),
    "smol-lora-256x4": (SMOL, "bfloat16", "lora", "float32", 256, 4, False),
    "smol-lora-256x4-ckpt": (SMOL, "bfloat16", "lora", "float32", 256, 4, True),
    "smol-lora-bf16-256x4": (SMOL, "bfloat16", "lora", "bfloat16", 256, 4, False),
    "smol-qlora-128x4": (SMOL, "bfloat16", "qlora", "float32", 128, 4, False),
    "smol-full-128x2": (SMOL, "bfloat16", "full", "float32", 128, 2, False),
    "smol360-lora-128x2": (SMOL_360, "bfloat16", "lora", "float32", 128, 2, False),
    "small-lora-512x2": (SMALL, "float32", "lora", "float32", 512, 2, False),
    "wide-lora-128x8": (WIDE_8, "bfloat16", "lora", "float32", 128, 8, False),
    "wide-qlora-128x8": (WIDE_8, "bfloat16", "qlora", "float32", 128, 8, False),
}
DEEP = {"hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 6,
        "num_key_value_heads": 2, "vocab_size": 49152, "tie_word_embeddings": True}  # fmt: skip
MID = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12,
       "num_key_value_heads": 12, "vocab_size": 50304, "tie_word_embeddings": True}  # fmt: skip
BROAD = {"hidden_size": 1536, "intermediate_size": 4096, "num_hidden_layers": 6, "num_attention_heads": 12,
         "num_key_value_heads": 2, "vocab_size": 65536, "tie_word_embeddings": False}  # fmt: skip
# Chosen before they were measured; no constant of the formula was fitted to them.
HELD_OUT = {
    "deep-lora-384x2": (DEEP, "bfloat16", "lora", "float32", 384, 2, False),
    "mid-lora-192x3": (MID, "bfloat16", "lora", "float32", 192, 3, False),
    "mid-qlora-320x2": (MID, "bfloat16", "qlora", "float32", 320, 2, False),
    "mid-lora-bf16-192x3": (MID, "float32", "lora", "bfloat16", 192, 3, False),
    "mid-full-96x2": (MID, "bfloat16", "full", "float32", 96, 2, False),
    "broad-lora-160x2-ckpt": (BROAD, "bfloat16", "lora", "float32", 160, 2, True),
    "broad-qlora-160x4": (BROAD, "bfloat16", "qlora", "float32", 160, 4, False),
    "smol360-qlora-192x2": (SMOL_360, "bfloat16", "qlora", "float32", 192, 2, False),
}
# Short rows: the activations come in blocks below one mebibyte, which stay in glibc's heap.
SHORT = {
    "smol-lora-48x4": (SMOL, "bfloat16", "lora", "float32", 48, 4, False),
    "mid-lora-64x3": (MID, "bfloat16", "lora", "float32", 64, 3, False),
    "deep-lora-40x4": (DEEP, "bfloat16", "lora", "float32", 40, 4, False),
    "smol-qlora-56x4": (SMOL, "bfloat16", "qlora", "float32", 56, 4, False),
}


def write_model(folder: Path, shape: dict, dtype: str) -> Path:
    """Write a random Llama of this shape, with a byte-level tokenizer."""
    code = (
        "import sys, json, torch; sys.path.insert(0, 'tests/support'); import tiny_model\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "from pathlib import Path\n"
        "out, shape, dtype = Path(sys.argv[1]), json.loads(sys.argv[2]), getattr(torch, sys.argv[3])\n"
        "tiny_model.tokenizer(out)\n"
        "LlamaForCausalLM(LlamaConfig(**tiny_model.config(**shape, max_position_embeddings=4096))).to(dtype)"
        ".save_pretrained(out)\n"
    )
    import subprocess

    subprocess.run(
        [sys.executable, "-c", code, str(folder), json.dumps(shape), dtype],
        check=True, capture_output=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    return folder


def resolve_setting(setting: tuple, model: str = "random") -> spec.RunSpec:
    """Return the resolved spec of a setting."""
    _, _, method, dtype, length, micro, checkpointing = setting
    machine = hardware.detect_machine()
    training = {"dtype": dtype, "batch_size": micro, "micro_batch_size": micro, "steps": 3}
    tables = {
        "model": {"base": model},
        "data": {"train": "none", "max_length": length},
        "method": {"name": method},
        "evaluation": {"rows": 0},
        "training": {**training, "gradient_checkpointing": checkpointing},
    }
    composed_spec = spec.compose_spec([("benchmark", tables)])
    return spec.resolve_spec(composed_spec, gpus=len(machine.gpus), bfloat16=machine.has_bfloat16()).spec


def predict_setting(setting: tuple, file_bytes: int) -> memory.Prediction:
    """Return the prediction for a setting."""
    return memory.predict_memory(
        base.read_shape(setting[0]), resolve_setting(setting), setting[4], file_bytes
    )


def choose_peak(prediction: memory.Prediction, device: str) -> int:
    """Return the predicted peak of training that the measured one of a device compares with.

    torch's allocator does not count CUDA's context, and no setting is evaluated.
    """
    return prediction.total - prediction.runtime if device == "gpu" else prediction.total


def measure_setting(folder: Path, model: Path, setting: tuple) -> dict:
    """Train three steps and return the predicted and the measured peak."""
    length, micro = setting[4], setting[5]
    (folder / "data").mkdir(parents=True)
    ids = [100 + i % 400 for i in range(length)]
    row = json.dumps({"input_ids": ids, "labels": ids})
    for name in ("train", "test"):
        (folder / "data" / f"{name}.jsonl").write_text((row + "\n") * micro * 3)
    (folder / "data" / "rows.jsonl").write_text("")
    summary = {"train_rows": micro * 3, "test_rows": 0, "longest": length}
    (folder / "data" / "summary.json").write_text(json.dumps(summary))
    run_spec = resolve_setting(setting, str(model))
    size = memory.count_file_bytes(str(model))
    trl = load_stack("trl")
    job = attempt.build_job(run_spec, open_dataset(folder / "data"), folder, None)
    job.native.mkdir()
    for name, text in trl.render(run_spec, job).files.items():
        (job.native / name).write_text(text)
    env = environment.ensure_environment(trl.lock, trl.required_packages)
    result = launch.run_process(trl.command(env.python, run_spec, job), folder, trl.environment(run_spec))
    device = "gpu" if run_spec.devices.kind == "cuda" else "rss"
    peak = result.last_event[f"peak_{device}_bytes"]
    prediction = predict_setting(setting, size)
    return {
        "measured": peak,
        "predicted": prediction.as_dict(),
        "error": choose_peak(prediction, device) / peak - 1,
        "device": device,
        "file_bytes": size,
    }


def print_table() -> None:
    """Print the measured peaks and the predictions of today's formula."""
    results = Path(__file__).parent / "results"
    for group, name in (
        (SETTINGS, "memory-cpu"),
        (HELD_OUT, "memory-cpu-held-out"),
        (SHORT, "memory-cpu-short"),
    ):
        for setting, result in json.loads((results / f"{name}.json").read_text()).items():
            prediction, peak = predict_setting(group[setting], result["file_bytes"]), result["measured"]
            total = choose_peak(prediction, result["device"])
            print(f"| {setting} | {total / 2**20:.0f} | {peak / 2**20:.0f} | {total / peak - 1:+.1%} |")


def main() -> None:
    if sys.argv[1:] == ["table"]:
        print_table()
        return
    out, names = Path(sys.argv[1]), sys.argv[2:] or list(SETTINGS)
    groups = {"held-out": list(HELD_OUT), "short": list(SHORT)}
    names = groups.get(names[0], names)
    settings = {**SETTINGS, **HELD_OUT, **SHORT}
    results = json.loads(out.read_text()) if out.is_file() else {}
    with tempfile.TemporaryDirectory() as scratch:
        models: dict[str, Path] = {}
        for name in names:
            setting = settings[name]
            model_key = json.dumps(setting[:2])
            if model_key not in models:
                models[model_key] = write_model(Path(scratch) / f"model{len(models)}", *setting[:2])
            result = results[name] = measure_setting(Path(scratch) / name, models[model_key], setting)
            peak = result["measured"] / 2**20
            predicted = peak * (1 + result["error"])
            print(f"| {name} | {predicted:.0f} | {peak:.0f} | {result['error']:+.1%} |", flush=True)
            out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
