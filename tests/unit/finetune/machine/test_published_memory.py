"""The memory prediction for GPUs against published peaks, and against torch's own count of live memory."""

from __future__ import annotations

import importlib.util
import weakref
from pathlib import Path

import pytest

from finetune import spec
from finetune.machine import activations, memory
from finetune.stacks import STACKS
from finetune.weights import base

ROOT = Path(__file__).resolve().parents[4]
GIB = 2**30


def load_benchmark():
    module_spec = importlib.util.spec_from_file_location(
        "published_memory", ROOT / "benchmarks" / "published_memory.py"
    )
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


PUBLISHED = load_benchmark()
FIGURES = PUBLISHED.TABLE["figures"]
PEAKS = [figure for figure in FIGURES if "capped" not in figure.get("differs", ())]
FAILED_RUNS = [figure for figure in FIGURES if "capped" in figure.get("differs", ())]
# docs/explanation/memory.md says why.
KNOWN_ERRORS = {"axolotl-examples-Olmo-3-7B-qlora-2048-2"}


def name_figure(figure):
    words = (
        figure["source"],
        figure["model"],
        figure["method"],
        figure["length"],
        figure["micro_batch_size"],
    )
    return "-".join(map(str, words))


def test_table_has_each_stack_that_publishes_peaks_with_sources_and_settings():
    assert {figure["stack"] for figure in FIGURES} == {*STACKS} - {
        "trl"
    }  # trl's documentation has charts only
    assert len(PEAKS) >= 70
    assert {figure["source"] for figure in FIGURES} == set(PUBLISHED.TABLE["sources"])
    assert all(source["url"].startswith("https://") for source in PUBLISHED.TABLE["sources"].values())


@pytest.mark.parametrize("figure", PEAKS, ids=name_figure)
def test_prediction_is_within_15_percent_of_the_published_peak(figure):
    error = PUBLISHED.predict_figure(figure) / figure["published"] - 1
    assert (abs(error) > 0.15) == (name_figure(figure) in KNOWN_ERRORS), f"{error:+.1%}"


@pytest.mark.parametrize("figure", PEAKS, ids=name_figure)
def test_plan_does_not_say_that_a_run_fits_into_less_than_its_published_peak(figure):
    """On a card that has just the published peak (and CUDA's context, which torch does not count).

    A plan of advisor counts all logits where the source's loss is fused: advisor's configurations have none.
    """
    differs = [difference for difference in figure.get("differs", ()) if difference != "fused"]
    predicted, card = PUBLISHED.predict_figure({**figure, "differs": differs}), figure["published"]
    if figure["measure"] in ("allocated", "reserved"):
        shape = base.read_shape(PUBLISHED.TABLE["models"][figure["model"]])
        context = memory.predict_memory(shape, PUBLISHED.build_spec(figure), figure["length"]).runtime / GIB
        predicted, card = predicted + context, card + context
    assert predicted > memory.SAFE_SHARE * 0.999 * card


@pytest.mark.parametrize("figure", FAILED_RUNS, ids=name_figure)
def test_plan_says_that_a_run_that_failed_does_not_fit(figure):
    assert PUBLISHED.predict_figure(figure) > memory.SAFE_SHARE * figure["published"]


def test_documentation_has_the_table_of_today():
    page = (ROOT / "docs" / "explanation" / "memory.md").read_text("utf-8")
    assert "\n".join(PUBLISHED.format_table()) in page
    assert all(source["url"] in page for source in PUBLISHED.TABLE["sources"].values())


LLAMA_8B = base.read_shape(PUBLISHED.TABLE["models"]["Llama-3-8B"])


def resolve(stack, *, bfloat16=True, **sections):
    training = {"batch_size": 4, "micro_batch_size": 4, **sections.pop("training", {})}
    layer = {"stack": stack, "model": {"base": "m"}, "data": {"train": "d"}, "training": training, **sections}
    return spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=8, bfloat16=bfloat16).spec


def predict(stack, **options):
    return memory.predict_memory(LLAMA_8B, resolve(stack, **options), 2048)


def test_full_logits_cost_what_the_loss_of_the_stack_needs():
    """8B, 4 x 2,048 tokens: 8,192 x 128,256 logits."""
    logits = 8192 * 128256
    assert predict("axolotl").logits == pytest.approx(14.3 * logits, rel=0.01)
    assert predict("torchtune").logits == pytest.approx(6.7 * logits, rel=0.05)
    assert predict("trl").logits < 3 * logits
    assert predict("axolotl").total > 20 * GIB > 13 * GIB > predict("trl").total


def test_every_stack_has_an_entry_and_a_new_one_counts_as_transformers():
    assert set(activations.STACK_MEMORY) == set(STACKS)
    assert predict("peft_loop").as_dict() == predict("axolotl").as_dict()


def test_stack_without_checkpointing_saves_every_layer():
    one = resolve("litgpt", training={"gradient_checkpointing": False})
    layer = activations.count_layer_bytes(LLAMA_8B, one, 2048, 4)
    assert memory.predict_memory(LLAMA_8B, one, 2048).activations == 32 * layer
    checkpoint = 2 * 4096 * 2048 * 4
    assert predict("axolotl").activations == 32 * checkpoint


def test_trained_weights_are_float32_where_the_run_is_float16():
    """r 16 on all linear layers of Llama 3 8B: 41,943,040 weights; weight, gradient and two moments of each."""
    half, brain = resolve("trl", bfloat16=False), resolve("trl")
    assert (half.training.dtype, brain.training.dtype) == ("float16", "bfloat16")
    assert memory.count_training_state_bytes(LLAMA_8B, half) == 41_943_040 * 16
    assert memory.count_training_state_bytes(LLAMA_8B, brain) == 41_943_040 * 8
    full = resolve("trl", bfloat16=False, method={"name": "full"})
    assert memory.count_weight_bytes(LLAMA_8B, full) == LLAMA_8B.parameters * 4
    assert memory.count_training_state_bytes(LLAMA_8B, full) == LLAMA_8B.parameters * 12
    assert memory.count_training_state_bytes(LLAMA_8B, resolve("torchtune")) == 41_943_040 * 8
    assert memory.count_training_state_bytes(LLAMA_8B, resolve("axolotl")) == 41_943_040 * 16


def test_processes_that_share_the_weights_need_less_each():
    devices = {"processes": 8, "strategy": "fsdp"}
    training = {"batch_size": 32, "micro_batch_size": 4}
    alone, shared = predict("trl"), predict("trl", devices=devices, training=training)
    copied = predict("trl", devices={"processes": 8}, training=training)
    assert shared.weights == pytest.approx(alone.weights / 8, rel=0.01)
    assert copied.weights == alone.weights
    torchtune = predict("torchtune", devices={"processes": 8}, training=training)
    assert torchtune.weights < copied.weights / 4, "its processes always share the model"


class LiveMemory:
    """The live bytes of all tensors that torch creates, with fake tensors: sizes without content."""

    def __init__(self):
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        live = self
        self.bytes, self.peak, self.storages = 0, 0, {}

        class Track(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                result = function(*args, **(kwargs or {}))
                for leaf in tree_leaves(result):
                    if hasattr(leaf, "untyped_storage"):
                        live.add(leaf.untyped_storage())
                return result

        self.mode = Track()

    def ignore(self, tensors):
        for tensor in tensors:
            self.storages[tensor.untyped_storage()._cdata] = 0

    def add(self, storage):
        key = storage._cdata
        if key in self.storages:
            return
        self.storages[key] = size = storage.nbytes()
        self.bytes += size
        self.peak = max(self.peak, self.bytes)

        def remove():
            if self.storages.pop(key, None) is not None:
                self.bytes -= size

        weakref.finalize(storage, remove)


def count_live_bytes(monkeypatch, layers, *, targets="all-linear", has_float32_adapter=True, vocabulary=640,
                     dtype="bfloat16", attention="sdpa", length=256, adapter=None):  # fmt: skip
    """Return the bytes after the forward pass, and the peak, of a Llama; 16 bits under autocast."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch._subclasses.fake_tensor import FakeTensorMode
    from transformers import LlamaConfig, LlamaForCausalLM

    monkeypatch.setattr(torch.nn.Module, "to", lambda module, *_, **__: module)
    config = LlamaConfig(
        hidden_size=SHAPE.hidden_size, intermediate_size=SHAPE.intermediate_size, num_hidden_layers=layers,
        num_attention_heads=SHAPE.heads, num_key_value_heads=SHAPE.kv_heads, vocab_size=vocabulary,
        head_dim=SHAPE.head_size, dtype=getattr(torch, dtype), attn_implementation=attention, use_cache=False,
    )  # fmt: skip
    live = LiveMemory()
    with FakeTensorMode(allow_non_fake_inputs=True):
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            model = LlamaForCausalLM(config)
        finally:
            torch.set_default_dtype(torch.float32)
        adapter = adapter or LoraConfig(r=8, target_modules=targets, task_type="CAUSAL_LM")
        model = get_peft_model(model, adapter, autocast_adapter_dtype=has_float32_adapter)
        if not has_float32_adapter:
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.bfloat16()
        model.train()
        live.ignore([*model.parameters(), *model.buffers()])
        ids = torch.zeros(2, length, dtype=torch.long)
        with live.mode, torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            output = model(input_ids=ids, labels=ids)
            after_forward = live.bytes
            output.loss.backward()
    return after_forward, live.peak


SHAPE = base.read_shape({
    "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 2, "num_attention_heads": 8,
    "num_key_value_heads": 2, "vocab_size": 640, "head_dim": 128, "tie_word_embeddings": False,
})  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of libraries, about a model without a source
@pytest.mark.parametrize(
    ("targets", "has_float32_adapter"),
    [
        ("all-linear", True),
        ("all-linear", False),
        (["q_proj", "v_proj"], True),
        (["gate_proj", "down_proj"], True),
    ],
)
def test_bytes_of_a_layer_are_those_that_torch_keeps(monkeypatch, targets, has_float32_adapter):
    options = {"targets": targets, "has_float32_adapter": has_float32_adapter}
    four, two = (count_live_bytes(monkeypatch, layers, **options)[0] for layers in (4, 2))
    method = {"name": "lora" if has_float32_adapter else "qlora", "r": 8, "targets": targets}
    run_spec = resolve("trl", method=method, training={"micro_batch_size": 2})
    predicted = activations.count_layer_bytes(SHAPE, run_spec, 256, 2)
    assert predicted == pytest.approx((four - two) / 2, rel=0.06)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["dora", "ia3"])
def test_bytes_of_a_layer_count_the_values_that_are_scaled(monkeypatch, method):
    import peft

    adapter = {
        "dora": peft.LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM", use_dora=True),
        "ia3": peft.IA3Config(task_type="CAUSAL_LM"),
    }[method]
    four, two = (count_live_bytes(monkeypatch, layers, adapter=adapter)[0] for layers in (4, 2))
    fields = {"name": "lora", "r": 8, "dora": True} if method == "dora" else {"name": "ia3"}
    run_spec = resolve("trl", method=fields, training={"micro_batch_size": 2})
    predicted = activations.count_layer_bytes(SHAPE, run_spec, 256, 2)
    assert predicted == pytest.approx((four - two) / 2, rel=0.06)


def test_virtual_tokens_of_a_prompt_lengthen_every_row():
    def predict_tokens(longest, **method):
        run_spec = resolve("axolotl", method=method, data={"train": "d", "max_length": 768})
        return memory.predict_memory(LLAMA_8B, run_spec, longest)

    prompt = predict_tokens(768, name="prompt-tuning", virtual_tokens=200)
    assert prompt.activations == predict_tokens(768, name="lora").activations * 968 // 768
    prefix = predict_tokens(768, name="prefix-tuning", virtual_tokens=200)
    assert prefix.activations < prompt.activations


def test_several_gpus_need_the_buffers_of_nccl():
    training = {"batch_size": 8, "micro_batch_size": 4}
    two = predict("trl", devices={"processes": 2}, training=training)
    assert two.runtime - predict("trl").runtime == 400 * 2**20


@pytest.mark.filterwarnings("ignore")
def test_bytes_of_a_layer_in_float32_are_those_that_torch_keeps(monkeypatch):
    four, two = (count_live_bytes(monkeypatch, layers, dtype="float32")[0] for layers in (4, 2))
    run_spec = resolve(
        "trl", method={"name": "lora", "r": 8}, training={"micro_batch_size": 2, "dtype": "float32"}
    )
    predicted = activations.count_layer_bytes(SHAPE, run_spec, 256, 2)
    assert predicted == pytest.approx((four - two) / 2, rel=0.06)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_eager_attention_saves_the_probabilities(monkeypatch, dtype):
    options = {"dtype": dtype, "attention": "eager"}
    four, two = (count_live_bytes(monkeypatch, layers, **options)[0] for layers in (4, 2))
    training = {"micro_batch_size": 2, "dtype": dtype, "attention": "eager"}
    run_spec = resolve("trl", method={"name": "lora", "r": 8}, training=training)
    predicted = activations.count_layer_bytes(SHAPE, run_spec, 256, 2)
    assert predicted == pytest.approx((four - two) / 2, rel=0.06)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_backward_pass_of_eager_attention_needs_the_gradients_of_the_probabilities(monkeypatch, dtype):
    options = {"dtype": dtype, "attention": "eager", "length": 2048}
    after_forward, peak = count_live_bytes(monkeypatch, 2, **options)
    training = {"micro_batch_size": 2, "dtype": dtype, "attention": "eager"}
    run_spec = resolve("trl", method={"name": "lora", "r": 8}, training=training)
    predicted = activations.count_backward_bytes(SHAPE, run_spec, 2048, 2)
    assert peak - after_forward <= predicted <= 1.25 * (peak - after_forward)


def test_liger_replaces_the_loss_of_axolotl_only():
    """8B, 8,192 tokens: 32 chunks of 256 rows, 2 bytes a logit, and 9 bytes a hidden value and token."""
    training = {"liger_kernels": True, "micro_batch_size": 4, "batch_size": 4}
    with_liger = activations.count_logit_bytes(LLAMA_8B, resolve("axolotl", training=training), 8192)
    assert with_liger == 2 * 256 * 128256 + 9 * 4096 * 8192
    alone, liger = predict("trl"), predict("trl", training=training)
    assert liger.logits == alone.logits, "trl keeps its own loss in tiles"


@pytest.mark.filterwarnings("ignore")
def test_bytes_of_a_logit_are_those_of_the_loss_of_transformers(monkeypatch):
    (_, large), (_, small) = (count_live_bytes(monkeypatch, 2, vocabulary=size) for size in (96_000, 48_000))
    assert (large - small) / (512 * 48_000) == pytest.approx(
        activations.STACK_MEMORY["axolotl"].logit, abs=0.3
    )
