"""Start programs of this project as forks of one process that has imported the libraries of a training.

A training has three programs: the command, the stack and the evaluation. Each of them imports transformers, and two
import torch and PEFT, which is most of their time on a tiny model. With `ForkServer.start_programs`, `subprocess` starts
`python -m advisor`, `python -m finetune.…`, the runners and the GPU kit as forks, and so do these programs. A fork
has a process id, a session, variables, files and signals of its own, and it leaves the network as `no_network` says.
Others start as usual, and so do those that need it: with a `preexec_fn` or a variable that decides at the import, and
all in `processes_of_their_own`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import inspect
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from unittest import mock

from finetune.runners import no_network

LIBRARIES = (
    "torch", "torch._dynamo", "datasets", "peft", "transformers.models.llama.modeling_llama",
    "transformers.generation.utils", "trl.trainer.sft_trainer", "scipy.integrate",
    "advisor.cli.commands.train", "advisor.answers.recommend", "finetune.run", "finetune.after.evaluate",
)  # fmt: skip
RUNNERS = Path(no_network.__file__).parent
PROJECT = Path(__file__).resolve().parents[2]
GPU_KIT = PROJECT / "benchmarks" / "gpu"
_MOST_BYTES, _POLL_SECONDS = 2**20, 0.02
_STATUS = struct.Struct("i")
_POPEN = subprocess.Popen
_SIGNATURE = inspect.signature(_POPEN._execute_child)


class ForkServer:
    """A process that starts with the first command, and ends with this one (on Linux; elsewhere nothing changes)."""

    def __init__(self, variables):
        self._variables, self._control, self._process = variables, None, None

    def start_programs(self):
        """Return the context in which `subprocess` asks this server."""
        popen = _build_popen(self._connect) if sys.platform == "linux" else _POPEN
        return mock.patch.object(subprocess, "Popen", popen)

    def _connect(self):
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            command = [sys.executable, __file__, str(theirs.fileno())]
            with theirs:
                self._process = _POPEN(command, env=self._variables, pass_fds=[theirs.fileno()])
        return self._control

    def close(self):
        if self._control is not None:
            self._control.close()
            self._process.wait()


def processes_of_their_own():
    """Return the context in which programs start as a user starts them."""
    return mock.patch.object(subprocess, "Popen", _POPEN)


def _build_popen(connect):
    """Return the subclass of `subprocess.Popen` that asks the server at the other end of a socket.

    Args:
        connect: returns the socket.
    """

    class ForkedProcess(_POPEN):
        _status = None

        def _execute_child(self, *arguments):
            named = _SIGNATURE.bind(self, *arguments).arguments
            variables = dict(named["env"] or os.environ)
            program = _find_program(named["args"])
            if program is None or named["preexec_fn"] or not _has_our_imports(variables):
                super()._execute_child(*arguments)
                return
            self._status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            request = {
                "program": program, "session": named["start_new_session"],
                "folder": os.fspath(named["cwd"] or Path.cwd()), "variables": variables,
            }  # fmt: skip
            pipes = [named[name] for name in ("p2cread", "c2pwrite", "errwrite")]
            files = [own if pipe == -1 else pipe for own, pipe in enumerate(pipes)]
            with theirs:
                socket.send_fds(connect(), [json.dumps(request).encode()], [*files, theirs.fileno()])
            self.pid = _receive(self._status)
            self._child_created = True
            self._close_pipe_fds(*(named[name] for name in (
                "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite",
            )))  # fmt: skip

        def _try_wait(self, wait_flags):
            if self._status is None:
                return super()._try_wait(wait_flags)
            if wait_flags & os.WNOHANG and not select.select([self._status], [], [], 0)[0]:
                return 0, 0
            with self._status:
                return self.pid, _receive(self._status)

        def _internal_poll(self, *arguments, **options):
            if self._status is None:
                return super()._internal_poll(*arguments, **options)
            if self.returncode is None and self._waitpid_lock.acquire(False):
                try:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid:
                        self._handle_exitstatus(status)
                finally:
                    self._waitpid_lock.release()
            return self.returncode

    return ForkedProcess


def _receive(status):
    """Return the next number of a process: its id, then the status of its end; SIGKILL without a server."""
    data = status.recv(_STATUS.size)
    return _STATUS.unpack(data)[0] if data else signal.SIGKILL


def _has_our_imports(variables):
    return variables.get("PYTHONPATH", str(PROJECT)) == str(PROJECT) and "HF_ENDPOINT" not in variables


def _find_program(command):
    """Return module or file of a program of ours, its arguments, and whether it has no network; else None."""
    command = [os.fspath(word) for word in command] if isinstance(command, list) else []
    start = [sys.executable, "-I", "-S", no_network.__file__]
    is_closed = command[:4] == start
    words = command[4:] if is_closed else command
    if words[:1] != [sys.executable] or len(words) < 2:
        return None
    if words[1] == "-m" and words[2].partition(".")[0] in ("advisor", "finetune"):
        return {"module": words[2], "arguments": words[3:], "is_closed": is_closed}
    if Path(words[1]).parent in (RUNNERS, GPU_KIT) and Path(words[1]).name != Path(no_network.__file__).name:
        return {"file": words[1], "arguments": words[2:], "is_closed": is_closed}
    return None


def serve(control):
    """Fork a program for each request until the other end of the socket is closed."""
    statuses = {}
    while True:
        if select.select([control], [], [], _POLL_SECONDS if statuses else None)[0]:
            data, files, _, _ = socket.recv_fds(control, _MOST_BYTES, 4)
            if not data:
                return
            request, (*files, status) = json.loads(data), files
            pid = os.fork()
            if not pid:
                for one in (control, *statuses.values()):
                    one.close()
                os.close(status)
                _become(request, files)
            for file in files:
                os.close(file)
            statuses[pid] = socket.socket(fileno=status)
            statuses[pid].send(_STATUS.pack(pid))
        for pid in list(statuses):
            if (result := os.waitpid(pid, os.WNOHANG))[0]:
                with suppress(OSError), statuses.pop(pid) as status:
                    status.send(_STATUS.pack(result[1]))


def _become(request, files):
    """Be the program of a request, from its first line to its end."""
    code = 70
    try:
        _take_place(request, files)
        control = _fork_server()
        subprocess.Popen = _build_popen(lambda: control)
        code = _run(**request["program"])
    finally:
        os._exit(code)


def _take_place(request, files):
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    if request["session"]:
        os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", 1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    if "PYTHONWARNINGS" in os.environ:
        warnings.simplefilter(os.environ["PYTHONWARNINGS"])
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _fork_server():
    """Fork a server for the programs that this one will start, while it is as it began."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if not os.fork():
        ours.close()
        with Path(os.devnull).open("r+b") as nothing:
            for number in range(3):
                os.dup2(nothing.fileno(), number)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        serve(theirs)
        os._exit(0)
    theirs.close()
    return ours


def _run(arguments, *, is_closed, module="", file=""):
    """Run a module or a file as the main program; return its exit code."""
    try:
        if is_closed:
            no_network.close_network()
        sys.path[0] = str(Path.cwd()) if module else str(Path(file).parent)
        sys.argv = [file, *arguments]
        if module:
            sys.modules.pop(module, None)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(file, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - the end of a program
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    for name in LIBRARIES:
        importlib.import_module(name)
    importlib.import_module("transformers.conversion_mapping").get_checkpoint_conversion_mapping("llama")
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
