"""float16 and sharded 4-bit weights, with trl's, PEFT's and bitsandbytes' real classes on a CPU."""

from __future__ import annotations

import json

import bitsandbytes
import pytest
import tiny_model
import torch

from finetune import spec
from finetune.runners import precision, trl_sft
from finetune.runners.emit import Emitter
from finetune.stacks import Job, load_stack

# transformers has another name for the field, which the versions of other stacks do not know yet.
pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")


@pytest.fixture
def make_job(tmp_path, tokenizer_folder):
    """Return a function from fields to a resolved spec and the job of a run on rows of four tokens."""
    base = tiny_model.model(tmp_path / "base")
    for file in tokenizer_folder.iterdir():
        if file.name != "config.json":
            (base / file.name).write_bytes(file.read_bytes())
    (tmp_path / "data").mkdir()
    for name in ("train", "test"):
        row = json.dumps({"input_ids": [5, 6, 7, 8], "labels": [-100, 6, 7, 8]})
        (tmp_path / "data" / f"{name}.jsonl").write_text(f"{row}\n" * 8)

    def make(**fields):
        layer = {"model.base": str(base), "data.train": "d", "training.batch_size": 8, "training.steps": 1}
        composed_spec = spec.compose_spec([("test", spec.nest_leaves({**layer, **fields}))])
        job = Job(tmp_path, tmp_path / "data", str(base), None, steps=1, warmup_steps=0, rows=8, test_rows=0)
        job.native.mkdir(exist_ok=True)
        return spec.resolve_spec(composed_spec, gpus=8, bfloat16=False).spec, job

    return make


class _Done(Exception):
    """Training would start now."""


@pytest.mark.parametrize("method", ["qlora", "lora", "full", "prompt-tuning"])
def test_weights_that_trl_trains_in_float16_are_float32(make_job, monkeypatch, method):
    """transformers accepts float16 only with a GPU, so the flag is set once the trainer exists."""
    import trl

    run_spec, job = make_job(**{"method.name": method})
    config = load_stack("trl").render(run_spec, job).files
    assert "fp16: true" in config["sft.yaml"]
    for name, text in config.items():
        cpu_text = text.replace("fp16: true", "fp16: false").replace("use_cpu: false", "use_cpu: true")
        (job.native / name).write_text(cpu_text)
    trainers = []

    class Trainer(trl.SFTTrainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            trainers.append(self)
            self.args.fp16 = True

        def train(self, **_):
            raise _Done

    monkeypatch.setattr(trl, "SFTTrainer", Trainer)
    with pytest.raises(_Done):
        trl_sft.train(job.native / "sft.yaml", job.folder, Emitter(job.folder))
    model = trainers[0].model
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert trainable
    assert {p.dtype for p in trainable} == {torch.float32}
    optimizer = torch.optim.SGD(trainable, lr=1.0)
    for parameter in trainable:
        parameter.grad = torch.ones_like(parameter)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(torch.zeros(1))
    scaler.unscale_(optimizer)
    assert {float(p.grad.max()) for p in trainable} == {0.25}
    if method == "qlora":
        layers = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
        assert {layer.weight.dtype for layer in layers} == {torch.uint8}, "frozen weights stay in 4 bits"


def test_frozen_and_integer_weights_keep_their_type():
    layer = torch.nn.Linear(3, 2, dtype=torch.bfloat16)
    layer.weight.requires_grad_(requires_grad=False)
    layer.register_parameter(
        "table", torch.nn.Parameter(torch.ones(2, dtype=torch.uint8), requires_grad=False)
    )
    precision.cast_trained_weights(layer)
    dtypes = {name: parameter.dtype for name, parameter in layer.named_parameters()}
    assert dtypes == {"weight": torch.bfloat16, "bias": torch.float32, "table": torch.uint8}


@pytest.mark.parametrize(("strategy", "dtype", "storage"), [
    ("ddp", "bfloat16", torch.uint8), ("fsdp", "bfloat16", torch.bfloat16), ("fsdp", "float32", torch.float32),
])  # fmt: skip
def test_sharded_four_bit_weights_are_stored_in_the_type_that_fsdp_shards(make_job, strategy, dtype, storage):
    from trl import ModelConfig, ScriptArguments, SFTConfig, TrlParser, get_quantization_config

    run_spec, job = make_job(**{
        "devices.processes": 2, "devices.strategy": strategy, "training.dtype": dtype, "method.name": "qlora",
    })  # fmt: skip
    text = load_stack("trl").render(run_spec, job).files["sft.yaml"]
    # trl's parser looks for a GPU if bf16 or fsdp is on.
    lines = [line for line in text.splitlines() if not line.startswith(("bf16", "fsdp", "  ", "use_cpu"))]
    (job.native / "sft.yaml").write_text("\n".join([*lines, "use_cpu: true"]))
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    _, _, model_config = parser.parse_args_and_config(["--config", str(job.native / "sft.yaml")])
    config = get_quantization_config(model_config)
    layer = bitsandbytes.nn.Linear4bit(64, 64, bias=False, quant_storage=config.bnb_4bit_quant_storage)
    layer.weight.data = torch.ones(64, 64)
    assert layer.to("cpu").weight.dtype == storage
