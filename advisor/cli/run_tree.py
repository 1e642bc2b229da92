"""Start a sweep, and show what was tried as a tree of runs: as text and as a page."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.cli.run_options import RunRequest
    from finetune.after.lineage import Group, Node
    from finetune.callbacks import RunCallbacks
    from finetune.spec import ComposedSpec

_BRANCHES = {"└─ ": "   ", "├─ ": "│  "}


def run_sweep(
    request: RunRequest,
    sweep: Sequence[str],
    output: Path | None,
    parent: str,
    lineage: Mapping[str, Any],
    callbacks: RunCallbacks,
) -> str:
    """Train all runs of a sweep; return the tree of its runs.

    Without a parent, the first run is the parent of the others.

    Raises:
        InputError: a run would not start.
        TrainingError: no run finished.
        TrainingInterruption: the user stopped it.
    """
    from finetune import record, run
    from finetune.after import lineage as lineages
    from finetune.errors import TrainingError
    from finetune.study import sweep as sweeps

    ids: list[str] = []

    def start(spec: ComposedSpec, callbacks: RunCallbacks) -> Path:
        ids.append(Path(str(spec.spec.output)).name)
        return run.start_run(
            spec,
            recommendation=request.recommendation,
            callbacks=callbacks,
            parent=parent or ("" if ids[-1] == ids[0] else ids[0]),
            **lineage,
        )

    composed_spec = request.composed_spec
    combinations = sweeps.parse_sweep(sweep, composed_spec.spec)
    if output is not None:
        ids.append("run-1")  # it may have run before
    runs = sweeps.run_sweep(composed_spec, combinations, output, start=start, callbacks=callbacks)
    if all(one.reason for one in runs):
        raise TrainingError(f"no run of the sweep finished; the first one: {runs[0].reason}")
    folders = [one.folder for one in runs if (one.folder / "record.json").is_file()]
    groups = lineages.build_groups([(folder, record.read_record(folder)) for folder in folders])
    return "\n".join([*format_tree(groups), "", *(f"{folder.name}: {folder}" for folder in folders)])


def read_groups(folder: Path | None, tag: str | None) -> tuple[Group, ...]:
    """Return the runs in a folder, or those of the user, by held-out rows.

    Raises:
        InputError: the folder does not exist.
    """
    from advisor.errors import InputError
    from finetune import record
    from finetune.after import lineage

    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder} is not a folder of runs")

    def report(problem: str) -> None:
        print(f"advisor: {problem}", file=sys.stderr)

    runs = [(f, run) for f, run in record.iterate_runs(report, folder) if tag is None or tag in run.tags]
    return lineage.build_groups(runs)


def format_tree(groups: Sequence[Group]) -> list[str]:
    """Return the tree of each group of comparable runs, then its best run and why."""
    from finetune.after.lineage import OPTIMISM

    lines: list[str] = []
    for group in groups:
        lines += [""] if lines else []
        lines += [f"{len(group.nodes)} run{'s' * (len(group.nodes) > 1)}, compared by {group.measure}"]
        lines += _format_branches(group)
        lines += [f"best: {group.best}: {group.reason}"] if group.best else [f"best: none: {group.reason}"]
        if sum(node.value is not None for node in group.nodes) > 1:
            lines.append(OPTIMISM)
    return lines


def _format_branches(group: Group) -> list[str]:
    lines = []
    trunks: list[str] = []
    for number, node in enumerate(group.nodes):
        later_depths = [later.depth for later in group.nodes[number + 1 :]]
        end = next((i for i, depth in enumerate(later_depths) if depth < node.depth), len(later_depths))
        branch = "├─ " if node.depth in later_depths[:end] else "└─ "
        branch = branch if node.depth else ""
        trunks = [*trunks[: max(0, node.depth - 1)], *([branch] if branch else [])]
        prefix = "".join(_BRANCHES[trunk] for trunk in trunks[:-1]) + (branch or "")
        lines.append(f"{prefix}{_describe_node(node, group)}")
        if node.record.note:
            margin = "".join(_BRANCHES[trunk] for trunk in trunks)
            lines.append(f"{margin}  {' '.join(node.record.note.split())}")
    return lines


def _describe_node(node: Node, group: Group) -> str:
    run = node.record
    parts = [f"{run.id}{' ★' if run.id == group.best else ''}"]
    parts += [", ".join(node.changes)] if node.changes else []
    if node.value is not None:
        values = [node.base_value, node.value] if not node.depth else [node.value]
        parts.append(" → ".join(f"{value:.4f}" for value in values if value is not None))
    if node.effect is not None:
        parts[-1] += f" ({node.effect:+.4f})"
    if run.current_state != "finished":
        parts.append(run.outcome if run.outcome.startswith("stopped early") else run.current_state)
    parts += [f"[{', '.join(run.tags)}]"] if run.tags else []
    return "  ".join(parts)


def render_page(groups: Sequence[Group]) -> str:
    """Return the page of the tree, with the loss curves of all runs."""
    from advisor.report.run_tree import render
    from finetune.after.lineage import OPTIMISM

    return render([_describe_group(group) for group in groups], OPTIMISM)


def _describe_group(group: Group) -> dict[str, Any]:
    return {
        "measure": group.measure,
        "best": group.best,
        "reason": group.reason,
        "runs": [_describe_run(node, group) for node in group.nodes],
    }


def _describe_run(node: Node, group: Group) -> dict[str, Any]:
    run = node.record
    result = run.task.get("metrics", {}).get(group.measure, {})
    events = list(_read_curves(node.folder))
    return {
        "id": run.id,
        "parent": run.parent,
        "depth": node.depth,
        "state": run.current_state,
        "outcome": run.outcome,
        "changes": list(node.changes),
        "value": node.value,
        "interval": result.get("adapter_interval"),
        "base": node.base_value,
        "effect": node.effect,
        "seconds": sum(attempt.seconds for attempt in run.attempts),
        "bytes": run.memory_bytes.get("measured_peak"),
        "note": run.note,
        "tags": list(run.tags),
        "curve": [point for kind, point in events if kind == "step"],
        "held_out_curve": [point for kind, point in events if kind == "validated"],
    }


def _read_curves(folder: Path) -> list[tuple[str, tuple[int, float]]]:
    """Return kind, step and loss of each step and of each validation."""
    from finetune.process import launch

    events = [event for _, event in launch.read_events(folder) if event["event"] in ("step", "validated")]
    return [(e["event"], (e["step"], e["loss"])) for e in events if e["loss"] is not None]
