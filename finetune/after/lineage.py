"""What was tried: the runs as a tree, what each one changed and brought, and which is best and why.

Results are compared only between runs with the same held-out tokens. They are judged by the first metric of
the task that all of them have, else by the held-out loss of the adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.after import task
from finetune.after.differences import find_differences
from finetune.record import Record

LOSS = "held-out loss"
_ROUTINE_FIELDS = ("evaluation.every_steps",)  # a sweep sets it
_UNCLEAR_P = 0.05


@dataclass(frozen=True)
class Node:
    """A run in the tree.

    Attributes:
        folder, record: the run.
        depth: 0 for a run without a parent among these runs.
        changes: what differs from the parent, or what a sweep set.
        value, base_value: the result of the adapter and of the base, by `Group.measure`; None: there is none.
        effect: the value less that of the parent; None without both.
    """

    folder: Path
    record: Record
    depth: int
    changes: tuple[str, ...]
    value: float | None
    base_value: float | None
    effect: float | None


@dataclass(frozen=True)
class Group:
    """Runs with the same held-out rows.

    Attributes:
        measure: name of the metric, or ``held-out loss``.
        best: id of the best finished run; empty if none is finished.
        reason: why it is the best, in words.
        nodes: all runs of the group, a parent before its children.
    """

    measure: str
    best: str
    reason: str
    nodes: tuple[Node, ...]


def build_groups(runs: Sequence[tuple[Path, Record]]) -> tuple[Group, ...]:
    """Return the runs by held-out rows, the group with the newest run last."""
    by_rows: dict[str, list[tuple[Path, Record]]] = {}
    for folder, run in runs:
        by_rows.setdefault(str(run.data.get("test_sha256", "")), []).append((folder, run))
    groups = [_build_group(members) for key, members in by_rows.items() if key]
    if "" in by_rows:
        groups.insert(0, _build_group(by_rows[""]))
    return tuple(groups)


def _build_group(runs: Sequence[tuple[Path, Record]]) -> Group:
    finished_runs = [(folder, run) for folder, run in runs if run.current_state == "finished"]
    measure = _choose_measure([run for _, run in finished_runs])
    best, reason = _find_best(finished_runs, measure)
    return Group(measure, best, reason, tuple(_order_nodes(runs, measure)))


def _choose_measure(runs: Sequence[Record]) -> str:
    for name in runs[0].task.get("metrics", {}) if runs else ():
        if all(read_value(run, name) is not None for run in runs):
            return str(name)
    return LOSS


def read_value(run: Record, measure: str, model: str = "adapter") -> float | None:
    """Return the result of base or adapter by a metric or the held-out loss; None if it has none."""
    if measure == LOSS:
        losses = run.losses.get("held_out", {})
        value: Any = losses.get(f"{model}_quantised", losses.get(model))
    else:
        value = run.task.get("metrics", {}).get(measure, {}).get(model)
    return float(value) if isinstance(value, int | float) else None


def _order_nodes(runs: Sequence[tuple[Path, Record]], measure: str) -> Iterator[Node]:
    by_id = {run.id: run for _, run in runs}
    children: dict[str, list[tuple[Path, Record]]] = {}
    for folder, run in runs:
        parent = run.parent if run.parent in by_id and run.parent != run.id else ""
        children.setdefault(parent, []).append((folder, run))
    visited_ids: set[str] = set()

    def visit(parent: str, depth: int) -> Iterator[Node]:
        for folder, run in children.get(parent, ()):
            if run.id not in visited_ids:  # records can be edited into a circle
                visited_ids.add(run.id)
                yield _build_node(folder, run, by_id.get(parent), depth, measure)
                yield from visit(run.id, depth + 1)

    yield from visit("", 0)
    for folder, run in runs:
        if run.id not in visited_ids:
            visited_ids.add(run.id)
            yield _build_node(folder, run, None, 0, measure)


def _build_node(folder: Path, run: Record, parent: Record | None, depth: int, measure: str) -> Node:
    value = read_value(run, measure)
    parent_value = read_value(parent, measure) if parent else None
    effect = value - parent_value if value is not None and parent_value is not None else None
    changes = _describe_changes(run, parent)
    return Node(folder, run, depth, changes, value, read_value(run, measure, "base"), effect)


def _describe_changes(run: Record, parent: Record | None) -> tuple[str, ...]:
    if parent is None:
        return tuple(
            f"{name}={_look_up(run, name)}"
            for name, origin in run.origins.items()
            if origin == "--sweep" and name not in (*_ROUTINE_FIELDS, "output")
        )
    texts = []
    for difference in find_differences(parent, run):
        if difference.part == "spec" and difference.name not in _ROUTINE_FIELDS:
            texts.append(f"{difference.name} {difference.first} → {difference.second}")
        elif (difference.part, difference.name) == ("data", "source_sha256"):
            texts.append("other contents of the data")
        elif (difference.part, difference.name) == ("model", "fingerprint"):
            texts.append("other weights of the base model")
    return tuple(texts)


def _look_up(run: Record, name: str) -> Any:
    value: Any = run.spec
    for part in name.split("."):
        value = value.get(part) if hasattr(value, "get") else None
    return value


def _find_best(runs: Sequence[tuple[Path, Record]], measure: str) -> tuple[str, str]:
    """Return the id of the best run, and why it is the best; equal values are ordered by their loss."""
    values = [(folder, run, read_value(run, measure)) for folder, run in runs]
    ranked = [(folder, run, value) for folder, run, value in values if value is not None]
    sign = 1 if measure == LOSS else -1
    ranked.sort(key=lambda one: (sign * one[2], read_value(one[1], LOSS) or 0.0))
    if not ranked:
        return "", "no run has a result on held-out rows"
    folder, run, value = ranked[0]
    if len(ranked) == 1:
        return run.id, f"{measure} {value:.4f}; it is the only finished run with these held-out rows"
    next_folder, next_run, next_value = ranked[1]
    extreme = "lowest" if measure == LOSS else "highest"
    reason = (
        f"{measure} {value:.4f} is the {extreme} of {len(ranked)} finished runs with the same held-out rows; "
        f"the next, {next_run.id}, has {next_value:.4f}"
    )
    if measure != LOSS and (test := task.compare_runs(next_folder, folder, measure)):
        is_unclear = test["p_value"] >= _UNCLEAR_P
        reason += f": {task.describe_test(test)}"
        reason += ", so take the cheaper one of the two" if is_unclear else ""
    return run.id, reason


OPTIMISM = (
    "The best of several runs was chosen on these held-out rows, so its value is a little too good: judge it "
    "once on rows that no run has seen."
)
