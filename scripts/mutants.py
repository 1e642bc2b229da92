"""Changes the deciding half in small ways, one at a time, and says which changes neither mypy nor the tests notice.

Usage: python scripts/mutants.py [--sample N] [MODULE…], e.g. advisor/decide/utilities.py; without a name all of the deciding half.
`--sample` tries so many of each module, drawn at random, always the same. Prints a row a module for docs/explanation/checks.md;
what lived is in build/mutants/lived.diff. What was judged is kept in build/mutants and not judged again while neither
the module nor its tests change, so that a run can be interrupted.

mutmut makes the changes. Its own run asks every test that ever comes by a function, 177 for some of `store`, which takes days on two
cores; here a module's own tests are asked (`TESTS`), as a reader would expect to find them. A change of what is done at
import cannot be seen: the tests' process has imported everything before.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "build" / "mutants"
# Module → its tests, the quickest first; the first pattern that fits.
TESTS = {
    "advisor/decide/acceptability.py": ["tests/contract/test_score_laws.py"],
    "advisor/addresses.py": ["tests/unit/dependencies"],
    "advisor/answers/recommend.py": [
        "tests/unit/decide/test_acceptability.py",
        "tests/unit/decide/test_requirements.py",
        "tests/unit/answers/test_faces.py",
    ],
    "advisor/answers/requirement_check.py": [
        "tests/unit/report/test_reports.py",
        "tests/unit/decide/test_requirements.py",
        "tests/unit/domain/test_domain_files.py",
        "tests/unit/answers/test_shortlist.py",
    ],
    "advisor/backtest/*": [
        "tests/unit/answers/backtest/test_backtest_by_hand.py",
        "tests/unit/answers/backtest/test_backtest.py",
    ],
    "advisor/domain/capabilities.py": ["tests/unit/decide/test_requirements.py"],
    "advisor/answers/compare.py": [
        "tests/unit/report/test_reports_by_hand.py",
        "tests/unit/answers/test_explain.py",
    ],
    "advisor/dependencies/*": ["tests/unit/dependencies"],
    "advisor/domain/domain.py": ["tests/unit/domain/test_domain_files.py", "tests/contract/test_domains.py"],
    "advisor/domain/draft.py": ["tests/unit/domain/test_domain_files.py", "tests/unit/cli/test_init.py"],
    "advisor/facts/writing.py": [
        "tests/unit/metrics/test_metrics.py",
        "tests/unit/facts/test_damaged_stores.py",
        "tests/unit/measure/test_many.py",
    ],
    "advisor/answers/history.py": [
        "tests/unit/answers/test_explain.py",
        "tests/unit/report/dashboard/test_dashboard.py",
    ],
    "advisor/measure/cache.py": ["tests/unit/answers/test_faces.py", "tests/unit/measure/test_many.py"],
    "advisor/measure*.py": ["tests/unit/metrics/test_metrics.py", "tests/unit/measure/test_many.py"],
    "advisor/model.py": ["tests/unit/report/test_reports_by_hand.py", "tests/unit/answers/test_faces.py"],
    "advisor/outlook/*": [
        "tests/unit/outlook/test_outlook_features.py",
        "tests/unit/outlook/test_outlook.py",
    ],
    "advisor/facts/compaction.py": ["tests/unit/measure/test_many.py"],
    "advisor/domain/population.py": [
        "tests/unit/domain/test_population.py",
        "tests/unit/outlook/test_outlook.py",
    ],
    "advisor/report/backtest.py": ["tests/unit/answers/backtest/test_backtest_by_hand.py"],
    "advisor/report/coverage.py": ["tests/unit/report/test_reports_by_hand.py"],
    "advisor/report/dashboard/*": ["tests/unit/report/dashboard/test_dashboard_page.py"],
    "advisor/report/dependencies/*": ["tests/unit/dependencies"],
    "advisor/report/*": ["tests/unit/report/test_reports_by_hand.py", "tests/unit/report/test_reports.py"],
    "advisor/decide/rules.py": ["tests/contract/test_rule_laws.py"],
    "advisor/decide/utilities.py": ["tests/contract/test_score_laws.py"],
    "advisor/facts/store.py": [
        "tests/unit/metrics/test_metrics.py",
        "tests/unit/facts/test_damaged_stores.py",
        "tests/unit/measure/test_many.py",
    ],
    "advisor/facts/tables.py": ["tests/unit/metrics/test_metrics.py"],
}
# Tests that take many seconds each are not asked.
SLOW = ("a_crash_at_any_step", "what_limits_the_outlook", "can_be_trained_anew", "equal_bytes", "bundled_history", "same_page",
        "without_a_browser", "deleting_the_future", "planted_future", "made_up_histories", "one_by_one", "command")  # fmt: skip


def deciding() -> list[str]:
    """Modules of the deciding half, as `make coverage` has it."""
    outside = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["coverage"]["report"][
        "omit"
    ]
    names = [str(p.relative_to(ROOT)) for p in sorted((ROOT / "advisor").rglob("*.py"))]
    return [n for n in names if not any(fnmatch(n, pattern) for pattern in outside)]


def tests_of(module: str) -> list[str]:
    """The tests that are asked of a module."""
    own = f"tests/unit/test_{Path(module).stem}.py"
    named = next((tests for pattern, tests in TESTS.items() if fnmatch(module, pattern)), [])
    return [t for t in dict.fromkeys([own, *named]) if (ROOT / t).exists()]


def copy() -> None:
    """The project as it stands, beside itself."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (PLACE / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, PLACE / "tree" / name)


def changed(modules: list[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """Write the changed modules; module → name of a change → its first and last line there."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    found = {}
    for module in modules:
        made = mutate_file_contents(module, (ROOT / module).read_text("utf-8"))
        (PLACE / "tree" / module).write_text(made.code, "utf-8")
        spans = {name: made.line_span_by_function_name[name] for name in made.mutant_names}
        found[module] = {name: (span.start, span.end) for name, span in spans.items()}
    return found


def noticed_by_types(spans: dict[str, dict[str, tuple[int, int]]]) -> set[tuple[str, str]]:
    """Changes that mypy refuses."""
    command = [sys.executable, "-m", "mypy", "--no-warn-unused-ignores", "--output", "json", "-p", "advisor"]
    said = subprocess.run(command, cwd=PLACE / "tree", capture_output=True, text=True, check=False).stdout
    errors = [e for e in map(json.loads, filter(str.strip, said.splitlines())) if e["severity"] == "error"]
    return {
        (e["file"], name)
        for e in errors
        for name, (first, last) in spans.get(e["file"], {}).items()
        if first <= e["line"] <= last
    }


def ask(module: str, names: list[str], told: Path, made_from: str) -> None:
    """Ask the module's tests of each change, in a process forked from one that has imported them; keep the answers."""
    import pytest

    os.chdir(PLACE / "tree")
    sys.path[:0] = [str(PLACE / "tree")]
    os.environ["MUTANT_UNDER_TEST"] = ""
    words = [
        "-q",
        "-x",
        "-n0",
        "-p",
        "no:cacheprovider",
        "-k",
        f"not ({' or '.join(SLOW)})",
        *tests_of(module),
    ]
    quiet = os.open(os.devnull, os.O_WRONLY)

    def run(name: str, *more: str) -> int:
        child = os.fork()
        if child == 0:
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            os.environ["MUTANT_UNDER_TEST"] = name
            os._exit(int(pytest.main([*words, *more])))
        return child

    def ended(child: int, limit: float) -> int | None:
        until = time.monotonic() + limit
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(child, 9)
        os.waitpid(child, 0)
        return None

    began = time.monotonic()
    if (code := ended(run(""), 600)) != 0:
        raise SystemExit(f"{module}: its tests do not pass unchanged (pytest: {code})")
    limit = 20 + 5 * (time.monotonic() - began)
    warm = os.dup(1)
    os.dup2(quiet, 1)
    pytest.main([*words, "--collect-only"])
    os.dup2(warm, 1)
    dotted = module.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    with told.open("a", encoding="utf-8") as file:
        for name in names:
            verdict = "lived" if ended(run(f"{dotted}.{name}"), limit) == 0 else "tests"
            file.write(json.dumps([made_from, name, verdict]) + "\n")
            file.flush()


def key(module: str) -> str:
    """What a verdict rests on."""
    files = [ROOT / module]
    for test in tests_of(module):
        files += sorted((ROOT / test).rglob("*.py")) if (ROOT / test).is_dir() else [ROOT / test]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


def difference(module: str, name: str, spans: dict[str, tuple[int, int]]) -> str:
    """One change as a diff."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    made = mutate_file_contents(module, (ROOT / module).read_text("utf-8"))
    lines = made.code.splitlines()
    original = made.line_span_by_function_name[f"{name.rpartition('_mutmut_')[0]}_mutmut_orig"]
    first, last = spans[name]
    pair = lines[original.start - 1 : original.end], lines[first - 1 : last]
    return "\n".join(
        line for line in difflib.unified_diff(*pair, n=1, lineterm="") if line[:3] not in {"---", "+++"}
    )


def main() -> None:
    """Command line."""
    asked = argparse.ArgumentParser(
        description="Which small changes of the deciding half does nothing notice?"
    )
    asked.add_argument("--sample", type=int, help="of each module, at random")
    asked.add_argument("modules", nargs="*")
    given = asked.parse_args()
    modules = [m for m in given.modules or deciding() if tests_of(m)]
    PLACE.mkdir(parents=True, exist_ok=True)
    told = PLACE / "verdicts.jsonl"
    copy()
    spans = changed(modules)
    refused = noticed_by_types(spans)
    print("| file | changes | tried | by mypy | by tests | noticed |\n|---|---|---|---|---|---|", flush=True)
    lived = weight = 0.0
    (PLACE / "lived.diff").write_text("")
    for module in modules:
        names = list(spans[module])
        tried = random.Random(0).sample(names, min(given.sample or len(names), len(names)))  # noqa: S311 - a draw, no secret
        made_from = key(module)
        kept = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        verdicts = {name: verdict for of, name, verdict in kept if of == made_from}
        open_ = [n for n in tried if (module, n) not in refused and n not in verdicts]
        if open_ and (child := os.fork()) == 0:
            ask(module, open_, told, made_from)
            os._exit(0)
        elif open_ and os.waitpid(child, 0)[1]:
            raise SystemExit(1)
        kept = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        verdicts = {name: verdict for of, name, verdict in kept if of == made_from}
        verdicts |= {n: "mypy" for n in tried if (module, n) in refused}
        count = Counter(verdicts[n] for n in tried)
        if tried:
            lived += len(names) * count["lived"] / len(tried)
            weight += len(names)
            share = 1 - count["lived"] / len(tried)
            row = (module, len(names), len(tried), count["mypy"], count["tests"], f"{share:.0%}")
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
        with (PLACE / "lived.diff").open("a") as file:
            for name in tried:
                if verdicts[name] == "lived":
                    file.write(f"{module} {name}\n{difference(module, name, spans[module])}\n")
    print(
        f"\n{1 - lived / max(1, weight):.1%} of {weight:.0f} noticed"
        + (", by the draw" if given.sample else "")
    )


if __name__ == "__main__":
    main()
