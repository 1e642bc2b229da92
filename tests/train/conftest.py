"""Fixtures for real training on a tiny model; tests that only read a run share one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from fake_hub import TOKEN, serve_hub
from train_words import FAST

from finetune import demo


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a random two-layer model."""
    return tiny_model.model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The user's folders for this session."""
    folder = tmp_path_factory.mktemp("home")
    return {"XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache")}


@pytest.fixture(scope="session")
def variables(home):
    return {**os.environ, **home, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


@pytest.fixture(scope="session")
def sums(tmp_path_factory):
    return tiny_model.write(tmp_path_factory.mktemp("data") / "sums.jsonl", tiny_model.sums())


@pytest.fixture(scope="module", autouse=True)
def forks(server):
    """Starts the programs of a training without another import of torch."""
    with server.start_programs():
        yield


@pytest.fixture(scope="session")
def advisor(server, variables):
    """Return a function that runs the command line as a user does, but for the imports (`fork_server`)."""

    def run(*words, code=0, **more):
        command = [sys.executable, "-m", "advisor", *map(str, words)]
        with server.start_programs():
            process = subprocess.run(
                command, capture_output=True, text=True, check=False, env=variables, **more
            )
        output = process.stdout + process.stderr
        assert process.returncode == code, output
        assert "Traceback" not in output
        return process

    return run


@pytest.fixture(scope="session")
def finished_run(advisor, tiny, sums, tmp_path_factory):
    """The folder and the process of a complete run of 12 steps."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    words = ["--data", sums, "--model", tiny, "-o", folder, "--set", "training.steps=12", *FAST]
    process = advisor("train", *words)
    return folder, process


@pytest.fixture(scope="session")
def demo_model(home):
    """The demo's model, as a folder in the user's cache of this session; it is downloaded once for all sessions."""
    models = Path(home["XDG_CACHE_HOME"]) / "advisor" / "models"
    models.parent.mkdir(parents=True, exist_ok=True)
    folder = demo.prepare_model()
    models.symlink_to(folder.parent)
    return models / folder.name


@pytest.fixture
def hub():
    with serve_hub() as hub:
        yield hub


@pytest.fixture
def push(hub, variables, tmp_path):
    """Return a function that pushes a run as a user does."""

    def run(folder, *words, code=0, token=TOKEN, **more):
        hub_variables = {"HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
        env = {**variables, **hub_variables, "HF_HOME": str(tmp_path / "hf"), **more}
        env.pop("HF_TOKEN", None)
        process = subprocess.run(
            [sys.executable, "-m", "advisor", "runs", "push", str(folder), *words],
            capture_output=True,
            text=True,
            check=False,
            env={**env, **({"HF_TOKEN": token} if token else {})},
        )
        assert process.returncode == code, process.stderr
        assert "Traceback" not in process.stderr
        return process

    return run
