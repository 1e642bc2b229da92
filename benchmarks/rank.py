"""Compare the CPU time of what people wait for with `import pandas`, in one run.

Usage: python benchmarks/rank.py [RUNS]. Prints a Markdown table: CPU seconds (user and system,
median over the runs, with the commands in turn), peak memory, and the ratio to `import pandas`.
Each command has an empty cache folder of the user; in a row with "again", the same command ran before.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

PANDAS = "python -c 'import pandas'"
AGAIN = ", again"
ANSWERS = (
    "rank",
    "rank --as-of 2024-05-31",  # the end of a month, which is kept
    "rank --as-of 2024-06-05",
    f"rank --as-of 2024-06-05{AGAIN}",
    "explain axolotl",
    "compare trl unsloth",
    f"compare trl unsloth{AGAIN}",
    "coverage",
    "dashboard -o page.html",
)
COMMANDS = {PANDAS: ["-c", "import pandas"]} | {
    f"advisor {words}": ["-m", "advisor", *words.removesuffix(AGAIN).split()] for words in ANSWERS
}


def run_once(arguments: list[str], folder: str, cache: str) -> tuple[float, float]:
    """Return CPU seconds and peak MiB of one process, which may write into a folder and a cache folder."""
    child = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": cache},
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for arguments in COMMANDS.values():
            run_once(arguments, folder, folder)  # writes byte code and the cache
        for _ in range(runs):
            for name, arguments in COMMANDS.items():
                with tempfile.TemporaryDirectory() as empty:
                    cache = folder if name.endswith(AGAIN) else empty
                    times[name].append(run_once(arguments, folder, cache))
    base = statistics.median(t for t, _ in times[PANDAS])
    print("| command | CPU s | peak MiB | ratio |\n|---|---|---|---|")
    for name, values in times.items():
        cpu, memory = (statistics.median(v) for v in zip(*values, strict=True))
        command, again, _ = name.partition(AGAIN)
        print(f"| `{command}`{again} | {cpu:.3f} | {memory:.0f} | {cpu / base:.2f} |")


if __name__ == "__main__":
    main()
