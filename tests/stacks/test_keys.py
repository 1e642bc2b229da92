"""The stacks read every key that we render: axolotl and torchtune ignore unknown keys without a warning."""

from __future__ import annotations

import ast
import json
import os
import subprocess

import pytest
import tiny_model
import yaml
from stack_cases import stack_python

from finetune.spec import compose_spec, nest_leaves, resolve_spec
from finetune.stacks import Job, load_stack

pytestmark = pytest.mark.every_stack
VARIETY = [
    {},
    {"method.name": "qlora", "training.schedule": "constant", "training.gradient_checkpointing": True},
    {"training.dtype": "bfloat16", "evaluation.every_steps": 4, "method.targets": ["q_proj"]},
]
# Runs in axolotl's environment: prints the keys that its schema does not have, and the number format it uses.
SCRIPT = """
import json, sys
from pathlib import Path
import yaml
from axolotl.cli.config import load_cfg
from axolotl.utils.schemas.config import AxolotlInputConfig
fields = AxolotlInputConfig.model_fields
known_keys = set(fields) | {field.alias for field in fields.values()}
results = []
for path in sys.argv[1:]:
    unknown = sorted(set(yaml.safe_load(Path(path).read_text())) - known_keys)
    results.append([unknown, str(load_cfg(path).torch_dtype)])
print("RESULTS", json.dumps(results))
"""


def render_config(name, tmp_path, change):
    base = tiny_model.model(tmp_path / "tiny") if not (tmp_path / "tiny").is_dir() else tmp_path / "tiny"
    fields = nest_leaves({"stack": name, "model.base": str(base), "data.train": "x.jsonl", "devices.kind": "cpu",
                  "method.name": "lora", **change})  # fmt: skip
    spec = resolve_spec(compose_spec([("f", fields)]), gpus=0).spec
    job = Job(tmp_path, tmp_path / "data", str(base), None, steps=10, warmup_steps=2, rows=100, test_rows=9)
    return next(iter(load_stack(name).render(spec, job).files.values()))


def test_axolotl_knows_every_key_and_uses_the_number_format(tmp_path):
    (tmp_path / "work").mkdir()
    for split in ("train", "test"):
        row = {"input_ids": [1, 2], "labels": [1, 2], "attention_mask": [1, 1]}
        (tmp_path / "work" / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    files = []
    for number, change in enumerate(VARIETY):
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(render_config("axolotl", tmp_path, change))
    process = subprocess.run(
        [str(stack_python("axolotl")), "-c", SCRIPT, *map(str, files)], capture_output=True, text=True,
        check=False, env={**os.environ, "AXOLOTL_DO_NOT_TRACK": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    results = json.loads(process.stdout.rpartition("RESULTS ")[2].splitlines()[0])
    assert results == [[[], "torch.float32"], [[], "torch.float32"], [[], "torch.bfloat16"]]


def test_torchtunes_recipe_reads_every_key(tmp_path):
    (site,) = stack_python("torchtune").parents[1].glob("lib/python*/site-packages")
    tree = ast.parse((site / "recipes" / "lora_finetune_single_device.py").read_text())
    read = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    read |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    for change in VARIETY:
        keys = set(yaml.safe_load(render_config("torchtune", tmp_path, change)))
        assert keys <= read, keys - read
