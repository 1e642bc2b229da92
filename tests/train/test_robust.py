"""What goes wrong in real life: one clear message, nothing lost, and --resume goes on."""

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

from finetune import record
from finetune.process import launch


def start(variables, *words, **more):
    command = [sys.executable, "-m", "advisor", "train", *map(str, words)]
    return subprocess.Popen(
        command, env=variables, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
    )


def wait_for(folder, event, count=1, seconds=240):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hits = [e for _, e in launch.events(folder) if e["event"] == event]
        if len(hits) >= count:
            return hits[-1]
        time.sleep(0.05)
    raise AssertionError(f"no {event} within {seconds} s: {(folder / 'log.txt').read_text()[-500:]}")


def wait_until_gone(pid, seconds=120):
    from finetune.runners.emit import alive

    until = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not alive(pid)


LONG = ["--set", "training.steps=4000", "--set", "logging.save_every_steps=20", "--set", "evaluation.rows=0"]


def shorten(folder, steps):
    """Let a run that was stopped end after so many steps more."""
    told = json.loads((folder / "record.json").read_text())
    told["spec"]["training"]["steps"] = steps
    (folder / "record.json").write_text(json.dumps(told))


def test_kill_dash_9_of_trainer_then_of_wrapper_then_resume(advisor, variables, tiny, sums, tmp_path):
    folder = tmp_path / "run"
    wrapper = start(variables, "--data", sums, "--model", tiny, "-o", folder, *FAST, *LONG)
    saved = wait_for(folder, "saved")
    os.kill(record.load(folder).pids["trainer"], signal.SIGKILL)
    _, told = wrapper.communicate(timeout=120)
    assert wrapper.returncode == 1
    assert "killed from outside" in told
    assert "is kept" in told
    assert "Traceback" not in told
    assert record.load(folder).standing == "failed"

    wrapper = start(variables, "--resume", folder)
    wait_for(folder, "saved", count=2 + sum(e["event"] == "saved" for _, e in launch.events(folder)))
    pids = record.load(folder).pids
    assert "running" in advisor("train", "--resume", folder, code=2).stderr
    os.kill(wrapper.pid, signal.SIGKILL)
    wrapper.communicate()
    wait_until_gone(pids["trainer"])
    told = [e for _, e in launch.events(folder) if e["event"] == "stopping"]
    assert told[-1]["why"] == "wrapper gone"
    assert record.load(folder).standing == "crashed"
    reached = int(launch.last_checkpoint(folder / "work").name.rpartition("-")[2])
    assert reached > saved["step"]

    shorten(folder, reached + 5)
    advisor("train", "--resume", folder)
    told = record.load(folder)
    assert told.standing == "finished"
    assert [a.outcome for a in told.attempts] == ["failed", "lost", "trained"]
    assert told.attempts[-1].from_step == reached
    assert told.attempts[-1].to_step == reached + 5


def test_ctrl_c_stops_with_a_checkpoint(variables, tiny, sums, tmp_path):
    folder = tmp_path / "run"
    wrapper = start(variables, "--data", sums, "--model", tiny, "-o", folder, *FAST, *LONG)
    wait_for(folder, "step", count=3)
    os.kill(wrapper.pid, signal.SIGINT)
    _, told = wrapper.communicate(timeout=120)
    assert wrapper.returncode == 130
    assert "stopped at step" in told
    assert f"--resume {folder}" in told.replace("\n", "")
    assert record.load(folder).standing == "interrupted"
    step = [e for _, e in launch.events(folder) if e["event"] == "step"][-1]["step"]
    assert launch.last_checkpoint(folder / "work").name == f"checkpoint-{step}"


def test_two_processes_stop_together_are_killed_together_and_go_on(advisor, variables, tiny, sums, tmp_path):
    """FSDP: rank 0 alone writes, so neither process may leave, or stay, without the other."""
    folder = tmp_path / "run"
    two = ["--set", "devices.processes=2", "--set", "devices.strategy=fsdp"]
    wrapper = start(variables, "--data", sums, "--model", tiny, "-o", folder, *FAST, *LONG, *two)
    wait_for(folder, "step", count=3)
    os.kill(wrapper.pid, signal.SIGINT)
    _, told = wrapper.communicate(timeout=240)
    assert wrapper.returncode == 130, told
    saved = int(launch.last_checkpoint(folder / "work").name.rpartition("-")[2])

    wrapper = start(variables, "--resume", folder)
    wait_for(folder, "spread", count=2)
    wait_for(folder, "step", count=saved + 2)
    torchrun = record.load(folder).pids["trainer"]
    os.kill(torchrun, signal.SIGKILL)
    _, told = wrapper.communicate(timeout=240)
    assert wrapper.returncode == 1, told
    assert "killed from outside" in told
    with pytest.raises(ProcessLookupError):  # the session that it led is empty
        os.killpg(torchrun, 0)

    shorten(folder, int(launch.last_checkpoint(folder / "work").name.rpartition("-")[2]) + 2)
    advisor("train", "--resume", folder)
    assert record.load(folder).standing == "finished"


def test_a_disk_that_takes_no_more(advisor, variables, tiny, sums, tmp_path):
    """Played by a limit on the size of files: the optimizer's state does not fit below it."""
    folder = tmp_path / "run"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))

    words = ["--data", sums, "--model", tiny, "-o", folder, *FAST, "--set", "training.steps=6"]
    words += ["--set", "logging.save_every_steps=3", "--set", "evaluation.rows=0"]
    wrapper = start(variables, *words, preexec_fn=limit)
    _, told = wrapper.communicate(timeout=240)
    assert wrapper.returncode == 1, told
    assert "Free some space" in told
    assert "Traceback" not in told
    assert record.load(folder).standing == "failed"
    advisor("train", "--resume", folder)
    assert record.load(folder).standing == "finished"


def test_a_loss_that_is_no_number(advisor, tiny, sums, tmp_path):
    base = tmp_path / "broken"
    shutil.copytree(tiny, base)
    code = (
        "import sys, torch\nfrom safetensors.torch import load_file, save_file\n"
        "w = load_file(sys.argv[1]); w['model.norm.weight'][:] = float('nan')\n"
        "save_file(w, sys.argv[1], metadata={'format': 'pt'})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(base / "model.safetensors")], check=True)
    folder = tmp_path / "run"
    done = advisor("train", "--data", sums, "--model", base, "-o", folder, *FAST, code=1)
    assert "the loss of step 1 is nan" in done.stderr.replace("\n", " ")
    assert "learning_rate" in done.stderr


def test_data_that_were_refused_are_refused_again_until_they_are_mended(advisor, tiny, sums, tmp_path):
    base, folder = tmp_path / "narrow", tmp_path / "run"
    shutil.copytree(tiny, base)
    told = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**told, "max_position_embeddings": 8}))
    steps = ["--set", "training.steps=2", "--set", "evaluation.rows=0"]
    words = ["--data", sums, "--model", base, "-o", folder, *FAST, *steps]
    assert "cannot be trained on" in advisor("train", *words, code=2).stderr
    assert "cannot be trained on" in advisor("train", "--resume", folder, code=2).stderr
    shutil.copy(tiny / "config.json", base)
    advisor("train", "--resume", folder)
    assert record.load(folder).standing == "finished"


@pytest.mark.parametrize("fault", ["row", "template", "tokenizer", "gpu", "model"])
def test_wrong_input_is_one_message_and_mended_it_goes_on(advisor, tiny, sums, tmp_path, fault):
    data, base, more, told = sums, tiny, ["--set", "training.steps=2", "--set", "evaluation.rows=0"], ""
    mend = None
    if fault == "row":
        data = tmp_path / "broken.jsonl"
        data.write_text(sums.read_text() + '{"messages": [{"role": "user"\n')
        told, mend = "broken.jsonl:121 is not JSON", lambda: data.write_text(sums.read_text())
    elif fault == "template":
        wrong = tmp_path / "wrong.jinja"
        wrong.write_text("{{ messages | nothing }}")
        more += ["--set", f"data.template={wrong}"]
        told, mend = "does not render a chat", lambda: wrong.write_text(CHATML)
    elif fault == "tokenizer":
        base = tmp_path / "bare"
        base.mkdir()
        shutil.copy(tiny / "config.json", base)
        told, mend = "has no tokenizer", lambda: shutil.copytree(tiny, base, dirs_exist_ok=True)
    elif fault == "gpu":
        more += ["--set", "devices.kind=cuda"]
        told = "no GPU was found"
    elif fault == "model":
        base = tmp_path / "nowhere"
        told, mend = "there is no model folder", lambda: shutil.copytree(tiny, base)
    folder = tmp_path / "run"
    done = advisor("train", "--data", data, "--model", base, "-o", folder, *FAST, *more, code=2)
    assert told in done.stderr
    assert sum(line.startswith("advisor: ") for line in done.stderr.splitlines()) == 1
    assert record.load(folder).standing == "failed"
    if mend is not None:
        mend()
        advisor("train", "--resume", folder)
        assert record.load(folder).standing == "finished"
        return
    assert told in advisor("train", "--resume", folder, code=2).stderr, "the GPU is still not there"
    again = advisor("train", "--data", "/nowhere.jsonl", "--model", tiny, "-o", folder, code=2)
    assert "is not empty" not in again.stderr, "a run that never began blocks its folder"
