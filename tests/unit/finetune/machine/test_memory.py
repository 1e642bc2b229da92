"""The memory prediction against measured peaks and PEFT's count, and the smallest change that fits."""

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
PEAKS = json.loads((RESULTS / "memory-cpu.json").read_text())
HELD_OUT = json.loads((RESULTS / "memory-cpu-held-out.json").read_text())
SHORT = json.loads((RESULTS / "memory-cpu-short.json").read_text())


@pytest.fixture(scope="module")
def benchmark():
    module_spec = importlib.util.spec_from_file_location(
        "memory_prediction", ROOT / "benchmarks" / "memory_prediction.py"
    )
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


def test_benchmark_varies_models_lengths_batches_and_quantisations(benchmark):
    settings = [benchmark.SETTINGS[name] for name in PEAKS]
    assert len(settings) >= 6
    for part in (2, 3, 4, 5, 6):
        assert len({s[part] for s in settings}) > 1
    assert len({s[0]["hidden_size"] for s in settings}) > 2


@pytest.mark.parametrize("name", sorted(PEAKS))
def test_prediction_is_within_a_tenth_of_the_measured_peak(benchmark, name):
    result = PEAKS[name]
    prediction = benchmark.predict_setting(benchmark.SETTINGS[name], result["file_bytes"]).total
    assert prediction == pytest.approx(result["measured"], rel=0.1)


@pytest.mark.parametrize("name", sorted(HELD_OUT))
def test_prediction_of_held_out_settings_is_within_a_tenth(benchmark, name):
    result = HELD_OUT[name]
    assert name not in PEAKS
    prediction = benchmark.predict_setting(benchmark.HELD_OUT[name], result["file_bytes"]).total
    assert prediction == pytest.approx(result["measured"], rel=0.1)


@pytest.mark.parametrize("name", sorted(SHORT))
def test_prediction_of_short_rows_in_the_heap_is_within_a_tenth(benchmark, name):
    result = SHORT[name]
    prediction = benchmark.predict_setting(benchmark.SHORT[name], result["file_bytes"]).total
    assert prediction == pytest.approx(result["measured"], rel=0.1)


def test_prediction_of_the_demo_is_within_a_tenth(benchmark):
    """Rows of varying length, 20 steps, the real model; no constant was fitted to the demo."""
    result = json.loads((RESULTS / "demo.json").read_text())
    composed_spec = spec.compose_spec(
        [("--demo", demo.SETTINGS), ("t", {"model": {"base": "m"}, "data": {"train": "d"}})]
    )
    run_spec = spec.resolve_spec(composed_spec, gpus=0).spec
    prediction = memory.predict_memory(
        base.read_shape(benchmark.SMOL), run_spec, result["longest_row"], result["file_bytes"]
    )
    assert prediction.total / 2**20 == pytest.approx(result["measured_mib"], rel=0.1)


def test_benchmark_compares_like_with_like(benchmark, monkeypatch):
    """torch counts no CUDA context; a process on a CPU has all its memory. Nothing is evaluated."""
    prediction = memory.Prediction(
        runtime=600, weights=1000, adapter=10, activations=20, logits=30, workspace=5, evaluation=9000
    )
    assert benchmark.choose_peak(prediction, "gpu") == 1065
    assert benchmark.choose_peak(prediction, "rss") == 1665


SHAPE = base.read_shape({
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 700, "tie_word_embeddings": True,
})  # fmt: skip


def make_spec(**sections):
    tables = {"model": {"base": "m"}, "data": {"train": "d"}, **sections}
    return spec.resolve_spec(spec.compose_spec([("t", tables)]), gpus=0).spec


@pytest.mark.filterwarnings("ignore::UserWarning")  # peft warns about a model without a source
@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft uses an old name of transformers
@pytest.mark.parametrize("method", [
    {"name": "lora", "r": 4}, {"name": "lora", "targets": ["q_proj", "down_proj"]}, {"name": "lora", "dora": True},
    {"name": "full"}, {"name": "prompt-tuning"}, {"name": "prefix-tuning"},
])  # fmt: skip
def test_trainable_parameters_are_those_of_peft(tmp_path, method):
    import tiny_model
    from peft import PeftConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from finetune.stacks import trl

    run_spec = make_spec(method=method)
    model = LlamaForCausalLM(LlamaConfig(**tiny_model.config()))
    if method["name"] == "full":
        count = sum(p.numel() for p in model.parameters())
    else:
        if method["name"] == "lora":
            config = {
                "peft_type": "LORA",
                "task_type": "CAUSAL_LM",
                "r": run_spec.method.r,
                "use_dora": run_spec.method.dora,
            }
            targets = run_spec.method.targets
            config["target_modules"] = targets if isinstance(targets, str) else list(targets)
        else:
            config = trl._render_peft_config(run_spec)
        model = get_peft_model(model, PeftConfig.from_peft_type(**config))
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert memory.count_trainable_parameters(SHAPE, run_spec) == count


LLAMA_8B = base.read_shape({
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
})  # fmt: skip


def test_weights_of_llama_8b_are_those_of_the_papers():
    """Llama 3.1 8B: 8.03 billion weights; 14.96 GiB in bfloat16, 5.31 GiB with NF4 and double quantisation."""
    half = make_spec(training={"dtype": "bfloat16"}, method={"name": "lora"})
    four = make_spec(training={"dtype": "bfloat16"}, method={"name": "qlora"})
    assert LLAMA_8B.parameters == pytest.approx(8.03e9, rel=0.001)
    assert memory.count_weight_bytes(LLAMA_8B, half) / 2**30 == pytest.approx(14.96, abs=0.01)
    assert memory.count_weight_bytes(LLAMA_8B, four) / 2**30 == pytest.approx(5.31, abs=0.03)


def test_smallest_change_is_the_first_that_fits():
    run_spec = make_spec(training={"dtype": "bfloat16", "micro_batch_size": 4}, method={"name": "lora"})
    room = 2**30
    need = memory.predict_memory(LLAMA_8B, run_spec, 1024).total
    change = memory.find_smallest_change(LLAMA_8B, run_spec, 1024, 0, int(need / memory.SAFE_SHARE * 0.99))
    assert list(change.values) == ["training.micro_batch_size"]
    hard = memory.find_smallest_change(LLAMA_8B, run_spec, 1024, 0, 12 * room)
    assert hard.values["method.name"] == "qlora"
    assert hard.total <= memory.SAFE_SHARE * 12 * room
    assert memory.find_smallest_change(LLAMA_8B, run_spec, 1024, 0, 2 * room) is None


def test_changes_leave_out_what_the_spec_has_already():
    run_spec = spec.RunSpec.model_validate({
        "model": {"base": "m"}, "data": {"train": "d"}, "method": {"name": "qlora"}, "devices": {"processes": 3},
        "training": {"batch_size": 12, "micro_batch_size": 4, "gradient_checkpointing": True},
    })  # fmt: skip
    changes = list(memory._list_changes(run_spec, 1024))
    # Micro-batches of 2 and 1 divide the batch of 12 over three processes; after that only the length is left.
    assert [list(values) for values in changes[:2]] == [["training.micro_batch_size"]] * 2
    assert all("method.name" not in values for values in changes)
    assert [values["data.max_length"] for values in changes[2:]] == [512, 256]
    odd = run_spec.model_copy(update={"training": run_spec.training.model_copy(update={"batch_size": 9})})
    assert (
        next(memory._list_changes(odd, 256))["training.micro_batch_size"] == 1
    )  # 2 rows in each of 3 processes do not divide 9


def test_preference_needs_both_answers_and_for_all_weights_a_second_model():
    answers, pairs = (
        memory.predict_memory(SHAPE, make_spec(method={"objective": objective, "name": "lora"}), 100)
        for objective in ("sft", "dpo")
    )
    assert pairs.activations == 2 * answers.activations
    assert (pairs.reference, pairs.weights) == (0, answers.weights), "the adapter is turned off"
    labels = memory.predict_memory(SHAPE, make_spec(method={"objective": "kto", "name": "lora"}), 100)
    assert labels.activations == answers.activations
    full = memory.predict_memory(SHAPE, make_spec(method={"objective": "dpo", "name": "full"}), 100)
    assert full.reference == full.weights
    without = memory.predict_memory(SHAPE, make_spec(method={"name": "full"}), 100)
    assert without.reference == 0
