"""Following, stopping and explaining a process; small scripts stand in for a stack."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from finetune.errors import DiskFull, LossNotFinite, OutOfMemory, TrainingError, TrainingInterruption
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
    events = []
    command = script(tmp_path, """
        for n in range(5): say("step", step=n + 1, loss=1.0); time.sleep(0.05)
        say("finished", step=5, seconds=1)
    """)  # fmt: skip
    result = launch.run_process(command, tmp_path, {"A": "b"}, on_event=events.append)
    assert [e["event"] for e in events] == ["step"] * 5 + ["finished"]
    assert result.last_event["step"] == 5


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
    ('raise ValueError("what is this")', TrainingError, "ValueError: what is this"),
]


@pytest.mark.parametrize(("line", "kind", "text"), FAILURES)
def test_failure_message_names_the_cause_and_what_to_do(tmp_path, line, kind, text):
    command = script(tmp_path, f"""
        say("step", step=3, loss=1.0)
        try:
            {line}
        except BaseException as error:
            kind, message = emit.classify_error(error)
            say("failed", kind=kind, message=message)
            sys.exit(1)
    """)  # fmt: skip
    with pytest.raises(kind) as failure:
        launch.run_process(command, tmp_path, {})
    assert text in str(failure.value)
    assert "at step 3" in str(failure.value)
    assert f"--resume {tmp_path}" in str(failure.value)


def test_failure_without_an_event_quotes_the_last_line_of_the_log(tmp_path):
    with pytest.raises(TrainingError, match=r"exit code 3: the last words.*log\.txt"):
        launch.run_process(script(tmp_path, 'print("the last words"); sys.exit(3)'), tmp_path, {})
    assert "the last words" in (tmp_path / "log.txt").read_text()


GPU_ENDS = [
    ("ValueError: Some modules are dispatched on the CPU or the disk. Make sure you have enough GPU RAM", "micro_batch"),
    ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "micro_batch_size"),
    ("RuntimeError: CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", "micro_batch_size"),
    ("RuntimeError: cuDNN error: CUDNN_STATUS_NOT_INITIALIZED", "micro_batch_size"),
    ('RuntimeError: NVML_SUCCESS == r INTERNAL ASSERT FAILED at "../c10/cuda/CUDACachingAllocator.cpp":838', "micro_batch_size"),
    ("RuntimeError: GET was unable to find an engine to execute this computation", "micro_batch_size"),
    ("NotImplementedError: Cannot copy out of meta tensor; no data!", "micro_batch_size"),
    ("RuntimeError: CUDA error: no kernel image is available for execution on the device", "UV_TORCH_BACKEND=cu126 for a card older than the T4"),
    ("RuntimeError: The NVIDIA driver on your system is too old (found version 12020).", "Install a newer NVIDIA driver"),
    ("RuntimeError: No CUDA GPUs are available", "Check `nvidia-smi`"),
    ("AcceleratorError: CUDA error: all CUDA-capable devices are busy or unavailable", "Another program holds the GPU"),
    ("ValueError: Your setup doesn't support bf16/gpu. You need Ampere+ GPU with cuda>=11.0", "does not compute in that type"),
    ("[Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)", "NCCL_P2P_DISABLE=1"),
    ("DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3690, unhandled system error", "NCCL_IB_DISABLE=1"),
    ("NVRM: Xid (PCI:0000:01:00): 79, pid=1234, GPU has fallen off the bus.", "The GPU or its driver failed"),
    ("RuntimeError: CUDA error: device-side assert triggered", "outside of the model's vocabulary"),
    ("Indexing.cu:1292: indexSelectLargeIndex: Assertion `srcIndex < srcSelectDimSize` failed.", "outside of the model's"),
    ("IndexError: index out of range in self", "outside of the model's vocabulary"),
    ("OutOfResources: out of resource: shared memory, Required: 81920, Hardware limit: 65536.", "Turn off training.liger"),
    ("ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'", "TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas"),
    ("CUDA error: an illegal memory access was encountered", "The GPU or its driver failed"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "remedy"), GPU_ENDS)
@pytest.mark.parametrize("has_event", [True, False])
def test_end_by_a_gpu_has_its_remedy_with_and_without_an_event(tmp_path, message, remedy, has_event):
    (tmp_path / "log.txt").write_text(f"step 3\n{message}\nterminate called without an active exception\n")
    kind, text = emit.classify_error(RuntimeError(message))
    events = {"failed": {"kind": kind, "message": text}} if has_event else {}
    error = launch.explain_failure(-6, {"step": {"step": 3}, **events}, tmp_path)
    assert isinstance(error, OutOfMemory) is remedy.startswith("micro_batch")
    assert remedy in str(error)
    assert message in str(error)
    assert "at step 3" in str(error)


def test_ordinary_texts_are_no_gpu_errors(tmp_path):
    for text in ("KeyError: 'xidentity'", "max_xid=3", "ValueError: batch 3", "loss 2.31 of 40 steps"):
        assert emit.classify_error(RuntimeError(text))[0] == "other", text


def test_killed_process_gets_its_own_message(tmp_path):
    (tmp_path / "work" / "checkpoint-2").mkdir(parents=True)
    (tmp_path / "work" / "checkpoint-2" / "complete").touch()
    (tmp_path / "work" / "checkpoint-4").mkdir()
    with pytest.raises(TrainingError, match=r"another process killed.*signal 9.*checkpoint-2 is complete"):
        launch.run_process(script(tmp_path, f"os.kill(os.getpid(), {int(signal.SIGKILL)})"), tmp_path, {})


def test_finished_process_that_does_not_exit_is_terminated(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_EXIT_TIMEOUT_SECONDS", 0.5)
    command = script(tmp_path, 'say("step", step=1, loss=1.0); say("finished", step=1); time.sleep(600)')
    result = launch.run_process(command, tmp_path, {})
    assert result.was_terminated
    assert result.last_event["step"] == 1


def test_failed_process_that_does_not_exit_is_terminated_with_its_message(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_EXIT_TIMEOUT_SECONDS", 0.5)
    command = script(tmp_path, 'say("failed", kind="other", message="E: lost"); time.sleep(600)')
    with pytest.raises(TrainingError, match=r"failed before the first step: E: lost"):
        launch.run_process(command, tmp_path, {})


def test_process_without_events_after_a_step_is_terminated(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_SILENCE_SECONDS", 0.5)
    silent = script(tmp_path, 'say("step", step=1, loss=1.0); time.sleep(600)')
    with pytest.raises(TrainingError, match=r"sent no event at step 1 and was ended.*log\.txt"):
        launch.run_process(silent, tmp_path, {})


def raises(event, error):
    """Return a listener that raises an error at the first event of a kind, such as Ctrl-C."""
    kinds = []

    def listen(new):
        if new["event"] == event and event not in kinds:
            kinds.append(event)
            raise error

    return listen


def test_ctrl_c_before_the_first_step_ends_the_process_at_once(tmp_path):
    command = script(tmp_path, """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (say("bye"), sys.exit(1)))
        say("loaded"); time.sleep(600)
    """)  # fmt: skip
    with pytest.raises(TrainingInterruption, match="stopped before the first step; there is no checkpoint"):
        launch.run_process(command, tmp_path, {}, on_event=raises("loaded", KeyboardInterrupt))
    assert not (tmp_path / "stop").exists()
    assert [e["event"] for _, e in launch.read_events(tmp_path)] == ["loaded", "bye"]


def test_process_that_ignores_the_stop_request_is_terminated_as_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_STOP_TIMEOUT_SECONDS", 0.5)
    calls = []
    command = script(tmp_path, 'say("step", step=4, loss=1.0); time.sleep(600)')
    with pytest.raises(TrainingInterruption, match="stopped at step 4"):
        launch.run_process(
            command,
            tmp_path,
            {},
            on_event=raises("step", KeyboardInterrupt),
            on_stopping=lambda: calls.append(1),
        )
    assert calls == [1]


def test_error_in_a_callback_leaves_no_process_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_KILL_DELAY_SECONDS", 0.5)
    pids = []
    deaf = script(tmp_path, """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("loaded"); time.sleep(600)
    """)  # fmt: skip
    with pytest.raises(DiskFull):
        launch.run_process(
            deaf, tmp_path, {}, on_event=raises("loaded", DiskFull("full")), on_start=pids.append
        )
    assert not emit.is_alive(pids[0])


def test_error_right_after_the_start_leaves_no_process_behind(tmp_path):
    """The process id goes into the record, which a full disk or Ctrl-C can stop."""
    pids = []

    def fail(pid):
        pids.append(pid)
        raise DiskFull("full")

    with pytest.raises(DiskFull):
        launch.run_process(script(tmp_path, "time.sleep(600)"), tmp_path, {}, on_start=fail)
    assert not emit.is_alive(pids[0])


def test_invalid_line_is_skipped_and_an_incomplete_one_is_read_later(tmp_path):
    stream = tmp_path / "events.jsonl"
    stream.write_bytes(b'{"event": "a"}\n{"event": "st\n\xff\xfe\n{"event": "b"}\n{"event": "c')
    events = list(launch.read_events(tmp_path))
    assert [event["event"] for _, event in events] == ["a", "b"]
    with stream.open("a") as file:
        file.write('"}\n')
    assert [event["event"] for _, event in launch.read_events(tmp_path, events[-1][0])] == ["c"]


def test_silence_timeout_grows_with_the_longest_pause(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(launch.time, "monotonic", lambda: now[0])
    history = launch._EventHistory()
    now[0] = 1e6
    assert not history.is_overdue, "loading and compiling may take any time"
    history({"event": "step"})
    now[0] += 200
    history({"event": "step"})
    now[0] += launch._SILENCE_PAUSES * 200
    assert not history.is_overdue
    now[0] += 1
    assert history.is_overdue
    history({"event": "finished"})
    now[0] += launch._EXIT_TIMEOUT_SECONDS + 1
    assert history.is_overdue


def test_last_checkpoint_is_the_newest_complete_one(tmp_path):
    assert launch.find_last_checkpoint(tmp_path) is None
    for step in (9, 10, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step != 100:
            emit.mark_complete(tmp_path / f"checkpoint-{step}")
    assert launch.find_last_checkpoint(tmp_path).name == "checkpoint-10"


def test_several_processes_agree_on_the_step_to_should_stop(tmp_path):
    first, second = emit.Emitter(tmp_path), emit.Emitter(tmp_path, quiet=True)
    assert not first.should_stop(4, world_size=2)
    (tmp_path / "stop").touch()
    assert not second.should_stop(4, world_size=2), "only rank 0 decides"
    assert not first.should_stop(5, world_size=2)
    assert [first.should_stop(s, world_size=2) for s in (6, 7)] == [False, True]
    assert [second.should_stop(s, world_size=2) for s in (6, 7)] == [False, True]


def test_training_stops_if_the_wrapper_is_dead(tmp_path, monkeypatch):
    wrapper = subprocess.Popen([sys.executable, "-c", ""])
    wrapper.wait()
    monkeypatch.setenv(emit.WRAPPER_PID, str(wrapper.pid))
    assert emit.Emitter(tmp_path).should_stop(1)
