"""advisor stacks: which stacks can train here, their versions and the health of their environments."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app

stacks = typer.Typer(help="The stacks that can train, and their environments: list, build, rebuild.")
app.add_typer(stacks, name="stacks")
Name = Annotated[str, typer.Argument(help="Name of a stack.")]


@stacks.callback(invoke_without_command=True)
def list_stacks(context: typer.Context) -> None:
    """List them: the version that the lock file names, and whether the environment is well."""
    if context.invoked_subcommand is not None:
        return
    from advisor.report.text import table
    from finetune.process import environment
    from finetune.stacks import STACKS, stack

    rows = []
    for name in STACKS:
        chosen = stack(name)
        version = environment.pins(chosen.lock).get(name, "?")
        for kind, health in (
            ("beside advisor", environment.here(chosen.lock, chosen.needed)),
            ("its own", environment.check(chosen.lock)),
        ):
            made = health.environment
            cost = f"{made.seconds:.0f} s, {made.bytes / 2**30:.1f} GiB" if made and made.bytes else ""
            rows.append([name, version, kind, health.state, cost, health.why])
    print("\n".join(table(["stack", "tested", "environment", "state", "cost", "where or why"], rows)))


@stacks.command()
def build(name: Name) -> None:
    """Build the environment of a stack, if there is none that is well."""
    from finetune.process import environment
    from finetune.stacks import stack

    lock = stack(name).lock
    health = environment.check(lock)
    if health.environment is None:
        environment.build(lock, print)
    else:
        print(f"ready: {health.why}")


@stacks.command()
def rebuild(name: Name) -> None:
    """Build the environment of a stack anew, whatever its state."""
    from finetune.process import environment
    from finetune.stacks import stack

    environment.build(stack(name).lock, print)
