"""Compute the held-out loss of an adapter without advisor: BASE RUN [ROWS]."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base, run = sys.argv[1], Path(sys.argv[2])
row_limit = int(sys.argv[3]) if sys.argv[3:] else None
model = PeftModel.from_pretrained(
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), run / "adapter"
)
total = count = 0
for line in (run / "data" / "test.jsonl").read_text().splitlines()[:row_limit]:
    row = json.loads(line)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1]
    labels = torch.tensor(row["labels"][1:])
    is_trained = labels != -100
    total += torch.nn.functional.cross_entropy(logits[is_trained], labels[is_trained], reduction="sum").item()
    count += int(is_trained.sum())
print(total / count)
