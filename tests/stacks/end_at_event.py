"""Train in a stack's environment, and end the training at an event: `python end_at_event.py RUNNER RUNNERS`.

Each line of standard input is ``["CONFIG", "RUN", NUMBER, "HOW"]``: the event with this number, from 1, ends
the training by ``kill`` (SIGKILL), ``crash`` (an exception) or ``stop`` (the request of Ctrl-C); 0: none does.
The answer is a line with the exit code. Each training is a child of this process, which imports the stack
only once.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[2])

import emit

IMPORTS = {"trl_sft": ["trl.trainer.sft_trainer"], "torchtune_lora": ["torchtune.training", "torchtune.models"],
           "litgpt_lora": ["litgpt.finetune.lora"], "axolotl_train": ["axolotl.cli.train"]}  # fmt: skip


def end_at(number, how):
    """Make the event with this number end the training."""
    write = emit.Emitter.__call__
    count = 0

    def write_and_end(emitter, event, **fields):
        nonlocal count
        write(emitter, event, **fields)
        count += 1
        if count != number:
            return
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "crash":
            raise RuntimeError("a crash")
        (emitter.run / "stop").touch()

    emit.Emitter.__call__ = write_and_end


def train(runner, config, run, number, how):
    """Train in a child process; return its exit code."""
    pid = os.fork()
    if not pid:
        code = 70
        with contextlib.suppress(BaseException), Path(run, "log.txt").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            sys.argv = [runner.__file__, config, run]
            end_at(number, how)
            code = emit.main(runner.train)
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# axolotl spawns processes, which import this file again.
if __name__ == "__main__":
    name = sys.argv[1]
    for module in IMPORTS[name]:
        importlib.import_module(module)
    for line in sys.stdin:
        print(train(importlib.import_module(name), *json.loads(line)), flush=True)
