"""Measure the cost of the wrapper: `advisor train` against a plain trl script that does the same.

    python benchmarks/wrapper_overhead.py [--pairs 3] [--steps 40] [--out FILE]

Both tokenise the data, train LoRA on the demo's model with the same settings and save the adapter; neither
evaluates. The two commands of a pair run at the same time, each on its own core with one thread. They swap
cores from pair to pair, so that other work on the machine affects both. Wall and processor seconds are those
of whole commands, with start-up; the result is the median of the pairs' ratios. The wrapper costs time at the
start and the end, which does not grow with the steps, so the script also reports the difference in seconds.
It writes benchmarks/results/wrapper-overhead.json; three pairs take about eight minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

from hardware import describe_hardware

from finetune import demo
from finetune.stacks import trl

ROOT = Path(__file__).resolve().parents[1]
PLAIN = """
import sys
from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer
model, data, out, steps = sys.argv[1:]
trainer = SFTTrainer(
    model=model,
    args=SFTConfig(
        output_dir=out, max_length=256, max_steps=int(steps), per_device_train_batch_size=4,
        gradient_accumulation_steps=2, learning_rate=1e-3, lr_scheduler_type="cosine", warmup_steps=1,
        bf16=False, gradient_checkpointing=False, use_cpu=True, report_to="none", logging_steps=1,
        save_steps=100, seed=42,
        disable_tqdm=True, model_init_kwargs={"dtype": "float32"},
    ),
    train_dataset=load_dataset("json", data_files=data, split="train"),
    peft_config=LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
)
trainer.train()
trainer.save_model(out)
"""
SETTINGS = {
    "data": ("evaluation_share=0", "max_length=256"),
    "training": ("batch_size=8", "learning_rate=1e-3", "warmup=1.0"),
    "method": ("r=8", "alpha=16"),
    "evaluation": ("rows=0",),
}


def build_commands(model: str, data: str, steps: int, scratch: str) -> dict[str, list[str]]:
    """Return the two commands that do the same."""
    wrapper = [sys.executable, "-m", "advisor", "train", "--data", data, "--model", model]
    wrapper += [word for s, fields in SETTINGS.items() for f in fields for word in ("--set", f"{s}.{f}")]
    wrapper += ["--set", f"training.steps={steps}"]
    return {
        "plain": [sys.executable, "-c", PLAIN, model, data, scratch + "/plain", str(steps)],
        "advisor": wrapper,
    }


def run_pair(
    commands: dict[str, list[str]], cores: list[int], scratch: str
) -> dict[str, tuple[float, float]]:
    """Return wall and processor seconds of commands that run at the same time, each on its own core."""
    settings = trl.environment(cpu_spec())  # the allocator setting belongs to the stack, not to the wrapper
    env = {**os.environ, **settings, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": scratch + "/cache",
           "XDG_DATA_HOME": scratch + "/data", "HF_HOME": scratch + "/hf"}  # fmt: skip
    running, seconds = {}, {}
    for core, (name, command) in zip(cycle(cores), commands.items(), strict=False):
        with Path(scratch, f"{name}.log").open("w") as log:
            arguments = ["taskset", "-c", str(core), *command]
            process = subprocess.Popen(arguments, stdout=log, stderr=log, env=env)
        running[process.pid] = (name, time.monotonic())
    while running:
        pid, status, usage = os.wait4(-1, 0)
        name, began = running.pop(pid)
        if status:
            sys.exit(
                f"{name} failed with status {status}: {Path(scratch, name + '.log').read_text()[-2000:]}"
            )
        seconds[name] = (time.monotonic() - began, usage.ru_utime + usage.ru_stime)
    return seconds


def cpu_spec():
    """Return a spec for trl's environment on a CPU."""
    from finetune.spec import compose_spec, resolve_spec

    tables = {"model": {"base": "none"}, "data": {"train": "none"}, "devices": {"kind": "cpu"}}
    return resolve_spec(compose_spec([("benchmark", tables)]), gpus=0).spec


def summarise(pairs: list[dict[str, tuple[float, float]]]) -> dict:
    """Return, by kind of second: both medians, each pair's ratio, their median, and the median difference."""
    summary = {}
    for i, kind in enumerate(("wall", "cpu")):
        both = [(p["plain"][i], p["advisor"][i]) for p in pairs]
        ratios = [ours / plain for plain, ours in both]
        summary[kind] = {
            "plain_median_s": round(statistics.median(plain for plain, _ in both), 2),
            "advisor_median_s": round(statistics.median(ours for _, ours in both), 2),
            "ratio_median": round(statistics.median(ratios), 4),
            "ratios": [round(r, 4) for r in ratios],
            "difference_median_s": round(statistics.median(ours - plain for plain, ours in both), 2),
        }
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--model", help="folder of a model (default: the demo's model)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "wrapper-overhead.json")
    args = parser.parse_args()
    model = args.model or str(demo.prepare_model(lambda text: print(text, file=sys.stderr)))
    data = str(ROOT / "data" / "examples" / "harbour-train.jsonl")
    machine, cores = describe_hardware(), sorted(os.sched_getaffinity(0))
    pairs: list[dict[str, tuple[float, float]]] = []
    for n in range(args.pairs):
        with tempfile.TemporaryDirectory() as scratch:
            both = build_commands(model, data, args.steps, scratch)
            pairs.append(run_pair(both, cores[::-1] if n % 2 else cores, scratch))
        result = {"command": " ".join(sys.argv), **machine, "steps": args.steps, "pairs": len(pairs)}
        result |= summarise(pairs)
        args.out.write_text(json.dumps(result, indent=1) + "\n")
        print(f"pair {n + 1}: {pairs[-1]}", flush=True)
    print("\n| run | processor s | ratio | wall s | ratio |\n|---|---|---|---|---|")
    cpu, wall = result["cpu"], result["wall"]
    print(f"| plain trl script | {cpu['plain_median_s']} | 1.000 | {wall['plain_median_s']} | 1.000 |")
    print(f"| advisor train | {cpu['advisor_median_s']} | {cpu['ratio_median']:.3f} | "
          f"{wall['advisor_median_s']} | {wall['ratio_median']:.3f} |")  # fmt: skip
    print(
        f"the wrapper: {wall['difference_median_s']} s of wall, {cpu['difference_median_s']} s of processor"
    )


if __name__ == "__main__":
    main()
