# %% [markdown]
# # Read a run
#
# `advisor train` leaves a folder for each run: the specification, the data, the results, and whether the
# run was worth it. Set `RUN` to a run's folder or id; without it, this notebook reads the newest run on
# this machine. The tests train a small model and run this file on it.

# %%
from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd

from finetune import record

run_name = os.environ.get("RUN")
folder = record.find_run(run_name) if run_name else [path for path, _ in record.iterate_runs()][-1]
run = record.read_record(folder)
print(f"{run.id}: {run.current_state}. {run.outcome}")

# %% [markdown]
# ## The specification, and where each value comes from
#
# Every field of the specification has an origin: a preset, a file, an option, or a default of advisor. A
# deviation is a field that the stack could not follow exactly.

# %%
choices = {name: origin for name, origin in run.origins.items() if "default" not in origin}
print(f"stack {run.stack}; not a default: {choices}")
print("deviations:", list(run.deviations) or "none")
print("warnings before the start:", [finding.get("text", finding) for finding in run.findings] or "none")

# %% [markdown]
# ## Was it worth it?
#
# The measure is the same for all stacks: the loss on held-out rows, of the base model and of the base
# model with the adapter, computed in a new process. The training loss alone does not show this.

# %%
losses = run.losses["held_out"]
print(f"held-out loss: {losses['base']:.3f} before, {losses['adapter']:.3f} after")

# %% [markdown]
# ## The loss, step by step

# %%
events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
steps = pd.DataFrame([e for e in events if e.get("event") == "step"])
thirds = (
    steps["loss"]
    .groupby(pd.cut(steps.index, 3, labels=["first third", "second", "last"]), observed=True)
    .mean()
)
print(thirds.round(3).to_string())

# %% [markdown]
# ## Time and memory

# %%
print({stage: round(seconds, 1) for stage, seconds in run.timings_seconds.items()})
print(
    {
        name: f"{size / 2**20:,.0f} MiB"
        for name, size in run.memory_bytes.items()
        if isinstance(size, int | float)
    }
)

# %% [markdown]
# ## Data, model and packages
#
# Hashes of the rows and the model, and the version of every package: enough to repeat the run.

# %%
print({key: value for key, value in run.data.items() if not isinstance(value, dict | list)})
print(f"{Path(run.model['base']).name}; {len(run.environment.get('versions', {}))} packages")
