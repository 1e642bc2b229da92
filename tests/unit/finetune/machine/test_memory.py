"""The memory plan: against measured peaks, against PEFT's own count, and the smallest change that fits."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from finetune import demo, spec
from finetune.machine import memory
from finetune.weights import base

ROOT = Path(__file__).resolve().parents[4]
RESULTS = ROOT / "benchmarks" / "results"
MEASURED = json.loads((RESULTS / "memory-cpu.json").read_text())
HELD_OUT = json.loads((RESULTS / "memory-cpu-held-out.json").read_text())
SHORT = json.loads((RESULTS / "memory-cpu-short.json").read_text())


@pytest.fixture(scope="module")
def benchmark():
    where = importlib.util.spec_from_file_location(
        "memory_prediction", ROOT / "benchmarks" / "memory_prediction.py"
    )
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    return module


def test_there_are_six_settings_of_several_models_lengths_batches_and_quantisations(benchmark):
    settings = [benchmark.SETTINGS[name] for name in MEASURED]
    assert len(settings) >= 6
    for part in (2, 3, 4, 5, 6):
        assert len({s[part] for s in settings}) > 1
    assert len({s[0]["hidden_size"] for s in settings}) > 2


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_the_prediction_is_within_a_tenth_of_the_measured_peak(benchmark, name):
    told = MEASURED[name]
    predicted = benchmark.predicted(benchmark.SETTINGS[name], told["file_bytes"]).total
    assert predicted == pytest.approx(told["measured"], rel=0.1)


@pytest.mark.parametrize("name", sorted(HELD_OUT))
def test_so_is_the_prediction_of_settings_that_chose_no_constant(benchmark, name):
    told = HELD_OUT[name]
    assert name not in MEASURED
    predicted = benchmark.predicted(benchmark.HELD_OUT[name], told["file_bytes"]).total
    assert predicted == pytest.approx(told["measured"], rel=0.1)


@pytest.mark.parametrize("name", sorted(SHORT))
def test_so_is_the_prediction_of_short_rows_which_live_in_the_heap(benchmark, name):
    told = SHORT[name]
    predicted = benchmark.predicted(benchmark.SHORT[name], told["file_bytes"]).total
    assert predicted == pytest.approx(told["measured"], rel=0.1)


def test_so_is_the_prediction_of_the_demo(benchmark):
    """Rows of varying length, 20 steps, the real model: no setting that chose a constant."""
    told = json.loads((RESULTS / "demo.json").read_text())
    asked = spec.compose([("--demo", demo.SETTINGS), ("t", {"model": {"base": "m"}, "data": {"train": "d"}})])
    resolved = spec.resolve(asked, gpus=0).spec
    predicted = memory.predict(base.shape(benchmark.SMOL), resolved, told["longest_row"], told["file_bytes"])
    assert predicted.total / 2**20 == pytest.approx(told["measured_mib"], rel=0.1)


SHAPE = base.shape({
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 700, "tie_word_embeddings": True,
})  # fmt: skip


def made(**sections):
    asked = {"model": {"base": "m"}, "data": {"train": "d"}, **sections}
    return spec.resolve(spec.compose([("t", asked)]), gpus=0).spec


@pytest.mark.filterwarnings("ignore::UserWarning")  # peft's words on a model that came from nowhere
@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft calls transformers by an old name
@pytest.mark.parametrize("method", [
    {"name": "lora", "r": 4}, {"name": "lora", "targets": ["q_proj", "down_proj"]}, {"name": "lora", "dora": True},
    {"name": "full"}, {"name": "prompt-tuning"}, {"name": "prefix-tuning"},
])  # fmt: skip
def test_trained_parameters_are_what_peft_counts(tmp_path, method):
    import tiny_model
    from peft import PeftConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from finetune.stacks import trl

    asked = made(method=method)
    model = LlamaForCausalLM(LlamaConfig(**tiny_model.config()))
    if method["name"] == "full":
        counted = sum(p.numel() for p in model.parameters())
    else:
        if method["name"] == "lora":
            told = {
                "peft_type": "LORA",
                "task_type": "CAUSAL_LM",
                "r": asked.method.r,
                "use_dora": asked.method.dora,
            }
            targets = asked.method.targets
            told["target_modules"] = targets if isinstance(targets, str) else list(targets)
        else:
            told = trl._peft(asked)
        model = get_peft_model(model, PeftConfig.from_peft_type(**told))
        counted = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert memory.trainable_parameters(SHAPE, asked) == counted


LLAMA_8B = base.shape({
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
})  # fmt: skip


def test_weights_of_llama_8b_are_those_of_the_studies():
    """Llama 3.1 8B: 8.03 billion weights; 14.96 GiB in bfloat16, 5.31 GiB with NF4 and double quantisation."""
    half = made(training={"dtype": "bfloat16"}, method={"name": "lora"})
    four = made(training={"dtype": "bfloat16"}, method={"name": "qlora"})
    assert LLAMA_8B.parameters == pytest.approx(8.03e9, rel=0.001)
    assert memory.weight_bytes(LLAMA_8B, half) / 2**30 == pytest.approx(14.96, abs=0.01)
    assert memory.weight_bytes(LLAMA_8B, four) / 2**30 == pytest.approx(5.31, abs=0.03)


def test_the_smallest_change_is_the_first_that_fits():
    asked = made(training={"dtype": "bfloat16", "micro_batch_size": 4}, method={"name": "lora"})
    room = 2**30
    need = memory.predict(LLAMA_8B, asked, 1024).total
    change = memory.smallest_change(LLAMA_8B, asked, 1024, 0, int(need / memory.SAFE_SHARE * 0.99))
    assert list(change.values) == ["training.micro_batch_size"]
    hard = memory.smallest_change(LLAMA_8B, asked, 1024, 0, 12 * room)
    assert hard.values["method.name"] == "qlora"
    assert hard.total <= memory.SAFE_SHARE * 12 * room
    assert memory.smallest_change(LLAMA_8B, asked, 1024, 0, 2 * room) is None


def test_only_what_is_not_so_yet_is_changed():
    asked = spec.RunSpec.model_validate({
        "model": {"base": "m"}, "data": {"train": "d"}, "method": {"name": "qlora"}, "devices": {"processes": 3},
        "training": {"batch_size": 12, "micro_batch_size": 4, "gradient_checkpointing": True},
    })  # fmt: skip
    tried = list(memory._changes(asked, 1024))
    # Of 4 rows: 2 a process divide the batch over three, as does 1; then there is nothing left but the length.
    assert [list(values) for values in tried[:2]] == [["training.micro_batch_size"]] * 2
    assert all("method.name" not in values for values in tried)
    assert [values["data.max_length"] for values in tried[2:]] == [512, 256]
    odd = asked.model_copy(update={"training": asked.training.model_copy(update={"batch_size": 9})})
    assert next(memory._changes(odd, 256))["training.micro_batch_size"] == 1  # 2 for each of 3 do not make 9
