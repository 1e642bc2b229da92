"""The tree of runs: the parent of each run, what changed, what it brought, and which run is best."""

from __future__ import annotations

from pathlib import Path

from finetune.after import lineage, task
from finetune.record import Record
from finetune.spec import compose_spec


def run(name, loss=None, *, parent="", rows="h", state="finished", metric=None, **training):
    """Return folder and record of a run."""
    sections = {"model": {"base": "a/b"}, "data": {"train": "x"}, "training": training}
    spec = compose_spec([("t", sections)]).spec.model_dump(mode="json")
    result = {"metrics": {"exact-match": {"base": 0.1, "adapter": metric}}} if metric is not None else {}
    losses = {"held_out": {"base": 3.0, "adapter": loss}} if loss is not None else {}
    record = Record(
        id=name, state=state, started="2026-01-01T00:00:00+00:00", spec=spec, origins={}, stack="trl", parent=parent,
        data={"test_sha256": rows}, losses=losses, task=result,
    )  # fmt: skip
    return Path(name), record


def test_children_follow_their_parent_with_change_and_effect():
    runs = [
        run("a", 2.0),
        run("b", 1.0),
        run("c", 1.5, parent="a", epochs=2.0),
        run("d", 1.25, parent="c", epochs=3.0),
    ]
    (group,) = lineage.build_groups(runs)
    assert [(node.record.id, node.depth) for node in group.nodes] == [("a", 0), ("c", 1), ("d", 2), ("b", 0)]
    nodes = {node.record.id: node for node in group.nodes}
    assert nodes["c"].changes == ("training.epochs 1.0 → 2.0",)
    assert (nodes["c"].effect, nodes["d"].effect, nodes["b"].effect) == (-0.5, -0.25, None)
    assert (group.measure, group.best) == ("held-out loss", "b")
    assert group.reason == (
        "held-out loss 1.0000 is the lowest of 4 finished runs with the same held-out rows; the next, d, has 1.2500"
    )


def test_only_runs_with_the_same_held_out_rows_are_compared():
    first, second = lineage.build_groups([run("a", 2.0), run("b", 1.0, rows="other", parent="a")])
    assert (first.best, second.best) == ("a", "b")
    assert (second.nodes[0].depth, second.nodes[0].effect) == (0, None)
    assert "only finished run" in second.reason


def test_metric_that_all_runs_have_is_the_measure():
    groups = lineage.build_groups(
        [run("a", 1.0, metric=0.5), run("b", 2.0, metric=0.75), run("c", state="failed")]
    )
    assert (groups[0].measure, groups[0].best) == ("exact-match", "b"), (
        "the higher one, though its loss is higher"
    )
    groups = lineage.build_groups([run("a", 1.0, metric=0.5), run("b", 2.0)])
    assert (groups[0].measure, groups[0].best) == ("held-out loss", "a")


def test_difference_of_the_two_best_is_tested_on_their_answers(tmp_path):
    for name, answers in (("a", ["yes"] * 12), ("b", ["no"] * 12)):
        (tmp_path / name).mkdir()
        questions = task.Questions(
            questions=("q",) * 12, references=("yes",) * 12, answers={"adapter": answers}
        )
        task.write_answers(tmp_path / name, questions)
    (_, a), (_, b) = run("a", 1.0, metric=1.0), run("b", 1.0, metric=0.0)
    (group,) = lineage.build_groups([(tmp_path / "a", a), (tmp_path / "b", b)])
    assert group.reason.endswith("the next, b, has 0.0000: better (p < 0.001, exact McNemar)")
    task.write_answers(
        tmp_path / "b", task.Questions(questions=("other",), references=("yes",), answers={"adapter": [""]})
    )
    (group,) = lineage.build_groups([(tmp_path / "a", a), (tmp_path / "b", b)])
    assert group.reason.endswith("the next, b, has 0.0000"), "other questions are not compared"


def test_circle_of_parents_and_runs_without_rows_are_shown():
    (group,) = lineage.build_groups(
        [run("a", 1.0, parent="b"), run("b", 2.0, parent="a"), run("c", 3.0, parent="c")]
    )
    assert sorted(node.record.id for node in group.nodes) == ["a", "b", "c"]
    (group,) = lineage.build_groups([run("a", rows="", state="failed")])
    assert (group.best, group.reason) == ("", "no run has a result on held-out rows")
