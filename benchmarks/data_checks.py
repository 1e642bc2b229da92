"""Check chat rows: python benchmarks/data_checks.py [--sizes 10000 30000 100000] [--template FILE] [--peer]

Each row of the table is one process with its own memory peak: `advisor preview` on generated chats, with an
empty cache, and `datasets.map`, which renders and tokenises the same rows with the same template and checks
nothing. The model is that of `advisor train --demo`. The words of the chats are those of Python's own
manual; every fortieth row repeats another one, every fortieth differs from another one in a single word.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEED = 26
PEER = """
import sys
from datasets import disable_progress_bars, load_dataset
from transformers import AutoTokenizer
rows, model, template = sys.argv[1:]
disable_progress_bars()
tokenizer = AutoTokenizer.from_pretrained(model)
tokenizer.chat_template = open(template).read()
def encode(row):
    return tokenizer.apply_chat_template(row["messages"], return_dict=True, return_assistant_tokens_mask=True)
load_dataset("json", data_files=rows, split="train").map(encode, remove_columns=["messages"])
"""


def write_chats(path: Path, count: int) -> None:
    """Write chats of one to three questions with their answers."""
    from pydoc_data.topics import topics

    draw = random.Random(SEED)
    words = " ".join(topics.values()).split()

    def take(low: int, high: int) -> str:
        start = draw.randrange(len(words) - high)
        return " ".join(words[start : start + draw.randint(low, high)])

    chats: list[list[dict[str, str]]] = []
    with path.open("w") as file:
        for n in range(count):
            if n % 40 == 39:
                chat = draw.choice(chats)
            elif n % 40 == 38:
                *turns, answer = draw.choice(chats)
                chat = [*turns, {**answer, "content": f"{answer['content']} {draw.choice(words)}"}]
            else:
                chat = []
                for _ in range(draw.randint(1, 3)):
                    chat += [{"role": "user", "content": take(5, 60)}]
                    chat += [{"role": "assistant", "content": take(40, 120)}]
            chats.append(chat)
            file.write(json.dumps({"messages": chat}) + "\n")


def run_once(arguments: list[str], folder: Path) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and peak MiB of a Python process and of those that it starts."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "HF_HOME": str(folder / "hub")}
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, arguments
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(sizes: list[int], template: Path | None, *, with_peer: bool) -> None:
    from finetune import demo
    from finetune.data.template import CHATML

    model = str(demo.prepare_model())
    times: dict[int, float] = {}
    print(
        "| command | rows | wall s | CPU s | rows/CPU s | peak MiB |\n|---|---|---|---|---|---|", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="advisor-chats-") as name:
        folder = Path(name)
        if template is None:
            template = folder / "chatml.jinja"
            template.write_text(CHATML)
        for size in sizes:
            rows = folder / f"{size}.jsonl"
            write_chats(rows, size)
            options = ["--data", str(rows), "--model", model, "--rows", "1"]
            options += ["--set", f"data.template={template}"]
            commands = {"advisor preview": ["-m", "advisor", "preview", *options]}
            if with_peer:
                commands["datasets.map"] = ["-c", PEER, str(rows), model, str(template)]
            for command, arguments in commands.items():
                wall, cpu, memory = run_once(arguments, folder)
                if command == "advisor preview":
                    times[size] = cpu
                cells = (f"{size:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{size / cpu:,.0f}", f"{memory:,.0f}")
                print(f"| {command} | " + " | ".join(cells) + " |", flush=True)
    if len(sizes) > 1:
        growth = math.log(times[sizes[-1]] / times[sizes[0]]) / math.log(sizes[-1] / sizes[0])
        print(f"\ngrowth exponent of the CPU time from {sizes[0]:,} to {sizes[-1]:,} rows: {growth:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--template", type=Path, help="A Jinja file; ChatML without marks otherwise.")
    parser.add_argument("--peer", action="store_true", help="Also run datasets.map.")
    options = parser.parse_args()
    main(sorted(options.sizes), options.template, with_peer=options.peer)
