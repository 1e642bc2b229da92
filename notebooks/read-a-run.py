# %% [markdown]
# # Read a run
#
# A run that `advisor train` finished is a folder that answers for itself: what was asked, what was
# trained on, what came out,
# and whether it was worth it. Set `RUN` to a run's folder or id; without it the newest run on this
# machine is read. The
# tests train a small one and run this file on it.

# %%
from __future__ import annotations

import json
import os

import pandas as pd

from finetune import record

named = os.environ.get("RUN")
folder = record.find(named) if named else [path for path, _ in record.every()][-1]
run = record.load(folder)
print(f"{run.id}: {run.standing}. {run.outcome}")

# %% [markdown]
# ## What was asked, and by whom
#
# Every field of the specification has an origin: a preset, a file, an option, or our own default. What
# the stack could only
# nearly honour is a deviation.

# %%
decided = {name: origin for name, origin in run.origins.items() if "default" not in origin}
print(f"stack {run.stack}; set by somebody: {decided}")
print("deviations:", list(run.deviations) or "none")
print("warned before it began:", [finding.get("text", finding) for finding in run.findings] or "nothing")

# %% [markdown]
# ## Was it worth it?
#
# One judge for all stacks: the loss on rows that were held out, of the base model and of the base with
# the adapter, computed
# in a fresh process. The training loss alone says nothing of that.

# %%
held = run.losses["held_out"]
print(f"held-out loss: {held['base']:.3f} before, {held['adapter']:.3f} after")

# %% [markdown]
# ## How it went, step by step

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
# ## What it cost, and whether the plan was right

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
# ## On what
#
# Hashes of the rows and the model, and the version of every package: enough to do it again.

# %%
print({key: value for key, value in run.data.items() if not isinstance(value, dict | list)})
print(f"{run.model['base']}; {len(run.environment.get('versions', {}))} packages")
