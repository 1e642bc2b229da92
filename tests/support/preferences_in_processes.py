"""Train runs of preferences one after the other, in each process of torchrun: `python FILE RUN…`.

The only YAML file in ``RUN/native`` is the config of a run. One start of torch serves all runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from finetune.runners import shards, trl_preference, trl_sft
from finetune.runners.emit import Emitter


def train(runs: list[str]) -> None:
    """Train the runs, and leave the process group at the end only."""
    trl_sft.shut_down = shards.wait_for_all
    for run in map(Path, runs):
        (config,) = (run / "native").glob("*.yaml")
        trl_preference.train(config, run, Emitter(run, quiet=os.environ.get("RANK", "0") != "0"))
    shards.shut_down()


if __name__ == "__main__":
    train(sys.argv[1:])
