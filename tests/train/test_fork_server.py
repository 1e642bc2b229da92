"""A fork of the server is a process like one that starts by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fork_server import processes_of_their_own

from finetune import isolation

COMMAND = [sys.executable, "-m", "advisor"]


@pytest.mark.parametrize("words", [
    ["methods", "--format", "json"], ["--version"], ["rank", "--goal", "nothing"], ["runs", "show", "nothing"],
])  # fmt: skip
def test_output_and_exit_code_are_those_of_a_process_that_starts_by_itself(variables, words):
    with processes_of_their_own():
        own = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, env=variables)
    fork = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, env=variables)
    assert (fork.returncode, fork.stdout, fork.stderr) == (own.returncode, own.stdout, own.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the sockets of the server and /proc")
def test_session_network_and_signals_are_its_own(variables, tmp_path):
    """The program waits for chats on its standard input."""
    command = isolation.close_network([sys.executable, "-m", "finetune.data.chat_process"])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=variables, cwd=tmp_path, start_new_session=True, **pipes) as process:
        home = Path(f"/proc/{process.pid}")
        while os.getsid(process.pid) != process.pid or (home / "cwd").readlink() != tmp_path:
            assert process.poll() is None, process.stderr.read()
        assert b"fork_server.py" in (home / "cmdline").read_bytes()
        if isolation.describe_network() == isolation.NO_NETWORK:
            while (home / "ns" / "net").readlink() == Path("/proc/self/ns/net").readlink():
                assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
