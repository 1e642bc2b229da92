"""Compare NF4 QLoRA and LoRA in `advisor train`: peak memory and speed.

    python benchmarks/qlora.py llama-8b    # on a GPU: Llama 3.1 8B's shape, random weights (16 GB of disk)
    python benchmarks/qlora.py smollm2     # anywhere: the demo's real SmolLM2-135M-Instruct
    options: --steps 10 --length 1024 --micro 4 --out FILE

Writes benchmarks/results/qlora-SHAPE-DEVICE.json, with hardware and versions, and prints its table. The
base weights of LoRA have 16 bits on a GPU and 32 bits on a CPU. On a GPU the measured figure is the peak of
torch's allocator, and the prediction excludes CUDA's context. On a CPU both figures are the resident memory
of the training process. Tokens per second exclude the first two steps.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from hardware import describe_hardware

from finetune import demo
from finetune.machine import hardware, memory
from finetune.process import launch
from finetune.record import read_record

ROOT = Path(__file__).resolve().parents[1]
LLAMA = {"num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
         "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False}  # fmt: skip
TINY = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 700, "tie_word_embeddings": True}  # fmt: skip
SHAPES = {"llama-8b": LLAMA, "tiny": TINY}
METHODS = ("lora", "qlora")


def write_model(folder: Path, shape: dict) -> Path:
    """Write a model with random bfloat16 weights, created on the GPU if there is one."""
    code = (
        "import sys, json, torch; sys.path.insert(0, sys.argv[1]); import tiny_model\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\nfrom pathlib import Path\n"
        "out, shape = Path(sys.argv[2]), json.loads(sys.argv[3])\n"
        "tiny_model.tokenizer(out)\ntorch.manual_seed(0); torch.set_default_dtype(torch.bfloat16)\n"
        "with torch.device('cuda' if torch.cuda.is_available() else 'cpu'):\n"
        "    config = LlamaConfig(**tiny_model.config(**shape, max_position_embeddings=8192))\n"
        "    model = LlamaForCausalLM(config)\n"
        "model.save_pretrained(out)\n"
    )
    command = [sys.executable, "-c", code, str(ROOT / "tests" / "support"), str(folder), json.dumps(shape)]
    subprocess.run(command, check=True)
    return folder


def write_texts(file: Path, rows: int, length: int) -> Path:
    """Write rows of random words, all longer than ``length`` tokens."""
    generator = random.Random(0)
    lines = (" ".join(str(generator.randrange(10**6)) for _ in range(length)) for _ in range(rows))
    file.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    return file


def train(out: Path, words: list[str], method: str) -> dict:
    """Run `advisor train` once and return the figures from its record and its events."""
    command = [
        sys.executable,
        "-m",
        "advisor",
        "train",
        *words,
        "--set",
        f"method.name={method}",
        "-o",
        str(out),
    ]
    subprocess.run(command, check=True, stdout=sys.stderr)
    run_record = read_record(out)
    device = run_record.memory_bytes["device"]
    parts = {k: v for k, v in run_record.memory_bytes["predicted"].items() if k != "total"}
    prediction = memory.Prediction(**parts)
    total = prediction.total - prediction.runtime if device == "gpu" else prediction.total
    steps = [e for _, e in launch.read_events(out) if e["event"] == "step"]
    seconds, tokens = steps[-1]["time"] - steps[1]["time"], steps[-1]["tokens"] - steps[1]["tokens"]
    peak = run_record.memory_bytes["measured_peak"]
    return {
        "dtype": run_record.spec["training"]["dtype"],
        "micro_batch_size": run_record.spec["training"]["micro_batch_size"],
        "longest_row": run_record.data["longest"],
        "gradient_checkpointing": run_record.spec["training"]["gradient_checkpointing"],
        "trained_parameters": next(e for _, e in launch.read_events(out) if e["event"] == "loaded")[
            "trainable"
        ],
        "predicted_mib": round(total / 2**20),
        "predicted_parts_mib": {k: round(v / 2**20) for k, v in prediction.as_dict().items()},
        "measured_mib": round(peak / 2**20),
        "error": round(total / peak - 1, 4),
        "tokens_per_second": round(tokens / seconds, 1),
        "loss_first_step": run_record.losses["first_step"],
        "loss_last_step": run_record.losses["last_step"],
        "held_out": run_record.losses.get("held_out"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("shape", choices=[*SHAPES, "smollm2"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--micro", type=int, default=4)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    kind = "gpu" if hardware.detect_machine().gpus else "cpu"
    out = args.out or ROOT / "benchmarks" / "results" / f"qlora-{args.shape}-{kind}.json"
    with tempfile.TemporaryDirectory() as scratch:
        if args.shape == "smollm2":
            examples = ROOT / "data" / "examples"
            words = ["--model", str(demo.prepare_model(lambda text: print(text, file=sys.stderr)))]
            words += ["--data", str(examples / "harbour-train.jsonl")]
            words += ["--eval-data", str(examples / "harbour-test.jsonl"), "--set", "evaluation.rows=12"]
        else:
            model = write_model(Path(scratch) / "model", SHAPES[args.shape])
            rows = write_texts(Path(scratch) / "texts.jsonl", args.steps * args.micro, args.length)
            words = ["--model", str(model), "--data", str(rows), "--set", "evaluation.rows=0"]
            words += ["--set", "data.evaluation_share=0"]
        words += ["--set", f"data.max_length={args.length}", "--set", "evaluation.generations=0"]
        for field in (f"steps={args.steps}", f"batch_size={args.micro}", f"micro_batch_size={args.micro}"):
            words += ["--set", f"training.{field}"]
        words += ["--set", "training.learning_rate=5e-4"]
        result = {"command": " ".join(sys.argv), **describe_hardware(), "shape": args.shape, "methods": {}}
        print(
            "| method | dtype | predicted MiB | measured MiB | error | tokens/s | loss, first and last step |"
        )
        print("|---|---|---|---|---|---|---|")
        for method in METHODS:
            row = result["methods"][method] = train(Path(scratch) / method, words, method)
            losses = f"{row['loss_first_step']:.3f} → {row['loss_last_step']:.3f}"
            print(f"| {method} | {row['dtype']} | {row['predicted_mib']} | {row['measured_mib']} | "
                  f"{row['error']:+.1%} | {row['tokens_per_second']} | {losses} |", flush=True)  # fmt: skip
            out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
