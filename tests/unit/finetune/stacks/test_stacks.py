"""What a stack refuses, renders for a checkpoint or a family, and exports; test files stand in for its output."""

from __future__ import annotations

import json
import os
import sys

import pytest
import tiny_model
import yaml

from advisor.errors import UnknownName
from finetune import spec, stacks
from finetune.errors import TrainingError, UnsupportedField
from finetune.runners import unsloth_sft
from finetune.runners.emit import Emitter
from finetune.stacks import Job
from finetune.stacks.shared import equivalence, hf_trainer, own_loop, peft_export
from finetune.weights import family

LLAMA3 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192, "rope_theta": 5e5}  # fmt: skip


@pytest.fixture
def make_task(tokenizer_folder, tmp_path):
    """Return a function that makes a resolved spec of the tiny model, with changes, and its job."""

    def make(config=None, gpus=0, **sections):
        base = tmp_path / "base"
        base.mkdir(exist_ok=True)
        for file in tokenizer_folder.iterdir():
            (base / file.name).write_bytes(file.read_bytes())
        (base / "config.json").write_text(json.dumps(tiny_model.config(**(config or {}))))
        layer = {"model": {"base": str(base)}, "data": {"train": "d"}, "method": {"name": "lora"}, **sections}
        run_spec = spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=gpus).spec
        return run_spec, Job(
            tmp_path, tmp_path / "data", str(base), None, steps=4, warmup_steps=1, rows=40, test_rows=0
        )

    return make


@pytest.mark.parametrize(("stack", "config", "sections", "why"), [
    ("axolotl", {}, {"data": {"train": "d", "packing": True}}, "attention kernels of a GPU"),
    ("axolotl", {}, {"training": {"own_speedups": True}}, "its own kernels are for GPUs"),
    ("litgpt", {}, {"method": {"name": "qlora"}}, "its 4-bit layers do not run on a CPU"),
    ("litgpt", {"model_type": "mamba"}, {}, "model_type is mamba"),
    ("torchtune", {"head_dim": 32}, {}, "head size of hidden size / heads, and the model's is 32"),
    ("torchtune", {"model_type": "mistral", "tie_word_embeddings": True}, {}, "torchtune's mistral cannot tie it"),
    ("torchtune", {"rope_parameters": {**LLAMA3, "low_freq_factor": 2.0}}, {}, "only supports the rotary scaling of Llama 3"),
])  # fmt: skip
def test_unsupported_fields_are_refused_with_the_reason(make_task, stack, config, sections, why):
    with pytest.raises(UnsupportedField, match=why):
        stacks.load_stack(stack).render(*make_task(config, **sections))


def test_unknown_stack_error_lists_the_stacks():
    with pytest.raises(UnknownName, match="trl"):
        stacks.load_stack("megatron")


def test_axolotl_config_names_the_checkpoint_and_the_warmup_deviation(make_task, tmp_path):
    from dataclasses import replace

    run_spec, job = make_task()
    config = stacks.load_stack("axolotl").render(
        run_spec, replace(job, resume_from=tmp_path / "checkpoint-2")
    )
    text = config.files["axolotl.yaml"]
    assert yaml.safe_load(text)["resume_from_checkpoint"] == str(tmp_path / "checkpoint-2")
    assert any("uses 2 warm-up steps instead of 1" in deviation for deviation in config.deviations)


@pytest.mark.parametrize(("method", "batch_size", "expected"), [
    ("full", 8, {"gradient_accumulation_kwargs": {"sync_each_batch": True}}),
    ("full", 4, None),
    ("lora", 8, None),
])  # fmt: skip
def test_sharded_gradients_of_all_weights_stay_sharded_while_they_accumulate(
    make_task, method, batch_size, expected
):
    """The prediction divides the gradients by the processes; FSDP2 without synchronisation keeps them whole."""
    training = {"batch_size": batch_size, "micro_batch_size": 2}
    devices = {"processes": 2, "strategy": "fsdp"}
    task = make_task(devices=devices, training=training, method={"name": method})
    config = yaml.safe_load(stacks.load_stack("trl").render(*task).files["sft.yaml"])
    assert config.get("accelerator_config") == expected


def test_litgpt_config_has_gemmas_activation_and_llama_3s_rotation(make_task):
    def model(config):
        files = stacks.load_stack("litgpt").render(*make_task(config)).files
        return next(config for config in map(yaml.safe_load, files.values()) if "n_embd" in config)

    gemma = model({"model_type": "gemma", "hidden_act": "gelu_pytorch_tanh"})
    assert (gemma["gelu_approximate"], gemma["scale_embeddings"]) == ("tanh", True)
    scaling = model({"rope_parameters": LLAMA3})["rope_adjustments"]
    assert scaling == {
        "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_seq_len": 8192
    }  # fmt: skip


@pytest.mark.parametrize("stack", ["axolotl", "unsloth"])
def test_exported_adapter_has_the_base_models_name_and_the_tokenizer(make_task, stack):
    run_spec, job = make_task(stack=stack)
    source = job.work if stack == "axolotl" else job.folder / "adapter"
    source.mkdir()
    with pytest.raises(TrainingError, match=rf"{stack} ended without writing .*adapter_config\.json"):
        stacks.load_stack(stack).export_adapter(run_spec, job)
    (source / "adapter_config.json").write_text('{"base_model_name_or_path": "/a/cache", "r": 8}')
    (source / "adapter_model.safetensors").write_bytes(b"weights")
    adapter = stacks.load_stack(stack).export_adapter(run_spec, job)
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config == {"base_model_name_or_path": "base", "r": 8}, (
        "the name of a local folder, without its path"
    )
    assert {name for name in hf_trainer._ADAPTER_FILES if (adapter / name).is_file()} == set(
        hf_trainer._ADAPTER_FILES
    )
    assert (adapter / "tokenizer.json").is_file()


def test_missing_adapter_is_an_error(make_task, tmp_path):
    run_spec, job = make_task()
    with pytest.raises(TrainingError, match=r"trl ended without writing .*see .*log\.txt"):
        stacks.load_stack("trl").export_adapter(run_spec, job)
    run_spec, job = make_task(stack="torchtune")
    with pytest.raises(TrainingError, match=r"torchtune ended without writing .*native\.safetensors"):
        stacks.load_stack("torchtune").export_adapter(run_spec, job)


def litgpt_state(run_spec, model_family, layers=2):
    """Return an adapter in litgpt's format: q, k and v stacked in one pair."""
    import torch

    sizes = model_family.shape.linears()
    names = [name for name in family.ATTENTION[:3] if name in family.resolve_targets("litgpt", run_spec)]
    wide = sum(sizes[name][1] for name in names)
    state = {}
    for n in range(layers):
        prefix = f"transformer.h.{n}.attn"
        state[f"{prefix}.qkv.lora_A"] = torch.randn(
            len(names) * run_spec.method.r, model_family.shape.hidden_size
        )
        state[f"{prefix}.qkv.lora_B"] = torch.randn(wide, run_spec.method.r)
        state[f"{prefix}.proj.lora_A"] = torch.randn(run_spec.method.r, sizes["o_proj"][0])
        state[f"{prefix}.proj.lora_B"] = torch.randn(sizes["o_proj"][1], run_spec.method.r)
    return state


def test_litgpts_stacked_matrix_becomes_q_k_and_v(make_task, monkeypatch):
    from safetensors.torch import load_file, save_file

    run_spec, job = make_task(
        stack="litgpt", method={"name": "lora", "targets": ["q_proj", "v_proj", "o_proj"]}
    )
    model_family = family.read_family("litgpt", run_spec)
    state = litgpt_state(run_spec, model_family)
    job.work.mkdir()
    save_file(state, job.work / "native.safetensors")
    (job.native / "base").mkdir(parents=True)
    (job.native / "base" / "lit_model.pth").touch()
    runs = []
    monkeypatch.setattr(equivalence, "check_logits", runs.append)
    adapter = load_file(
        stacks.load_stack("litgpt").export_adapter(run_spec, job) / "adapter_model.safetensors"
    )
    assert runs == [job.folder]
    assert not (job.native / "base" / "lit_model.pth").exists()
    r, q = run_spec.method.r, model_family.shape.linears()["q_proj"][1]
    for n in range(2):
        qkv, ours = f"transformer.h.{n}.attn.qkv", f"base_model.model.model.layers.{n}.self_attn"
        a, b = state[f"{qkv}.lora_A"], state[f"{qkv}.lora_B"]
        assert adapter[f"{ours}.q_proj.lora_A.weight"].equal(a[:r])
        assert adapter[f"{ours}.v_proj.lora_A.weight"].equal(a[r:])
        assert adapter[f"{ours}.q_proj.lora_B.weight"].equal(b[:q])
        assert adapter[f"{ours}.v_proj.lora_B.weight"].equal(b[q:])


@pytest.mark.parametrize(("read_pairs", "key"), [
    (peft_export.pairs_from_torchtune, "layers.0.attn.gate.lora_a.weight"), (peft_export.pairs_from_torchtune, "tok_embeddings.weight"),
    (peft_export.pairs_from_litgpt, "lm_head.lora_A"), (peft_export.pairs_from_litgpt, "transformer.h.0.moe.lora_A"),
    (peft_export.pairs_from_litgpt, "transformer.h.0.mlp.gate.lora_A"),
])  # fmt: skip
def test_layer_that_peft_does_not_have_gives_its_name(make_task, read_pairs, key):
    run_spec, _ = make_task()
    state = {key: None, key[:-1] + "B": None}
    with pytest.raises(TrainingError, match=rf"adapter has {key}, which PEFT's format does not have"):
        read_pairs(state, family.read_family("litgpt", run_spec), ("q_proj",))


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_logits_of_the_exported_adapter_are_checked(make_task, monkeypatch, method):
    run_spec, job = make_task(gpus=1, method={"name": method})
    checked_folders = []
    (job.folder / "adapter").mkdir()
    monkeypatch.setattr(peft_export, "write_adapter", lambda run, *_: run / "adapter")
    monkeypatch.setattr(equivalence, "check_logits", checked_folders.append)
    adapter = own_loop.export_adapter(
        run_spec, job, family.read_family("torchtune", run_spec), (), peft_export.pairs_from_torchtune
    )
    assert (adapter / "tokenizer.json").is_file()
    assert checked_folders == [job.folder]


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_one_process_sees_one_gpu_of_a_machine_with_eight(make_task, monkeypatch, stack):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4,5,6")
    run_spec, _ = make_task(gpus=8)
    assert stacks.load_stack(stack).environment(run_spec)["CUDA_VISIBLE_DEVICES"] == "3"
    run_spec, _ = make_task(gpus=8, devices={"processes": 2})
    assert stacks.load_stack(stack).environment(run_spec)["CUDA_VISIBLE_DEVICES"] == "3,4"


@pytest.mark.parametrize(("attention", "name"), [
    ("sdpa", "sdpa"), ("flash", "flash_attention_2"), ("eager", "eager"),
])  # fmt: skip
@pytest.mark.parametrize("stack", ["trl", "axolotl"])
def test_transformers_gets_the_attention_of_the_spec(make_task, stack, attention, name):
    run_spec, job = make_task(gpus=1, stack=stack, training={"attention": attention})
    text = next(iter(stacks.load_stack(stack).render(run_spec, job).files.values()))
    assert yaml.safe_load(text)["attn_implementation"] == name


@pytest.mark.parametrize("stack", ["trl", "axolotl", "torchtune", "litgpt", "unsloth"])
@pytest.mark.parametrize("is_fused", [True, False])
def test_optimizer_is_fused_where_the_spec_says_so(make_task, stack, is_fused):
    fields = {"fused_optimizer": is_fused, "gradient_checkpointing": stack != "litgpt"}
    run_spec, job = make_task(gpus=1, stack=stack, training=fields)
    config = yaml.safe_load(next(iter(stacks.load_stack(stack).render(run_spec, job).files.values())))
    value = {
        "trl": lambda: config["optim"],
        "axolotl": lambda: config["optimizer"],
        "unsloth": lambda: config["sft"]["optim"],
        "torchtune": lambda: config["optimizer"]["fused"],
        "litgpt": lambda: config["optimizer"]["init_args"]["fused"],
    }[stack]()
    assert value == (is_fused if isinstance(value, bool) else "adamw_torch" + "_fused" * is_fused)


def test_liger_kernels_are_honoured_or_refused_with_the_reason(make_task):
    on = {"liger_kernels": True}
    run_spec, job = make_task(gpus=1, stack="trl", training=on)
    assert "use_liger_kernel: true" in stacks.load_stack("trl").render(run_spec, job).files["sft.yaml"]
    run_spec, job = make_task(gpus=1, stack="axolotl", training=on)
    answer = stacks.load_stack("axolotl").render(run_spec, job)
    assert "axolotl.integrations.liger.LigerPlugin" in answer.files["axolotl.yaml"]
    assert any("Community License" in deviation for deviation in answer.deviations)
    for stack, why in (("torchtune", "model code"), ("litgpt", "model code"), ("unsloth", "its own kernels")):
        run_spec, job = make_task(gpus=1, stack=stack, training=on)
        with pytest.raises(UnsupportedField, match=rf"training\.liger_kernels.*{why}"):
            stacks.load_stack(stack).render(run_spec, job)


@pytest.mark.parametrize("is_on", [True, False])
def test_unsloths_trainer_gets_the_checkpointing_of_the_spec(make_task, is_on):
    files = (
        stacks.load_stack("unsloth")
        .render(*make_task(gpus=1, training={"gradient_checkpointing": is_on}))
        .files
    )
    assert yaml.safe_load(files["unsloth.yaml"])["sft"]["gradient_checkpointing"] is is_on


def test_unsloth_compiles_into_the_runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("UNSLOTH_COMPILE_LOCATION", "")
    monkeypatch.delenv("UNSLOTH_COMPILE_LOCATION")
    monkeypatch.setitem(sys.modules, "unsloth", None)
    with pytest.raises(ImportError):
        unsloth_sft.train(tmp_path / "unsloth.yaml", tmp_path, Emitter(tmp_path))
    assert os.environ["UNSLOTH_COMPILE_LOCATION"] == str(tmp_path / "work" / "unsloth-compiled")


def test_failed_logits_check_is_an_error_with_its_last_line(interpreter, tmp_path):
    interpreter("echo out of memory >&2; exit 1")
    with pytest.raises(TrainingError, match=r"cannot check the adapter in .*: out of memory"):
        equivalence.check_logits(tmp_path)
