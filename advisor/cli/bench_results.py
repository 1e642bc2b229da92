"""The result of `advisor bench`: its file, the file to publish, and its rows in a store of facts."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.model import Benchmark
    from finetune.bench.run import Bench

_PATH = re.compile(r"(?<![\w/:.~])[~.]{0,2}/(?:[^\s/'`;,]+/)*([^\s/'`;,]+)")  # in a sentence
MAX_BYTES = 64 * 2**20  # a run takes 2 kB


def read_result(path: Path) -> Bench:
    """Read a result file.

    Raises:
        InputError: the file cannot be read, is a link or a special file, is too large, or is not a result.
    """
    from advisor.errors import InputError
    from advisor.facts.checks import check_size
    from finetune.bench.result import parse_result

    try:
        check_size(path, MAX_BYTES)
        return parse_result(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{path} is not a result of `advisor bench`: {error}") from None


def write_result(bench: Bench, path: Path, public_path: Path | None) -> None:
    """Write the result to ``path``, and without the paths of this machine to ``public_path``."""
    from finetune.record import write_text

    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(bench.as_dict(), indent=1) + "\n")
    if public_path is not None:
        write_text(public_path, json.dumps(publishable_result(bench), indent=1) + "\n")


def publishable_result(bench: Bench) -> dict[str, Any]:
    """Return the result with the command line; paths are reduced to their last part."""
    result = bench.as_dict()
    settings = {key: _last_part(value) for key, value in result["settings"].items()}
    runs = [{**run, "reason": _PATH.sub(r"\1", run["reason"])} for run in result["runs"]]
    command = ["advisor", *map(_last_part, sys.argv[1:])]
    return {"command": command, **result, "settings": settings, "runs": runs}


def _last_part(value: Any) -> Any:
    is_path = isinstance(value, str) and value.startswith(("/", "./", "../", "~"))
    return Path(value).name if is_path else value


def list_benchmarks(bench: Bench) -> list[Benchmark]:
    """Return the figures that count."""
    from datetime import date

    from advisor.model import Benchmark
    from finetune.bench.rows import build_rows

    names = set(Benchmark.__dataclass_fields__)
    benchmarks = []
    for rows in build_rows(bench).values():
        for row in rows:
            values: dict[str, Any] = {**row, "day": date.fromisoformat(row["day"])}
            benchmarks.append(Benchmark(**{name: values[name] for name in names}))
    return benchmarks


def read_stored_benchmarks(store: Path | None) -> list[Benchmark]:
    """Return the figures of earlier benches from a store of facts, newest first."""
    from advisor.cli.options import store_or_default
    from advisor.measure import benchmarks
    from finetune.stacks import STACKS, load_stack

    repositories = [load_stack(name).repository for name in STACKS]
    return list(benchmarks.read_benchmarks(store_or_default(store), repositories, None).rows)


def store_benchmarks(bench: Bench, store: Path | None) -> str:
    """Write the figures that count into a store of facts; return a line about it.

    Each bench is a part of its own in the store, so that none replaces another.
    """
    from advisor.cli.options import store_or_default
    from advisor.facts import writing
    from finetune.bench.rows import build_rows

    rows_by_repository = build_rows(bench)
    folder = store_or_default(store)
    part = bench.date[:19].replace(":", "")
    for repository, rows in rows_by_repository.items():
        writing.write_rows(folder, "benchmarks", repository, rows, part=part)
    if not rows_by_repository:
        return "no figure counts, so nothing was added to the facts"
    count = sum(map(len, rows_by_repository.values()))
    return (
        f"added {count} figures of {len(rows_by_repository)} libraries to {folder}; "
        "`advisor rank --goal fast` uses them"
    )
