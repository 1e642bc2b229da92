"""4-bit training with litgpt keeps the base model's embedding and the config's optimizer.

litgpt's 4-bit layers need a GPU, so a stand-in for its command does here what litgpt 0.5.13 does around them,
with the real classes of bitsandbytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bitsandbytes
import pytest
import tiny_model
import torch
import yaml

from finetune import spec
from finetune.runners import litgpt_lora
from finetune.runners.emit import Emitter
from finetune.stacks import Job, load_stack


class Model(torch.nn.Module):
    """An embedding, and a trained layer."""

    def __init__(self):
        super().__init__()
        self.transformer = torch.nn.ModuleDict({"wte": torch.nn.Embedding(9, 4)})
        self.lora_A = torch.nn.Parameter(torch.ones(2, 4))
        self.transformer.requires_grad_(requires_grad=False)


@pytest.fixture
def stand_in(monkeypatch):
    """Replace litgpt by a module; return what its command built."""
    lora, command, parts = (ModuleType(name) for name in ("lora", "command", "litgpt_parts"))
    built = SimpleNamespace(model=Model())
    built.table = built.model.transformer.wte.weight.detach().clone()

    def paged_adamw(optimizer, parameters):
        return bitsandbytes.optim.PagedAdamW(parameters, lr=optimizer["init_args"]["lr"])

    def main():
        config = yaml.safe_load(Path(sys.argv[3]).read_text())
        built.optimizer = lora.instantiate_bnb_optimizer(config["optimizer"], built.model.parameters())
        from bitsandbytes.nn import StableEmbedding

        old = built.model.transformer.wte
        built.model.transformer.wte = StableEmbedding(old.num_embeddings, old.embedding_dim)
        with torch.no_grad():
            built.model.transformer.wte.weight.copy_(old.weight)
        raise KeyboardInterrupt

    lora.fit = lora.validate = lora.chunked_cross_entropy = lora.parallelize_fn = lambda *_, **__: None
    lora.instantiate_bnb_optimizer = paged_adamw
    command.main, parts.convert_base, parts.Rows = main, lambda *_: None, SimpleNamespace()
    names = {
        "litgpt": SimpleNamespace(__main__=command),
        "litgpt.__main__": command,
        "litgpt.finetune": SimpleNamespace(lora=lora),
        "litgpt.finetune.lora": lora,
        "finetune.runners.litgpt_parts": parts,
    }
    for name, module in names.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(bitsandbytes.nn, "StableEmbedding", bitsandbytes.nn.StableEmbedding)
    return built


@pytest.mark.parametrize(("optimizer", "kind"), [
    ("paged_adamw_8bit", bitsandbytes.optim.PagedAdamW8bit), ("adamw", torch.optim.AdamW),
])  # fmt: skip
def test_embedding_and_optimizer_are_those_of_the_spec(stand_in, tmp_path, monkeypatch, optimizer, kind):
    (tmp_path / "config.json").write_text(json.dumps(tiny_model.config()))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text('{"input_ids": [1, 2], "labels": [1, 2]}\n' * 4)
    fields = {
        "stack": "litgpt", "model.base": str(tmp_path), "data.train": "d", "method.name": "qlora",
        "training.optimizer": optimizer, "training.gradient_checkpointing": False, "training.batch_size": 4,
    }  # fmt: skip
    run_spec = spec.resolve_spec(spec.compose_spec([("t", spec.nest_leaves(fields))]), gpus=1).spec
    job = Job(tmp_path, tmp_path / "data", str(tmp_path), None, steps=1, warmup_steps=0, rows=4, test_rows=0)
    job.native.mkdir()
    config = load_stack("litgpt").render(run_spec, job)
    for name, text in config.files.items():
        (job.native / name).write_text(text)
    assert not any("optimizer" in deviation for deviation in config.deviations)
    monkeypatch.setattr(sys, "argv", ["runner"])
    with pytest.raises(KeyboardInterrupt):
        litgpt_lora.train(job.native / "finetune_lora.yaml", tmp_path, Emitter(tmp_path))
    embedding, ids = stand_in.model.transformer.wte, torch.tensor([3, 8])
    assert torch.equal(embedding(ids), stand_in.table[ids]), "the values of the base model, not normalised"
    assert [n for n, p in stand_in.model.named_parameters() if p.requires_grad] == ["lora_A"]
    assert type(stand_in.optimizer) is kind
    assert sum(len(group["params"]) for group in stand_in.optimizer.param_groups) == 1
    assert stand_in.optimizer.param_groups[0]["lr"] == run_spec.training.learning_rate
