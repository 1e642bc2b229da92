"""A sweep with two finished runs and a hopeless third one that is interrupted first, its tree, and its page."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from finetune import record
from finetune.process import launch

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


def interrupt_training(variables, words, run):
    """Start a sweep, press Ctrl-C after the third step of one of its runs, and return what it says."""
    command = [sys.executable, "-m", "advisor", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as process:
        until = time.monotonic() + 240
        while sum(event["event"] == "step" for _, event in launch.read_events(run)) < 3:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        errors = process.communicate(timeout=240)[1]
    assert process.returncode == 130, errors
    return errors


@pytest.fixture(scope="module")
def sweep(advisor, variables, finished_run, tmp_path_factory):
    """The folder, both errors and the process of a sweep from a run in it; two of its runs were finished before.

    Ctrl-C stops the third one in its first steps; then the same command runs again.
    """
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
    words = [
        "train",
        "--from-run",
        folder / "parent",
        "-o",
        folder,
        "--note",
        "a <b>note</b>",
        "--tag",
        "first",
    ]
    words += ["--sweep", "learning_rate=0.006,0.007,1e-7"]
    errors = interrupt_training(variables, words, folder / "run-3")
    return folder, errors, advisor(*words)


def test_hopeless_run_is_stopped_and_the_finished_ones_do_not_run_again(sweep, finished_run):
    folder, _, process = sweep
    run = record.read_record(folder / "run-3")
    assert run.state == "interrupted"
    assert run.outcome.startswith("stopped early after 2 of 4 quarters: its held-out loss is 6.")
    assert run.outcome.endswith("and the median of 2 earlier runs there is 3.2500")
    assert run.attempts[-1].to_step < STEPS
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


def test_interrupted_run_resumes_from_its_checkpoint(sweep):
    folder, errors, _ = sweep
    advice = f"stopped; 2 of 3 runs are complete; run the same command with -o {folder} to resume"
    assert advice in errors.replace("\n", " ")
    first, second = record.read_record(folder / "run-3").attempts
    assert 3 <= first.to_step < STEPS // 2
    assert (first.outcome, second.from_step) == ("interrupted", first.to_step)
    steps = [event["step"] for _, event in launch.read_events(folder / "run-3") if event["event"] == "step"]
    assert steps == list(range(1, second.to_step + 1)), "no step is trained twice"


def test_notes_and_tags_are_changed(advisor, sweep):
    folder = sweep[0]
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
