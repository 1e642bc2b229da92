"""Compare the CPU time of 10,000 sampled weightings with `import pandas`, in one run.

Usage: python benchmarks/weightings.py [RUNS]. The candidates are those of finetuning-wide, repeated under
other names. Prints a Markdown table: median CPU milliseconds and the ratio to `import pandas`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import advisor
from advisor.decide.acceptability import DRAWS, sample_ranks


def import_pandas() -> float:
    """Return the CPU seconds of a process that only imports pandas."""
    child = subprocess.Popen([sys.executable, "-c", "import pandas"])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    answer = advisor.recommend("finetuning-wide")
    criteria = [r.criteria for r in answer.ranking if r.score is not None]
    import_pandas()
    base = statistics.median(import_pandas() for _ in range(3))
    print(f"| {DRAWS:,} weightings of | CPU ms | ratio |\n|---|---|---|")
    print(f"| `import pandas` | {1000 * base:.0f} | 1.00 |")
    for n in (2, 5, 14, 50):
        scores = {f"{i}": criteria[i % len(criteria)] for i in range(n)}
        sample_ranks(scores, answer.weights)
        times = []
        for _ in range(runs):
            start = time.process_time()
            sample_ranks(scores, answer.weights)
            times.append(time.process_time() - start)
        median = statistics.median(times)
        print(f"| {n} candidates | {1000 * median:.0f} | {median / base:.2f} |")


if __name__ == "__main__":
    main()
