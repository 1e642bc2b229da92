"""advisor stacks: the stacks that can train, their versions and their environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app, completion

if TYPE_CHECKING:
    from finetune.process.environment import Environment

stacks = typer.Typer(
    help="List the stacks, and build their environments.\n\n"
    "Without a command: list for each stack the tested version and the state of its environments."
)
app.add_typer(stacks, name="stacks")
Stack = Annotated[
    str,
    typer.Argument(help="Name of a stack, for example trl.", autocompletion=completion.stacks),
]


@stacks.callback(invoke_without_command=True)
def list_stacks(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Also ask the torch of each environment about the GPUs.")
    ] = False,
) -> None:
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
            if check:
                rows[-1].append(_describe_gpus(name, costs))
    columns = ["stack", "tested", "environment", "state", "cost", "where or why"]
    print("\n".join(text_table([*columns, "GPU"] if check else columns, rows)))


def _describe_gpus(stack: str, environment: Environment | None) -> str:
    """Return what the torch of an environment sees, or what to install so that it sees the GPUs."""
    from finetune.errors import StackEnvironmentError
    from finetune.machine import gpu_check

    if environment is None:
        return ""
    try:
        support = gpu_check.query_gpus(environment.python)
    except StackEnvironmentError as error:
        return str(error)
    return gpu_check.explain_problem(support, stack, environment.home) or str(support)


@stacks.command()
def build(stack: Stack) -> None:
    """Build the environment of a stack, unless it is ready."""
    from finetune.process import environment
    from finetune.stacks import load_stack

    lock = load_stack(stack).lock
    health = environment.check_environment(lock)
    if health.environment is None:
        environment.build_environment(lock, print, unless_ready=True)
    else:
        print(f"ready: {health.why}")


@stacks.command()
def rebuild(stack: Stack) -> None:
    """Build the environment of a stack again, even if it is ready."""
    from finetune.process import environment
    from finetune.stacks import load_stack

    environment.build_environment(load_stack(stack).lock, print)
