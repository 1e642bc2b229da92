"""A sweep with two finished runs and a hopeless third one, its tree, and its page in a browser."""

from __future__ import annotations

import json
import shutil

import pytest

from finetune import record

STEPS = 400


def write_validations(folder, loss):
    """Add held-out losses at the quarters of a run of 12 steps."""
    lines = (folder / "events.jsonl").read_text().splitlines()
    events = []
    for event in map(json.loads, lines):
        events.append(event)
        if event["event"] == "step" and event["step"] % 3 == 0:
            events.append({"event": "validated", "step": event["step"], "loss": loss, "time": event["time"]})
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.fixture(scope="module")
def sweep(advisor, finished_run, tmp_path_factory):
    """The folder and the process of a sweep from a run in it; its first two runs were finished before."""
    folder = tmp_path_factory.mktemp("sweep")
    shutil.copytree(finished_run[0], folder / "parent", symlinks=True)
    spec = record.read_record(folder / "parent").spec
    # Long enough that the third run is stopped before its end: the wrapper looks five times a second.
    spec = {**spec, "training": {**spec["training"], "steps": STEPS}}
    record.update_record(folder / "parent", record.read_record(folder / "parent"), id="parent", spec=spec)
    for number, loss in ((1, 3.0), (2, 3.5)):
        shutil.copytree(folder / "parent", folder / f"run-{number}", symlinks=True)
        write_validations(folder / f"run-{number}", loss)
        training = {**spec["training"], "learning_rate": 0.005 + number / 1000}
        changes = {"id": f"run-{number}", "parent": "parent", "spec": {**spec, "training": training}}
        record.update_record(
            folder / f"run-{number}", record.read_record(folder / f"run-{number}"), **changes
        )
    words = ["--from-run", folder / "parent", "-o", folder, "--note", "a <b>note</b>", "--tag", "first"]
    return folder, advisor("train", *words, "--sweep", "learning_rate=0.006,0.007,1e-7")


def test_hopeless_run_is_stopped_and_the_finished_ones_do_not_run_again(sweep, finished_run):
    folder, process = sweep
    run = record.read_record(folder / "run-3")
    assert run.state == "interrupted"
    assert run.outcome.startswith("stopped early after 2 of 4 quarters: its held-out loss is 6.")
    assert run.outcome.endswith("and the median of 2 earlier runs there is 3.2500")
    assert run.attempts[0].to_step < STEPS
    assert (run.parent, run.note, run.tags) == ("parent", "a <b>note</b>", ("first",))
    assert run.spec["evaluation"]["every_steps"] == STEPS // 4
    spec = record.read_record(folder / "parent").spec
    assert run.spec["training"] == {**spec["training"], "learning_rate": 1e-7}, (
        "the spec is that of the parent"
    )
    assert run.origins["training.learning_rate"] == "--sweep"
    assert record.read_record(folder / "run-1").started == record.read_record(finished_run[0]).started
    assert "run-3  method.r" not in process.stdout
    assert "run-3  training.learning_rate=1e-07  stopped early" in process.stdout
    assert "best: run-1: exact-match" in process.stdout


def test_notes_and_tags_are_changed(advisor, sweep):
    folder, _ = sweep
    advisor("runs", "note", folder / "run-2", "twice the rank\nnext: more rows")
    assert advisor("runs", "tag", folder / "run-2", "b", "a", "b").stdout == "run-2: b, a\n"
    assert advisor("runs", "tag", folder / "run-2", "b", "--remove").stdout == "run-2: a\n"
    output = advisor("runs", "tree", folder, "--tag", "a").stdout
    assert "1 run, compared by exact-match" in output
    assert "twice the rank next: more rows" in output
    assert "no runs yet" in advisor("runs", "tree", folder, "--tag", "none").stdout
    assert "is not a folder of runs" in advisor("runs", "tree", folder / "nothing", code=2).stderr


def test_page_of_the_tree_is_written(advisor, sweep, tmp_path):
    output = advisor("runs", "tree", sweep[0], "--html", tmp_path / "tree.html").stdout
    assert output.endswith(f"written: {tmp_path / 'tree.html'}\n")
    page = (tmp_path / "tree.html").read_text()
    assert "training.learning_rate 0.005 → 1e-07" in page
    assert "a &lt;b&gt;note&lt;/b&gt;" in page
