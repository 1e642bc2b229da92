"""Failures in practice: one clear message, no lost work, and --resume continues."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tiny_model import CHATML
from train_words import FAST

from finetune.process import launch
from finetune.record import read_record


def start(variables, *words, **more):
    command = [sys.executable, "-m", "advisor", "train", *map(str, words)]
    return subprocess.Popen(
        command, env=variables, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
    )


def wait_for(folder, event, count=1, seconds=240):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hits = [e for _, e in launch.read_events(folder) if e["event"] == event]
        if len(hits) >= count:
            return hits[-1]
        time.sleep(0.05)
    raise AssertionError(f"no {event} within {seconds} s: {(folder / 'log.txt').read_text()[-500:]}")


def wait_for_exit(pid, seconds=120):
    from finetune.runners.emit import is_alive

    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_alive(pid)


LONG = ["--set", "training.steps=4000", "--set", "logging.save_every_steps=20", "--set", "evaluation.rows=0"]


def shorten(folder, steps):
    """Set the number of steps of a stopped run."""
    fields = json.loads((folder / "record.json").read_text())
    fields["spec"]["training"]["steps"] = steps
    (folder / "record.json").write_text(json.dumps(fields))


def test_resume_after_sigkill_of_trainer_and_of_wrapper(advisor, variables, tiny, sums, tmp_path):
    folder = tmp_path / "run"
    wrapper = start(variables, "--data", sums, "--model", tiny, "-o", folder, *FAST, *LONG)
    first_save = wait_for(folder, "saved")
    os.kill(read_record(folder).pids["trainer"], signal.SIGKILL)
    _, errors = wrapper.communicate(timeout=300)
    assert wrapper.returncode == 1
    assert "another process killed the training process" in errors
    assert "is complete" in errors
    assert "Traceback" not in errors
    assert read_record(folder).current_state == "failed"

    wrapper = start(variables, "--resume", folder)
    wait_for(folder, "saved", count=2 + sum(e["event"] == "saved" for _, e in launch.read_events(folder)))
    pids = read_record(folder).pids
    assert "running" in advisor("train", "--resume", folder, code=2).stderr
    os.kill(wrapper.pid, signal.SIGKILL)
    wrapper.communicate()
    wait_for_exit(pids["trainer"])
    stops = [e for _, e in launch.read_events(folder) if e["event"] == "stopping"]
    assert stops[-1]["why"] == "wrapper gone"
    assert read_record(folder).current_state == "crashed"
    last_step = int(launch.find_last_checkpoint(folder / "work").name.rpartition("-")[2])
    assert last_step > first_save["step"]

    shorten(folder, last_step + 5)
    advisor("train", "--resume", folder)
    record = read_record(folder)
    assert record.current_state == "finished"
    assert [a.outcome for a in record.attempts] == ["failed", "lost", "trained"]
    assert record.attempts[-1].from_step == last_step
    assert record.attempts[-1].to_step == last_step + 5


def test_ctrl_c_stops_with_a_checkpoint(variables, tiny, sums, tmp_path):
    folder = tmp_path / "run"
    wrapper = start(variables, "--data", sums, "--model", tiny, "-o", folder, *FAST, *LONG)
    wait_for(folder, "step", count=3)
    os.kill(wrapper.pid, signal.SIGINT)
    _, errors = wrapper.communicate(timeout=300)
    assert wrapper.returncode == 130
    assert "stopped at step" in errors
    assert f"--resume {folder}" in errors.replace("\n", "")
    assert read_record(folder).current_state == "interrupted"
    step = [e for _, e in launch.read_events(folder) if e["event"] == "step"][-1]["step"]
    assert launch.find_last_checkpoint(folder / "work").name == f"checkpoint-{step}"


def test_ctrl_c_in_the_evaluation_keeps_the_adapter(advisor, variables, tiny, sums, tmp_path):
    folder = tmp_path / "run"
    wrapper = start(
        variables, "--data", sums, "--model", tiny, "-o", folder, *FAST, "--set", "training.steps=2"
    )
    for line in wrapper.stderr:
        if "· evaluate" in line:
            os.kill(wrapper.pid, signal.SIGINT)
            break
    _, errors = wrapper.communicate(timeout=300)
    assert wrapper.returncode == 130
    assert (
        f"stopped in the evaluation; the adapter is complete, and `advisor train --resume {folder}`" in errors
    )
    assert read_record(folder).current_state == "interrupted"
    assert not (folder / "evaluation.json").exists()
    advisor("train", "--resume", folder)
    run_record = read_record(folder)
    assert run_record.current_state == "finished"
    assert [attempt.outcome for attempt in run_record.attempts] == ["trained"], "it does not train again"
    assert run_record.losses["held_out"].keys() == {"base", "adapter"}


def test_two_processes_stop_and_die_together_and_resume(advisor, variables, tiny, sums, tmp_path):
    """FSDP: only rank 0 writes, so both processes must stop at the same step and exit together."""
    folder = tmp_path / "run"
    two = ["--set", "devices.processes=2", "--set", "devices.strategy=fsdp"]
    wrapper = start(variables, "--data", sums, "--model", tiny, "-o", folder, *FAST, *LONG, *two)
    wait_for(folder, "step", count=3)
    os.kill(wrapper.pid, signal.SIGINT)
    _, errors = wrapper.communicate(timeout=240)
    assert wrapper.returncode == 130, errors
    last_step = int(launch.find_last_checkpoint(folder / "work").name.rpartition("-")[2])

    wrapper = start(variables, "--resume", folder)
    wait_for(folder, "spread", count=2)
    wait_for(folder, "step", count=last_step + 2)
    torchrun = read_record(folder).pids["trainer"]
    os.kill(torchrun, signal.SIGKILL)
    _, errors = wrapper.communicate(timeout=240)
    assert wrapper.returncode == 1, errors
    assert "another process killed the training process" in errors
    with pytest.raises(ProcessLookupError):  # no process of its session is alive
        os.killpg(torchrun, 0)

    shorten(folder, int(launch.find_last_checkpoint(folder / "work").name.rpartition("-")[2]) + 2)
    advisor("train", "--resume", folder)
    assert read_record(folder).current_state == "finished"


def test_full_disk(advisor, variables, tiny, sums, tmp_path):
    """A limit on the size of files simulates it: the optimizer's state does not fit."""
    folder = tmp_path / "run"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))

    words = ["--data", sums, "--model", tiny, "-o", folder, *FAST, "--set", "training.steps=6"]
    words += ["--set", "logging.save_every_steps=3", "--set", "evaluation.rows=0"]
    wrapper = start(variables, *words, preexec_fn=limit)
    _, errors = wrapper.communicate(timeout=240)
    assert wrapper.returncode == 1, errors
    assert "Free some space" in errors
    assert "Traceback" not in errors
    assert read_record(folder).current_state == "failed"
    advisor("train", "--resume", folder)
    assert read_record(folder).current_state == "finished"


def test_loss_that_is_nan(advisor, tiny, sums, tmp_path):
    base = tmp_path / "broken"
    shutil.copytree(tiny, base)
    code = (
        "import sys, torch\nfrom safetensors.torch import load_file, save_file\n"
        "w = load_file(sys.argv[1]); w['model.norm.weight'][:] = float('nan')\n"
        "save_file(w, sys.argv[1], metadata={'format': 'pt'})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(base / "model.safetensors")], check=True)
    folder = tmp_path / "run"
    process = advisor("train", "--data", sums, "--model", base, "-o", folder, *FAST, code=1)
    assert "the loss of step 1 is nan" in process.stderr.replace("\n", " ")
    assert "learning_rate" in process.stderr


def test_tokenizer_without_padding_token_and_eos_trains_the_same(advisor, finished_run, tiny, sums, tmp_path):
    reference, _ = finished_run
    base, folder = tmp_path / "bare", tmp_path / "run"
    shutil.copytree(tiny, base)
    config = json.loads((base / "tokenizer_config.json").read_text())
    bare = {key: value for key, value in config.items() if key not in ("eos_token", "pad_token")}
    assert len(bare) == len(config) - 2
    (base / "tokenizer_config.json").write_text(json.dumps(bare))
    advisor("train", "--data", sums, "--model", base, "-o", folder, *FAST, "--set", "training.steps=12")
    ours, theirs = (
        [e["loss"] for _, e in launch.read_events(run) if e["event"] == "step"] for run in (folder, reference)
    )
    assert len(ours) == 12
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert "pad_token" not in json.loads((folder / "adapter" / "tokenizer_config.json").read_text())


def test_resume_refuses_data_until_they_are_correct(advisor, tiny, sums, tmp_path):
    base, folder = tmp_path / "narrow", tmp_path / "run"
    shutil.copytree(tiny, base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8}))
    steps = ["--set", "training.steps=2", "--set", "evaluation.rows=0"]
    words = ["--data", sums, "--model", base, "-o", folder, *FAST, *steps]
    assert "the data have errors" in advisor("train", *words, code=2).stderr
    assert "the data have errors" in advisor("train", "--resume", folder, code=2).stderr
    shutil.copy(tiny / "config.json", base)
    advisor("train", "--resume", folder)
    assert read_record(folder).current_state == "finished"


@pytest.mark.parametrize("fault", ["row", "template", "tokenizer", "gpu", "model"])
def test_wrong_input_is_one_message_and_resume_works_after_the_correction(
    advisor, tiny, sums, tmp_path, fault
):
    data, base, more, message = sums, tiny, ["--set", "training.steps=2", "--set", "evaluation.rows=0"], ""
    correct = None
    if fault == "row":
        data = tmp_path / "broken.jsonl"
        data.write_text(sums.read_text() + '{"messages": [{"role": "user"\n')
        message, correct = "broken.jsonl:121 is not valid JSON", lambda: data.write_text(sums.read_text())
    elif fault == "template":
        wrong = tmp_path / "wrong.jinja"
        wrong.write_text("{{ messages | nothing }}")
        more += ["--set", f"data.template={wrong}"]
        message, correct = "cannot render a chat", lambda: wrong.write_text(CHATML)
    elif fault == "tokenizer":
        base = tmp_path / "bare"
        base.mkdir()
        shutil.copy(tiny / "config.json", base)
        message, correct = "has no tokenizer", lambda: shutil.copytree(tiny, base, dirs_exist_ok=True)
    elif fault == "gpu":
        more += ["--set", "devices.kind=cuda"]
        message = "neither nvidia-smi nor torch finds a GPU"
    elif fault == "model":
        base = tmp_path / "nowhere"
        message, correct = "does not exist, and", lambda: shutil.copytree(tiny, base)
    folder = tmp_path / "run"
    process = advisor("train", "--data", data, "--model", base, "-o", folder, *FAST, *more, code=2)
    assert message in process.stderr
    assert sum(line.startswith("advisor: ") for line in process.stderr.splitlines()) == 1
    assert read_record(folder).current_state == "failed"
    if correct is not None:
        correct()
        advisor("train", "--resume", folder)
        assert read_record(folder).current_state == "finished"
        return
    assert message in advisor("train", "--resume", folder, code=2).stderr, "there is still no GPU"
    again = advisor("train", "--data", "/nowhere.jsonl", "--model", tiny, "-o", folder, code=2)
    assert "is not empty" not in again.stderr, "a run without tokens blocks its folder"
