"""advisor bench: the same job on every stack here, measured fairly; and what the READMEs claim, beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import app
from advisor.cli.train import Data, File, Model, Set, compose, progress

if TYPE_CHECKING:
    from finetune.bench import Bench, Measured

_GIB = 2**30
Stacks = Annotated[str, typer.Option(help="Which, with commas; the first is the reference of the gates.")]
Seeds = Annotated[int, typer.Option(min=1, help="Rounds, each with its own seed and a rotated order.")]
Price = Annotated[float | None, typer.Option(help="Of an hour of this machine, for the cost of a token.")]
Out = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the runs and of bench.json.")]


@app.command()
def bench(
    data: Data = None,
    model: Model = None,
    spec: File = None,
    set_: Set = None,
    stacks: Stacks = "trl,torchtune,litgpt,axolotl",
    seeds: Seeds = 3,
    quick: Annotated[bool, typer.Option("--quick", help="One seed, 10 short steps, SmolLM2-135M.")] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="On the CPU, even where there is a GPU.")] = False,
    claims: Annotated[bool, typer.Option("--claims", help="What READMEs claim, and what was seen.")] = False,
    price: Price = None,
    output: Out = None,
) -> None:
    """Measure the stacks on this machine: speed, memory, time to the first step, size, held-out loss.

    All of them get the same tokens in the same order. A number counts only if the stack did the same
    work. Interrupted, the same command goes on where it stopped. Examples: advisor bench --cpu --quick;
    advisor bench --claims.
    """
    import json

    from finetune import bench as benches
    from finetune import record

    if claims and output is None:
        print("\n".join(claim_lines(None)))
        return
    folder = output or record.data_home() / "bench" / record.now().replace(":", "")
    demo = data is None and model is None and spec is None
    with progress() as watch:
        extra = [*(set_ or []), *(["devices.kind=cpu"] if cpu else [])]
        asked = compose(data, model, None, "trl", None, spec, extra, None, demo=demo, watch=watch)
        job = benches.settings(asked.composed, benches.QUICK if quick else benches.THOROUGH)
        result = benches.bench(
            job,
            [name.strip() for name in stacks.split(",")],
            list(range(42, 42 + (1 if quick else seeds))),
            folder,
            watch=watch,
            told=lambda one: watch.stage(f"{one.stack}, seed {one.seed}: {one.reason or 'measured'}"),
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(result.as_dict(), indent=1) + "\n", "utf-8")
    print("\n".join(lines(result, price)))
    if claims:
        print("\n".join(["", *claim_lines(result)]))
    print(f"\nall figures: {folder / 'bench.json'}")


def lines(result: Bench, price: float | None) -> list[str]:
    """The table, the gates that did not hold, and the noise floor."""
    from advisor.report.text import table

    head = ["stack", "version", "seed", "tokens/s", "trained/s", "step s (IQR)", "peak GiB", "to 1st step s"]
    head += ["install", "held-out loss"] + (["cost/M tokens"] if price is not None else [])
    rows = [_row(one, price) for one in result.runs if not one.reason]
    told = table(head, rows) if rows else ["no stack could be measured"]
    told += [f"{one.stack}, seed {one.seed}: failed: {one.reason}" for one in result.runs if one.reason]
    for one in result.runs:
        broken = [gate for gate, passed in one.gates.items() if not passed]
        if broken:
            told.append(
                f"{one.stack}, seed {one.seed}: does not count, other work was done: {', '.join(broken)}"
            )
    if result.noise_floor is not None:
        told.append(f"noise floor: {result.noise_floor:.1%} between two runs of one stack; less says nothing")
    return [*told, "round A, equal settings; peak memory is the process's on a CPU, the allocator's on a GPU"]


def _row(one: Measured, price: float | None) -> list[str]:
    from finetune.bench import cost_per_million

    mark = "" if one.counts else " (!)"
    loss = "" if one.held_out is None else f"{one.base:.4f} → {one.held_out:.4f}"
    size = f"{one.install_bytes / _GIB:.1f} GiB, {one.install_seconds:.0f} s"
    first = sum(one.first_step_seconds.values())
    row = [
        one.stack + (" again" if one.again else "") + mark,
        one.version,
        str(one.seed),
        f"{one.tokens_per_second:,.1f}",
        f"{one.trained_tokens_per_second:,.1f}",
        f"{one.step_seconds:.2f} ({one.step_spread:.2f})",
        f"{one.peak_bytes / _GIB:.2f}",
        f"{first:.1f}",
        size if one.install_bytes else "beside advisor",
        loss,
    ]
    return row + ([f"{cost_per_million(one.tokens_per_second, price):.2f}"] if price is not None else [])


def claim_lines(result: Bench | None) -> list[str]:
    """What the READMEs claim, what third parties published, and what was measured here."""
    import tomllib

    from advisor.domain import data_folder

    told = tomllib.loads((data_folder() / "claims.toml").read_text("utf-8"))
    lines_ = []
    for claim in told["claim"]:
        lines_ += [f"{claim['stack']} ({claim['date']}): {claim['says']}  [{claim['source']}]"]
        lines_ += [
            f"  published by others: {p['result']} ({p['setup']}; {p['source']})" for p in claim["published"]
        ]
        lines_.append(f"  measured here: {_here(claim, result)}")
    return lines_


def _here(claim: dict[str, Any], result: Bench | None) -> str:
    """Speed of the claiming stack over the one it compares itself with."""
    from statistics import median

    if result is None:
        return "nothing yet; advisor bench --claims -o FOLDER measures"
    speeds = {
        name: [
            one.tokens_per_second for one in result.runs if one.stack == name and one.counts and not one.again
        ]
        for name in (claim["stack"], claim["against"])
    }
    if not all(speeds.values()):
        return f"no number that counts for {' and '.join(n for n, s in speeds.items() if not s)}"
    ratio = median(speeds[claim["stack"]]) / median(speeds[claim["against"]])
    noise = f", noise floor {result.noise_floor:.1%}" if result.noise_floor is not None else ""
    return f"{ratio:.2f} times the speed of {claim['against']} ({result.machine['processor']}{noise})"
