"""advisor stacks: the stacks that can train, their versions and their environments."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app

stacks = typer.Typer(
    help="List the stacks, and build their environments.\n\n"
    "Without a command: list for each stack the tested version and the state of its environments."
)
app.add_typer(stacks, name="stacks")
Stack = Annotated[str, typer.Argument(help="Name of a stack, for example trl.")]


@stacks.callback(invoke_without_command=True)
def list_stacks(context: typer.Context) -> None:
    """List the stacks with the version in the lock file and the state of each environment."""
    if context.invoked_subcommand is not None:
        return
    from advisor.report.tables import text_table
    from finetune.process import environment
    from finetune.stacks import STACKS, load_stack

    rows = []
    for name in STACKS:
        stack = load_stack(name)
        version = environment.read_pins(stack.lock).get(name, "?")
        for kind, health in (
            ("beside advisor", environment.check_current(stack.lock, stack.required_packages)),
            ("its own", environment.check_environment(stack.lock)),
        ):
            costs = health.environment
            cost = f"{costs.seconds:.0f} s, {costs.bytes / 2**30:.1f} GiB" if costs and costs.bytes else ""
            rows.append([name, version, kind, health.state, cost, health.why])
    print("\n".join(text_table(["stack", "tested", "environment", "state", "cost", "where or why"], rows)))


@stacks.command()
def build(stack: Stack) -> None:
    """Build the environment of a stack, unless it is ready."""
    from finetune.process import environment
    from finetune.stacks import load_stack

    lock = load_stack(stack).lock
    health = environment.check_environment(lock)
    if health.environment is None:
        environment.build_environment(lock, print)
    else:
        print(f"ready: {health.why}")


@stacks.command()
def rebuild(stack: Stack) -> None:
    """Build the environment of a stack again, even if it is ready."""
    from finetune.process import environment
    from finetune.stacks import load_stack

    environment.build_environment(load_stack(stack).lock, print)
