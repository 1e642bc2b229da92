"""The command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture
def advisor_command(tmp_path):
    """Return a function that runs a command and returns its output; of a failure, its errors."""

    def run(*words, code=0):
        variables = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "200"}
        command = [sys.executable, "-m", "advisor", *map(str, words)]
        process = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
        assert process.returncode == code, process.stderr
        assert "Traceback" not in process.stderr
        return process.stderr if code else process.stdout

    return run
