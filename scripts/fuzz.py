"""Fuzz every reader of foreign bytes, guided by coverage (atheris), and keep what is found.

Usage: python scripts/fuzz.py SECONDS [READER…]      SECONDS of each reader; all of them without names

Needs `pip install atheris` (no part of `[dev]`: it has wheels for some Pythons only). Each reader runs in a
process of its own, as libFuzzer ends its process. A crash is kept as tests/fuzz/cases/READER/HASH, which
the tests then read for ever; the corpus of a run is kept in build/fuzz and begun from by the next.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "support")]


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one reader in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["advisor", "finetune", "tomllib", "pickletools"]):
        from fuzz import readers
    corpus, cases = ROOT / "build" / "fuzz" / name, ROOT / "tests" / "fuzz" / "cases" / name
    for folder in (corpus, cases):
        folder.mkdir(parents=True, exist_ok=True)
    for n, data in enumerate(readers.seeds(name)):
        (corpus / f"seed-{n}").write_bytes(data)
    told = [
        f"-max_total_time={seconds}",
        "-max_len=20000",
        "-timeout=20",
        "-rss_limit_mb=4000",
        "-print_final_stats=1",
    ]
    atheris.Setup([name, str(corpus), *told, f"-artifact_prefix={cases}/"], readers.READERS[name])
    atheris.Fuzz()


def main() -> None:
    seconds, *names = sys.argv[1:]
    if len(names) == 1 and names[0].startswith("="):
        return fuzz(names[0][1:], int(seconds))
    from fuzz import readers

    failed = []
    for name in names or readers.READERS:
        done = subprocess.run(
            [sys.executable, __file__, seconds, f"={name}"], capture_output=True, text=True, check=False
        )
        runs = next(
            (line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?"
        )
        print(f"{name}: {runs} inputs, {'found one' if done.returncode else 'nothing found'}", flush=True)
        if done.returncode:
            failed.append(name)
            print(
                done.stderr[-1500:]
                if "Uncaught" not in done.stderr
                else done.stderr.partition("Uncaught")[2][:1500]
            )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
