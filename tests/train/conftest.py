"""Real training on a model made on the spot; one run is shared by all tests that only look at it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import tiny_model
from train_words import FAST


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a random two-layer model."""
    return tiny_model.model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The user's folders, for the session."""
    folder = tmp_path_factory.mktemp("home")
    return {"XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache")}


@pytest.fixture(scope="session")
def variables(home):
    return {**os.environ, **home, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


@pytest.fixture(scope="session")
def sums(tmp_path_factory):
    return tiny_model.write(tmp_path_factory.mktemp("data") / "sums.jsonl", tiny_model.sums())


@pytest.fixture(scope="session")
def advisor(variables):
    """Run the command line as a user does."""

    def run(*words, code=0, **more):
        done = subprocess.run(
            [sys.executable, "-m", "advisor", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            env=variables,
            **more,
        )
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        assert "Traceback" not in told
        return done

    return run


@pytest.fixture(scope="session")
def finished(advisor, tiny, sums, tmp_path_factory):
    """A run of 12 steps, trained, evaluated and written down."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    words = ["--data", sums, "--model", tiny, "-o", folder, "--set", "training.steps=12", *FAST]
    done = advisor("train", *words)
    return folder, done
