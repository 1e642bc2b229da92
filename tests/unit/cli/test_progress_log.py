"""Long work in a log: a line a minute with the stage and how far it is."""

from __future__ import annotations

import time

import pytest

from advisor.cli import progress_log
from advisor.cli.run_output import show_progress


@pytest.fixture(autouse=True)
def short_interval(monkeypatch):
    assert progress_log._INTERVAL_SECONDS == 60
    monkeypatch.setattr(progress_log, "_INTERVAL_SECONDS", 0.01)


def wait_until(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_lines_name_the_stage_and_end_with_the_work():
    lines = []
    with progress_log.ProgressLog(lines.append, is_active=True) as log:
        wait_until(lambda: len(lines) > 1)
        assert set(lines) == {"prepare; for 0 min"}
        log.start_stage("tokenise")
        log.figures = "4,096 rows"
        wait_until(lambda: "tokenise; 4,096 rows; for 0 min" in lines)
        log.start_stage("evaluate")
        wait_until(lambda: lines[-1] == "evaluate; for 0 min")
    count = len(lines)
    time.sleep(0.05)
    assert len(lines) == count


def test_a_terminal_has_a_bar_and_no_lines():
    lines = []
    with progress_log.ProgressLog(lines.append, is_active=False):
        time.sleep(0.05)
    assert lines == []


def test_redirected_training_speaks_of_its_step(capsys):
    step = {
        "event": "step",
        "step": 30,
        "steps": 400,
        "loss": 1.5,
        "tokens": 9,
        "gpu_bytes": 0,
        "rss_bytes": 1,
    }
    output = []

    def read():
        output.append(capsys.readouterr().err)
        return "".join(output)

    with show_progress() as callbacks:
        callbacks.on_stage("train")
        wait_until(lambda: "· train; for 0 min\n" in read())
        callbacks.on_event(step)
        wait_until(lambda: "· train; step 30 of 400, loss 1.500; for 0 min\n" in read())
        callbacks.on_stage("tokenise")
        callbacks.on_rows(12345)
        wait_until(lambda: "· tokenise; 12,345 rows; for 0 min\n" in read())


def test_redirected_evaluation_says_how_many_rows_are_judged(capsys):
    output = []

    def read():
        output.append(capsys.readouterr().err)
        return "".join(output)

    with show_progress() as callbacks:
        callbacks.on_stage("evaluate")
        callbacks.on_progress("load the model", 0, 0)
        wait_until(lambda: "· evaluate; load the model; for 0 min\n" in read())
        callbacks.on_progress("answers of the base", 1200, 2400)
        wait_until(lambda: "· evaluate; answers of the base: 1,200 of 2,400 rows; for 0 min\n" in read())


def test_quiet_work_says_nothing(capsys, monkeypatch):
    monkeypatch.setattr("advisor.cli.messages.is_quiet", lambda: True)
    with show_progress() as callbacks:
        callbacks.on_stage("evaluate")
        callbacks.on_progress("answers of the base", 1, 2)
        time.sleep(0.05)
    assert capsys.readouterr().err == ""
