"""What the wrapper costs: `advisor train` against a plain trl script that does the same, side by side.

    python benchmarks/wrapper_overhead.py OUT.json MODEL DATA [STEPS] [ROUNDS]

Both tokenise the data, train LoRA with the same settings and save the adapter; neither evaluates. They
run at the same time, each on one core, and change cores every round, so that other work on the machine
meets both. Wall and processor seconds of whole commands, start-up included; ratios of medians count.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def both(commands: list[list[str]], env: dict[str, str]) -> list[tuple[float, float]]:
    """Wall and processor seconds of commands that run at once, each held on a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    began, running, seen = time.monotonic(), {}, {}
    for core, command in zip(cores, commands, strict=False):
        pinned = ["taskset", "-c", str(core), *command]
        with Path(env["XDG_DATA_HOME"] + f"-{core}.log").open("w") as log:
            process = subprocess.Popen(pinned, stdout=log, stderr=log, env=env)
        running[process.pid] = (command, log.name)
    while running:
        pid, status, used = os.wait4(-1, 0)
        command, log = running.pop(pid)
        if status:
            sys.exit(f"{command[:6]} ended with {status}: {Path(log).read_text()[-2000:]}")
        seen[id(command)] = (time.monotonic() - began, used.ru_utime + used.ru_stime)
    return [seen[id(command)] for command in commands]


def main() -> None:
    out, model, data = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    steps, rounds = (int(n) for n in (sys.argv[4:] + ["45", "2"][len(sys.argv[4:]) :]))
    seen: dict[str, list[tuple[float, float]]] = {"plain": [], "advisor": []}
    for n in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            # The same allocator setting for both: it is the stack's, not the wrapper's.
            env = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "1048576",
                   "XDG_CACHE_HOME": scratch + "/cache",
                   "XDG_DATA_HOME": scratch + "/data", "HF_HOME": scratch + "/hf"}  # fmt: skip
            ours = [sys.executable, "-m", "advisor", "train", "--data", data, "--model", model]
            for field in ("evaluation_share=0", "max_length=256"):
                ours += ["--set", f"data.{field}"]
            for field in (f"steps={steps}", "batch_size=8", "learning_rate=1e-3", "warmup=1.0"):
                ours += ["--set", f"training.{field}"]
            ours += ["--set", "method.r=8", "--set", "method.alpha=16", "--set", "evaluation.rows=0"]
            plain = [sys.executable, "-c", PLAIN, model, data, scratch + "/plain", str(steps)]
            commands = {"plain": plain, "advisor": ours}
            names = sorted(commands, reverse=bool(n % 2))  # the cores change places every round
            for name, told in zip(names, both([commands[name] for name in names], env), strict=True):
                seen[name].append(told)
                print(name, told, flush=True)
        keep(out, steps, seen)


def keep(out: Path, steps: int, seen: dict[str, list[tuple[float, float]]]) -> None:
    """Write and print what was seen until now."""
    result = {"steps": steps, "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()}
    for i, kind in enumerate(("wall", "cpu")):
        medians = {name: statistics.median(run[i] for run in runs) for name, runs in seen.items()}
        result[kind] = {
            **medians,
            "ratio": medians["advisor"] / medians["plain"],
            "all": {n: [r[i] for r in s] for n, s in seen.items()},
        }
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"advisor/plain: wall {result['wall']['ratio']:.3f}, processor {result['cpu']['ratio']:.3f}")


if __name__ == "__main__":
    main()
