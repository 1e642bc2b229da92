"""How many sequences packing makes, compared with trl's own packing; and that no row sees another one."""

from __future__ import annotations

import json
import random

import pytest
import tiny_model
import torch

from finetune.attempt import build_job
from finetune.data import dataset, packing
from finetune.runners import trl_sft
from finetune.runners.emit import Emitter
from finetune.spec import override_fields
from finetune.stacks import load_stack

# transformers has another name for the field, which the versions of other stacks do not know yet.
pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")


@pytest.mark.parametrize(("lengths", "count"), [
    ((), 0), ((10,), 1), ((10, 10), 2), ((6, 4, 5, 5), 2), ((7, 6, 4, 3), 2), ((6, 6, 6), 3), ((9, 1, 1), 2),
])  # fmt: skip
def test_sequences_hold_the_rows_that_fit(lengths, count):
    assert packing.count_sequences(lengths, 10) == count


def test_count_is_that_of_trl():
    from datasets import Dataset
    from trl import pack_dataset

    draw = random.Random(3)
    lengths = [min(64, int(draw.expovariate(0.05)) + 1) for _ in range(1300)]
    rows = Dataset.from_dict({"input_ids": [[1] * length for length in lengths]})
    assert packing.count_sequences(lengths, 64) == len(pack_dataset(rows, 64))


def test_steps_of_an_epoch_are_those_of_the_packed_sequences(make_spec, tokenizer, tmp_path):
    composed_spec = make_spec(tiny_model.sums(60), training={"batch_size": 2, "micro_batch_size": 1})
    data = dataset.prepare_dataset(composed_spec.spec, tokenizer, tmp_path / "tokens")
    packed_spec = override_fields(composed_spec, "test", {"data.packing": True}).spec
    lengths = [len(row.input_ids) for row in data.read_rows("train")]
    steps = {one: build_job(one, data, tmp_path, None).steps for one in (composed_spec.spec, packed_spec)}
    assert steps[composed_spec.spec] == -(-len(lengths) // 2)
    sequences = packing.count_sequences(lengths, 128)
    assert sequences < len(lengths) / 3
    assert build_job(packed_spec, data, tmp_path, None).rows == sequences
    assert steps[packed_spec] == -(-sequences // 2)


class _Done(Exception):
    """The first batch is known."""


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_rows_do_not_see_one_another(make_spec, tokenizer, tmp_path, monkeypatch, attention):
    """trl's own trainer gives each row of a packed sequence the loss that it has by itself."""
    import trl

    base = tiny_model.model(tmp_path / "base")
    spec = make_spec(
        tiny_model.sums(3), model={"base": str(base)}, data={"packing": True, "evaluation_share": 0.0},
        method={"name": "full"}, training={"attention": attention, "batch_size": 1, "micro_batch_size": 1},
        evaluation={"rows": 0},
    ).spec  # fmt: skip
    data = dataset.prepare_dataset(spec, tokenizer, tmp_path / "tokens")
    (tmp_path / "data").symlink_to(data.folder)
    job = build_job(spec, data, tmp_path, None)
    job.native.mkdir()
    for name, text in load_stack("trl").render(spec, job).files.items():
        (job.native / name).write_text(text)
    losses = {}

    class Trainer(trl.SFTTrainer):
        def train(self, **_):
            (batch,) = self.get_train_dataloader()
            self.model.eval()
            with torch.no_grad():
                losses["packed"] = float(self.compute_loss(self.model, batch))
                total = count = 0
                for row in map(json.loads, (data.folder / "train.jsonl").read_text().splitlines()):
                    labels = torch.tensor([row["labels"]])
                    trained = int((labels[:, 1:] != -100).sum())
                    loss = self.model(input_ids=torch.tensor([row["input_ids"]]), labels=labels).loss
                    total, count = total + float(loss) * trained, count + trained
            losses["apart"] = total / count
            raise _Done

    monkeypatch.setattr(trl, "SFTTrainer", Trainer)
    with pytest.raises(_Done):
        trl_sft.train(job.native / "sft.yaml", job.folder, Emitter(job.folder))
    assert losses["packed"] == pytest.approx(losses["apart"], abs=1e-5)
