"""A process is followed, stopped and explained; played by small scripts in place of a stack."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from finetune.errors import DiskFull, LossNotFinite, OutOfMemory, TrainingFailed, TrainingInterrupted
from finetune.process import launch
from finetune.runners import emit


def script(tmp_path, body):
    from pathlib import Path

    here = str(Path(emit.__file__).parent)
    head = f"import sys; sys.path.insert(0, {here!r})\nimport os, time, emit\nfrom pathlib import Path\n"
    head += f"run = Path({str(tmp_path)!r}); say = emit.Emitter(run)\n"
    file = tmp_path / "stack.py"
    file.write_text(head + textwrap.dedent(body))
    return [sys.executable, str(file)]


def test_events_arrive_in_order_and_once(tmp_path):
    (tmp_path / "events.jsonl").write_text('{"event": "old"}\n')
    seen = []
    command = script(tmp_path, """
        for n in range(5): say("step", step=n + 1, loss=1.0); time.sleep(0.05)
        say("finished", step=5, seconds=1)
    """)  # fmt: skip
    ended = launch.launch(command, tmp_path, {"A": "b"}, on_event=seen.append)
    assert [e["event"] for e in seen] == ["step"] * 5 + ["finished"]
    assert ended.finished["step"] == 5


FAILURES = [
    (
        'raise MemoryError("can\'t allocate memory: you tried to allocate 8 bytes")',
        OutOfMemory,
        "micro_batch_size",
    ),
    (
        'raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")',
        OutOfMemory,
        "gradient_checkpointing",
    ),
    ('raise emit.NotFinite("the loss of step 3 is nan")', LossNotFinite, "learning_rate"),
    ('raise OSError(28, "No space left on device")', DiskFull, "Free some space"),
    ('raise ValueError("what is this")', TrainingFailed, "ValueError: what is this"),
]


@pytest.mark.parametrize(("line", "kind", "told"), FAILURES)
def test_a_failure_is_recognised_and_says_what_to_do(tmp_path, line, kind, told):
    command = script(tmp_path, f"""
        say("step", step=3, loss=1.0)
        try:
            {line}
        except BaseException as error:
            kind, message = emit.classify(error)
            say("failed", kind=kind, message=message)
            sys.exit(1)
    """)  # fmt: skip
    with pytest.raises(kind) as caught:
        launch.launch(command, tmp_path, {})
    assert told in str(caught.value)
    assert "at step 3" in str(caught.value)
    assert f"--resume {tmp_path}" in str(caught.value)


def test_a_process_that_says_nothing_leaves_its_last_line_and_its_log(tmp_path):
    with pytest.raises(TrainingFailed, match=r"exit code 3: the last words.*log\.txt"):
        launch.launch(script(tmp_path, 'print("the last words"); sys.exit(3)'), tmp_path, {})
    assert "the last words" in (tmp_path / "log.txt").read_text()


def test_a_killed_process_is_told_apart(tmp_path):
    (tmp_path / "work" / "checkpoint-2").mkdir(parents=True)
    (tmp_path / "work" / "checkpoint-2" / "complete").touch()
    (tmp_path / "work" / "checkpoint-4").mkdir()
    with pytest.raises(TrainingFailed, match=r"killed from outside.*signal 9.*checkpoint-2 is kept"):
        launch.launch(script(tmp_path, f"os.kill(os.getpid(), {int(signal.SIGKILL)})"), tmp_path, {})


def test_a_process_that_has_finished_and_does_not_leave_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_FAREWELL_SECONDS", 0.5)
    command = script(tmp_path, 'say("step", step=1, loss=1.0); say("finished", step=1); time.sleep(600)')
    ended = launch.launch(command, tmp_path, {})
    assert ended.lingered
    assert ended.finished["step"] == 1


def test_one_that_failed_and_does_not_leave_is_ended_and_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_FAREWELL_SECONDS", 0.5)
    command = script(tmp_path, 'say("failed", kind="other", message="E: lost"); time.sleep(600)')
    with pytest.raises(TrainingFailed, match=r"failed before the first step: E: lost"):
        launch.launch(command, tmp_path, {})


def test_one_that_falls_silent_after_a_step_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_SILENCE_SECONDS", 0.5)
    silent = script(tmp_path, 'say("step", step=1, loss=1.0); time.sleep(600)')
    with pytest.raises(TrainingFailed, match=r"fell silent at step 1 and was ended.*log\.txt"):
        launch.launch(silent, tmp_path, {})


def raises(event, error):
    """A listener that is interrupted by the first event of a kind, as by Ctrl-C while it is told."""
    told = []

    def listen(heard):
        if heard["event"] == event and event not in told:
            told.append(event)
            raise error

    return listen


def test_ctrl_c_before_the_first_step_ends_the_process_at_once(tmp_path):
    command = script(tmp_path, """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (say("bye"), sys.exit(1)))
        say("loaded"); time.sleep(600)
    """)  # fmt: skip
    with pytest.raises(TrainingInterrupted, match="stopped before the first step; there is no checkpoint"):
        launch.launch(command, tmp_path, {}, on_event=raises("loaded", KeyboardInterrupt))
    assert not (tmp_path / "stop").exists()
    assert [e["event"] for _, e in launch.events(tmp_path)] == ["loaded", "bye"]


def test_a_process_that_does_not_stop_when_asked_is_ended_and_was_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_PATIENCE_SECONDS", 0.5)
    asked = []
    command = script(tmp_path, 'say("step", step=4, loss=1.0); time.sleep(600)')
    with pytest.raises(TrainingInterrupted, match="stopped at step 4"):
        launch.launch(
            command,
            tmp_path,
            {},
            on_event=raises("step", KeyboardInterrupt),
            on_stopping=lambda: asked.append(1),
        )
    assert asked == [1]


def test_an_error_of_ours_leaves_no_process_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_GRACE_SECONDS", 0.5)
    pids = []
    deaf = script(tmp_path, """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("loaded"); time.sleep(600)
    """)  # fmt: skip
    with pytest.raises(DiskFull):
        launch.launch(deaf, tmp_path, {}, on_event=raises("loaded", DiskFull("full")), on_start=pids.append)
    assert not emit.alive(pids[0])


def test_a_torn_line_is_passed_over_and_an_unfinished_one_is_left_for_later(tmp_path):
    stream = tmp_path / "events.jsonl"
    stream.write_bytes(b'{"event": "a"}\n{"event": "st\n\xff\xfe\n{"event": "b"}\n{"event": "c')
    seen = list(launch.events(tmp_path))
    assert [event["event"] for _, event in seen] == ["a", "b"]
    with stream.open("a") as file:
        file.write('"}\n')
    assert [event["event"] for _, event in launch.events(tmp_path, seen[-1][0])] == ["c"]


def test_patience_grows_with_the_pauses_that_were_seen(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(launch.time, "monotonic", lambda: now[0])
    heard = launch._Heard()
    now[0] = 1e6
    assert not heard.overdue, "loading and compiling may take as long as they like"
    heard({"event": "step"})
    now[0] += 200
    heard({"event": "step"})
    now[0] += launch._SILENCE_PAUSES * 200
    assert not heard.overdue
    now[0] += 1
    assert heard.overdue
    heard({"event": "finished"})
    now[0] += launch._FAREWELL_SECONDS + 1
    assert heard.overdue


def test_only_whole_checkpoints_count_and_the_newest_wins(tmp_path):
    assert launch.last_checkpoint(tmp_path) is None
    for step in (9, 10, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step != 100:
            emit.mark_complete(tmp_path / f"checkpoint-{step}")
    assert launch.last_checkpoint(tmp_path).name == "checkpoint-10"


def test_several_processes_agree_on_the_step_to_stop_at(tmp_path):
    first, second = emit.Emitter(tmp_path), emit.Emitter(tmp_path, quiet=True)
    assert not first.stop_at(4, world_size=2)
    (tmp_path / "stop").touch()
    assert not second.stop_at(4, world_size=2), "only rank 0 decides"
    assert not first.stop_at(5, world_size=2)
    assert [first.stop_at(s, world_size=2) for s in (6, 7)] == [False, True]
    assert [second.stop_at(s, world_size=2) for s in (6, 7)] == [False, True]


def test_a_dead_wrapper_is_noticed(tmp_path, monkeypatch):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setenv(emit.WRAPPER_PID, str(gone.pid))
    assert emit.Emitter(tmp_path).stop_at(1)
