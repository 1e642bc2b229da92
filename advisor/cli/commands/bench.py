"""advisor bench: the same job on every stack here, measured fairly; and what the READMEs claim, beside it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import app
from advisor.cli.run_options import Data, File, Model, RunOptions, Set, compose
from advisor.cli.run_progress import progress
from advisor.files import data_home

if TYPE_CHECKING:
    from advisor.model import Benchmark
    from finetune.bench.run import Bench


class Format(StrEnum):
    """How the figures are written."""

    table = "table"
    markdown = "markdown"


Stacks = Annotated[str, typer.Option(help="Which, with commas; the first is the reference of the gates.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each, each with its own seed and a rotated order.")]
Rounds = Annotated[str, typer.Option(help="A: equal settings. B: each at its documented best. AB: both.")]
Price = Annotated[float | None, typer.Option(help="Of an hour of this machine, for the cost of a token.")]
Out = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the runs and of bench.json.")]
Result = Annotated[
    Path | None, typer.Option(help="Also this JSON file, with the command and no path of this machine.")
]
From = Annotated[Path | None, typer.Option("--from", help="Show this result file again; run nothing.")]
Store = Annotated[
    Path | None, typer.Option(help="Folder of facts that the figures go to; default: your own.")
]


@app.command()
def bench(
    data: Data = None,
    model: Model = None,
    spec: File = None,
    set_: Set = None,
    stacks: Stacks = "trl,torchtune,litgpt,axolotl",
    seeds: Seeds = 3,
    rounds: Rounds = "A",
    quick: Annotated[bool, typer.Option("--quick", help="10 short steps a run, of 4 rows.")] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="On the CPU, even where there is a GPU.")] = False,
    claims: Annotated[bool, typer.Option("--claims", help="What READMEs claim, and what was seen.")] = False,
    price: Price = None,
    output: Out = None,
    result: Result = None,
    from_: From = None,
    format: Annotated[Format, typer.Option(help="How to write the figures.")] = Format.table,
    store: Store = None,
) -> None:
    """Measure the stacks on this machine: speed, memory, time to the first step, size, held-out loss.

    All of them get the same tokens in the same order; without --model and --data, SmolLM2-135M on the demo's.
    A number counts only if the stack did the same work; what counts goes into your store of facts, where the
    goals `fast` and `gpu-poor` weigh it. Interrupted, the same command with the same -o goes on. Examples:
    advisor bench --cpu --quick; advisor bench --from RESULT.json --format markdown; advisor bench --claims.
    The last sets beside the claims what your store holds.
    """
    if from_ is not None:
        measured = read(from_)
    elif claims and output is None:
        print("\n".join(_claims(stored(store))))
        return
    else:
        folder = output or _new_folder()
        extra = [*(set_ or []), *(["devices.kind=cpu"] if cpu else [])]
        measured = _run(data, model, spec, extra, stacks, seeds, _rounds(rounds), folder, quick=quick)
        write(measured, folder / "bench.json", result)
    print("\n".join(_figures(measured, format, price)))
    if claims:
        print("\n".join(["", *_claims(figures(measured))]))
    if from_ is None:
        print(f"\nall figures: {folder / 'bench.json'}\n{keep(measured, store)}")


def _run(
    data: str | None,
    model: str | None,
    spec: Path | None,
    extra: list[str],
    stacks: str,
    seeds: int,
    rounds: list[str],
    folder: Path,
    *,
    quick: bool,
) -> Bench:
    from finetune.bench import run as benches

    demo = data is None and model is None and spec is None
    with progress() as watch:
        task = RunOptions(data=data, model=model, stack="trl", spec=spec, set_=extra, demo=demo)
        return benches.bench(
            benches.settings(compose(task, watch).composed, benches.QUICK if quick else benches.THOROUGH),
            [name.strip() for name in stacks.split(",")],
            list(range(42, 42 + seeds)),
            folder,
            rounds=rounds,
            watch=watch,
            told=lambda one: watch.stage(
                f"{one.stack}, seed {one.seed}, round {one.round}: {one.reason or 'measured'}"
            ),
        )


def _new_folder() -> Path:
    from finetune import record

    return data_home() / "bench" / record.now().replace(":", "")


def _figures(measured: Bench, format: Format, price: float | None) -> list[str]:
    from advisor.cli import bench_tables

    style = bench_tables.markdown if format is Format.markdown else bench_tables.lines
    return style(measured, price)


def _claims(measured: list[Benchmark]) -> list[str]:
    from advisor.cli import bench_claims

    return bench_claims.lines(measured)


def read(path: Path) -> Bench:
    """A result file.

    Raises:
        InputError: it is not there, or it is none.
    """
    import json

    from advisor.errors import InputError
    from finetune.bench.run import of_dict

    try:
        return of_dict(json.loads(path.read_text("utf-8")))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a result of `advisor bench`: {error}") from None


def write(measured: Bench, own: Path, result: Path | None) -> None:
    """All figures, for the user and (without this machine's paths) for others."""
    import json

    from finetune.record import write_text

    own.parent.mkdir(parents=True, exist_ok=True)
    write_text(own, json.dumps(measured.as_dict(), indent=1) + "\n")
    if result is not None:
        write_text(result, json.dumps(publishable(measured), indent=1) + "\n")


def figures(measured: Bench) -> list[Benchmark]:
    """What counts of a bench, as the facts have it."""
    from datetime import date

    from advisor.model import Benchmark
    from finetune.bench.rows import rows

    names = set(Benchmark.__dataclass_fields__)
    found = []
    for row in (row for of_it in rows(measured).values() for row in of_it):
        told: dict[str, Any] = {**row, "day": date.fromisoformat(row["day"])}
        found.append(Benchmark(**{name: told[name] for name in names}))
    return found


def stored(store: Path | None) -> list[Benchmark]:
    """What the store of facts holds of earlier benches, newest first."""
    from advisor.cli.options import store_or_default
    from advisor.measure import benchmarks
    from finetune.stacks import STACKS, stack

    repositories = [stack(name).repository for name in STACKS]
    return list(benchmarks.read(store_or_default(store), repositories, None).rows)


def keep(result: Bench, store: Path | None) -> str:
    """Write what counts into the store of facts; a word on what was written.

    Each bench has a part of its own in the store, so that none replaces another.
    """
    from advisor.cli.options import store_or_default
    from advisor.facts import writing
    from finetune.bench.rows import rows

    found = rows(result)
    folder = store_or_default(store)
    for repository, of_it in found.items():
        writing.write(folder, "benchmarks", repository, of_it, part=result.date[:19].replace(":", ""))
    if not found:
        return "nothing counts, so no figure went into the facts"
    count = sum(map(len, found.values()))
    whose = f"{count} figures of {len(found)} libraries"
    return f"{whose} went into {folder}; `advisor rank --goal fast` weighs them"


def publishable(result: Bench) -> dict[str, Any]:
    """All figures with the command line; of paths only the last part is left: nobody else has them."""
    told = result.as_dict()
    settings = {key: _last_part(value) for key, value in told["settings"].items()}
    return {"command": ["advisor", *map(_last_part, sys.argv[1:])], **told, "settings": settings}


def _last_part(value: Any) -> Any:
    is_path = isinstance(value, str) and value.startswith(("/", "./", "../", "~"))
    return Path(value).name if is_path else value


def _rounds(text: str) -> list[str]:
    from advisor.errors import InputError

    turns = list(dict.fromkeys(text.upper()))
    if not turns or set(turns) - {"A", "B"}:
        raise InputError(f"--rounds {text!r}: write A, B or AB")
    return turns
