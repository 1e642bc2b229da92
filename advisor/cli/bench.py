"""advisor bench: the same job on every stack here, measured fairly; and what the READMEs claim, beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import app
from advisor.cli.bench_tables import claim_lines, lines
from advisor.cli.train import Data, File, Model, Set, compose, progress

if TYPE_CHECKING:
    from finetune.bench import Bench

Stacks = Annotated[str, typer.Option(help="Which, with commas; the first is the reference of the gates.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each, each with its own seed and a rotated order.")]
Rounds = Annotated[str, typer.Option(help="A: equal settings. B: each at its documented best. AB: both.")]
Price = Annotated[float | None, typer.Option(help="Of an hour of this machine, for the cost of a token.")]
Out = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the runs and of bench.json.")]
Result = Annotated[
    Path | None, typer.Option(help="Also this JSON file, with the command and no path of this machine.")
]
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
    quick: Annotated[bool, typer.Option("--quick", help="One seed, 10 short steps, SmolLM2-135M.")] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="On the CPU, even where there is a GPU.")] = False,
    claims: Annotated[bool, typer.Option("--claims", help="What READMEs claim, and what was seen.")] = False,
    price: Price = None,
    output: Out = None,
    result: Result = None,
    store: Store = None,
) -> None:
    """Measure the stacks on this machine: speed, memory, time to the first step, size, held-out loss.

    All of them get the same tokens in the same order. A number counts only if the stack did the same
    work; what counts goes into your store of facts, where the goals `fast` and `gpu-poor` weigh it.
    Interrupted, the same command with the same -o goes on. Examples: advisor bench --cpu --quick; advisor
    bench --claims.
    """
    import json

    from finetune import bench as benches
    from finetune import record

    if claims and output is None:
        print("\n".join(claim_lines(None)))
        return
    turns = _rounds(rounds)
    folder = output or record.data_home() / "bench" / record.now().replace(":", "")
    demo = data is None and model is None and spec is None
    with progress() as watch:
        extra = [*(set_ or []), *(["devices.kind=cpu"] if cpu else [])]
        asked = compose(data, model, None, "trl", None, spec, extra, None, demo=demo, watch=watch)
        measured = benches.bench(
            benches.settings(asked.composed, benches.QUICK if quick else benches.THOROUGH),
            [name.strip() for name in stacks.split(",")],
            list(range(42, 42 + (1 if quick else seeds))),
            folder,
            rounds=turns,
            watch=watch,
            told=lambda one: watch.stage(
                f"{one.stack}, seed {one.seed}, round {one.round}: {one.reason or 'measured'}"
            ),
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(measured.as_dict(), indent=1) + "\n", "utf-8")
    if result is not None:
        result.write_text(json.dumps(publishable(measured), indent=1) + "\n", "utf-8")
    print("\n".join(lines(measured, price)))
    if claims:
        print("\n".join(["", *claim_lines(measured)]))
    print(f"\nall figures: {folder / 'bench.json'}")
    print(keep(measured, store))


def keep(result: Bench, store: Path | None) -> str:
    """Write what counts into the store of facts; a word on what was written.

    Each bench has a part of its own in the store, so that none replaces another.
    """
    from advisor import facts
    from advisor.cli.collect import store_or_default
    from finetune.bench_rows import rows

    found = rows(result)
    folder = store_or_default(store)
    for repository, of_it in found.items():
        facts.write(folder, "benchmarks", repository, of_it, part=result.date[:19].replace(":", ""))
    if not found:
        return "nothing counts, so no figure went into the facts"
    count = sum(map(len, found.values()))
    whose = f"{count} figures of {len(found)} libraries"
    return f"{whose} went into {folder}; `advisor rank --goal fast` weighs them"


def publishable(result: Bench) -> dict[str, Any]:
    """All figures with the command line; of paths only the last part is left: nobody else has them."""
    import sys

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
