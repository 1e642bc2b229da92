"""Fuzz every reader of foreign bytes, guided by coverage (atheris), and save the inputs that crash it.

Usage: python scripts/fuzz.py SECONDS [READER…]      SECONDS for each reader; all readers if none is named

Needs `pip install atheris` (not in `[dev]`, because it has wheels for some Pythons only). Each reader runs in a
separate process, because libFuzzer ends its process. A crash becomes tests/fuzz/cases/READER/HASH, which the tests
read from then on. The corpus of a run is in build/fuzz, and the next run starts from it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "support")]
OPTIONS = ("-max_len=20000", "-timeout=20", "-rss_limit_mb=4000", "-print_final_stats=1")


def fuzz_reader(name: str, seconds: int) -> None:
    """Fuzz one reader in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["advisor", "finetune", "tomllib", "pickletools"]):
        from fuzz import readers
    corpus, cases = ROOT / "build" / "fuzz" / name, ROOT / "tests" / "fuzz" / "cases" / name
    for folder in (corpus, cases):
        folder.mkdir(parents=True, exist_ok=True)
    for n, data in enumerate(readers.seeds(name)):
        (corpus / f"seed-{n}").write_bytes(data)
    options = [f"-max_total_time={seconds}", *OPTIONS, f"-artifact_prefix={cases}/"]
    atheris.Setup([name, str(corpus), *options], readers.READERS[name])
    atheris.Fuzz()


def main() -> None:
    seconds, *names = sys.argv[1:]
    if len(names) == 1 and names[0].startswith("="):
        return fuzz_reader(names[0][1:], int(seconds))
    from fuzz import readers

    has_failed = False
    for name in names or readers.READERS:
        command = [sys.executable, __file__, seconds, f"={name}"]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = process.stderr.splitlines()
        runs = next((line.split()[-1] for line in lines if "number_of_executed_units" in line), "?")
        print(f"{name}: {runs} inputs, {'one crash' if process.returncode else 'no crash'}", flush=True)
        if process.returncode:
            has_failed = True
            _, _, trace = process.stderr.partition("Uncaught")
            print(trace[:1500] or process.stderr[-1500:])
    sys.exit(has_failed)


if __name__ == "__main__":
    main()
