"""The held-out loss of a run's adapter, by transformers and peft alone: BASE RUN [ROWS]."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base, run = sys.argv[1], Path(sys.argv[2])
most = int(sys.argv[3]) if sys.argv[3:] else None
model = PeftModel.from_pretrained(
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), run / "adapter"
)
total = count = 0
for line in (run / "data" / "test.jsonl").read_text().splitlines()[:most]:
    row = json.loads(line)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1]
    labels = torch.tensor(row["labels"][1:])
    kept = labels != -100
    total += torch.nn.functional.cross_entropy(logits[kept], labels[kept], reduction="sum").item()
    count += int(kept.sum())
print(total / count)
