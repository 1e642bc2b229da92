"""Compare the CPU time of `advisor rank` with `import pandas`, in one run.

Usage: python benchmarks/rank.py [RUNS]. Prints a Markdown table: CPU seconds (user and system,
median over the runs, with the commands in turn), peak memory, and the ratio to `import pandas`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

COMMANDS = {
    "python -c 'import pandas'": ["-c", "import pandas"],
    "advisor rank": ["-m", "advisor", "rank"],
    "advisor rank --as-of 2024-06-05": ["-m", "advisor", "rank", "--as-of", "2024-06-05"],
}


def run_once(arguments: list[str]) -> tuple[float, float]:
    """Return CPU seconds and peak MiB of one process."""
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        run_once(arguments)  # writes byte code
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            times[name].append(run_once(arguments))
    base = statistics.median(t for t, _ in times["python -c 'import pandas'"])
    print("| command | CPU s | peak MiB | ratio |\n|---|---|---|---|")
    for name, values in times.items():
        cpu, memory = (statistics.median(v) for v in zip(*values, strict=True))
        print(f"| `{name}` | {cpu:.3f} | {memory:.0f} | {cpu / base:.2f} |")


if __name__ == "__main__":
    main()
