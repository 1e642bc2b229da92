"""What a stack refuses, is told of a resume or a family, and hands over; played by the files that it leaves."""

from __future__ import annotations

import json

import pytest
import tiny_model
import yaml

from advisor.errors import UnknownName
from finetune import spec, stacks
from finetune.errors import TrainingFailed, UnsupportedField
from finetune.stacks import Job
from finetune.stacks.shared import gate, hf_trainer, own_loop, peft_export
from finetune.weights import family

LLAMA3 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192, "rope_theta": 5e5}  # fmt: skip


@pytest.fixture
def asked(tokenizer_folder, tmp_path):
    """A resolved spec of the tiny model, with changes, and the job."""

    def make(config=None, gpus=0, **sections):
        base = tmp_path / "base"
        base.mkdir(exist_ok=True)
        for file in tokenizer_folder.iterdir():
            (base / file.name).write_bytes(file.read_bytes())
        (base / "config.json").write_text(json.dumps(tiny_model.config(**(config or {}))))
        told = {"model": {"base": str(base)}, "data": {"train": "d"}, "method": {"name": "lora"}, **sections}
        made = spec.resolve(spec.compose([("t", told)]), gpus=gpus).spec
        return made, Job(
            tmp_path, tmp_path / "data", str(base), None, steps=4, warmup_steps=1, rows=40, test_rows=0
        )

    return make


@pytest.mark.parametrize(("stack", "config", "sections", "why"), [
    ("axolotl", {}, {"data": {"train": "d", "packing": True}}, "attention kernels of a GPU"),
    ("axolotl", {}, {"training": {"own_speedups": True}}, "its own kernels are for GPUs"),
    ("litgpt", {}, {"method": {"name": "qlora"}}, "its 4-bit layers refuse a CPU"),
    ("litgpt", {"model_type": "mamba"}, {}, "model_type is mamba"),
    ("torchtune", {"head_dim": 32}, {}, "head size 32 is not hidden size / heads"),
    ("torchtune", {"model_type": "mistral", "tie_word_embeddings": True}, {}, "an output layer of its own"),
    ("torchtune", {"rope_parameters": {**LLAMA3, "low_freq_factor": 2.0}}, {}, "not Llama 3's"),
])  # fmt: skip
def test_what_would_train_something_else_is_refused(asked, stack, config, sections, why):
    with pytest.raises(UnsupportedField, match=why):
        stacks.stack(stack).render(*asked(config, **sections))


def test_an_unknown_stack_is_told_with_those_that_are_known():
    with pytest.raises(UnknownName, match="trl"):
        stacks.stack("megatron")


def test_axolotl_is_told_of_the_checkpoint_and_warms_up_for_two_steps(asked, tmp_path):
    from dataclasses import replace

    made, job = asked()
    rendered = stacks.stack("axolotl").render(made, replace(job, resume_from=tmp_path / "checkpoint-2"))
    (text,) = rendered.files.values()
    assert yaml.safe_load(text)["resume_from_checkpoint"] == str(tmp_path / "checkpoint-2")
    assert any("makes 2 of a warm-up of 1 step" in told for told in rendered.deviations)


def test_litgpt_is_told_gemmas_activation_and_llama_3s_rotation(asked):
    def model(config):
        files = stacks.stack("litgpt").render(*asked(config)).files
        return next(told for told in map(yaml.safe_load, files.values()) if "n_embd" in told)

    gemma = model({"model_type": "gemma", "hidden_act": "gelu_pytorch_tanh"})
    assert (gemma["gelu_approximate"], gemma["scale_embeddings"]) == ("tanh", True)
    rotated = model({"rope_parameters": LLAMA3})["rope_adjustments"]
    assert rotated == {
        "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_seq_len": 8192
    }  # fmt: skip


@pytest.mark.parametrize("stack", ["axolotl", "unsloth"])
def test_the_trainers_adapter_gets_its_bases_name_and_the_runs_tokenizer(asked, stack):
    made, job = asked(stack=stack)
    source = job.work if stack == "axolotl" else job.folder / "adapter"
    source.mkdir()
    with pytest.raises(TrainingFailed, match=rf"{stack} ended without writing .*adapter_config\.json"):
        stacks.stack(stack).hand_over(made, job)
    (source / "adapter_config.json").write_text('{"base_model_name_or_path": "/a/cache", "r": 8}')
    (source / "adapter_model.safetensors").write_bytes(b"weights")
    adapter = stacks.stack(stack).hand_over(made, job)
    told = json.loads((adapter / "adapter_config.json").read_text())
    assert told == {"base_model_name_or_path": made.model.base, "r": 8}
    assert {name for name in hf_trainer._KEPT if (adapter / name).is_file()} == set(hf_trainer._KEPT)
    assert (adapter / "tokenizer.json").is_file()


def test_an_adapter_that_was_not_written_is_missed(asked, tmp_path):
    made, job = asked()
    with pytest.raises(TrainingFailed, match=r"trl ended without writing .*see .*log\.txt"):
        stacks.stack("trl").hand_over(made, job)
    made, job = asked(stack="torchtune")
    with pytest.raises(TrainingFailed, match=r"torchtune ended without writing .*native\.safetensors"):
        stacks.stack("torchtune").hand_over(made, job)


def litgpt_state(made, known, layers=2):
    """An adapter as litgpt keeps it: q, k and v stacked in one pair."""
    import torch

    sizes = known.shape.linears()
    names = [name for name in family.ATTENTION[:3] if name in family.targets("litgpt", made)]
    wide = sum(sizes[name][1] for name in names)
    state = {}
    for n in range(layers):
        where = f"transformer.h.{n}.attn"
        state[f"{where}.qkv.lora_A"] = torch.randn(len(names) * made.method.r, known.shape.hidden)
        state[f"{where}.qkv.lora_B"] = torch.randn(wide, made.method.r)
        state[f"{where}.proj.lora_A"] = torch.randn(made.method.r, sizes["o_proj"][0])
        state[f"{where}.proj.lora_B"] = torch.randn(sizes["o_proj"][1], made.method.r)
    return state


def test_litgpts_one_matrix_is_cut_into_q_k_and_v(asked, monkeypatch):
    from safetensors.torch import load_file, save_file

    made, job = asked(stack="litgpt", method={"name": "lora", "targets": ["q_proj", "v_proj", "o_proj"]})
    known = family.of("litgpt", made)
    state = litgpt_state(made, known)
    job.work.mkdir()
    save_file(state, job.work / "native.safetensors")
    (job.native / "base").mkdir(parents=True)
    (job.native / "base" / "lit_model.pth").touch()
    checked = []
    monkeypatch.setattr(gate, "check", checked.append)
    adapter = load_file(stacks.stack("litgpt").hand_over(made, job) / "adapter_model.safetensors")
    assert checked == [job.folder]
    assert not (job.native / "base" / "lit_model.pth").exists()
    r, q = made.method.r, known.shape.linears()["q_proj"][1]
    for n in range(2):
        qkv, ours = f"transformer.h.{n}.attn.qkv", f"base_model.model.model.layers.{n}.self_attn"
        a, b = state[f"{qkv}.lora_A"], state[f"{qkv}.lora_B"]
        assert adapter[f"{ours}.q_proj.lora_A.weight"].equal(a[:r])
        assert adapter[f"{ours}.v_proj.lora_A.weight"].equal(a[r:])
        assert adapter[f"{ours}.q_proj.lora_B.weight"].equal(b[:q])
        assert adapter[f"{ours}.v_proj.lora_B.weight"].equal(b[q:])


@pytest.mark.parametrize(("take_apart", "key"), [
    (peft_export.from_torchtune, "layers.0.attn.gate.lora_a.weight"), (peft_export.from_torchtune, "tok_embeddings.weight"),
    (peft_export.from_litgpt, "lm_head.lora_A"), (peft_export.from_litgpt, "transformer.h.0.moe.lora_A"),
    (peft_export.from_litgpt, "transformer.h.0.mlp.gate.lora_A"),
])  # fmt: skip
def test_a_layer_without_a_place_in_pefts_form_is_named(asked, take_apart, key):
    made, _ = asked()
    state = {key: None, key[:-1] + "B": None}
    with pytest.raises(TrainingFailed, match=rf"adapter holds {key}, which has no place"):
        take_apart(state, family.of("litgpt", made), ("q_proj",))


def test_an_adapter_of_a_four_bit_base_is_not_held_to_its_logits(asked, monkeypatch):
    made, job = asked(gpus=1, method={"name": "qlora"})
    (job.folder / "adapter").mkdir()
    monkeypatch.setattr(peft_export, "write", lambda run, *_: run / "adapter")
    monkeypatch.setattr(gate, "check", lambda _: pytest.fail("a 4-bit base rounds"))
    adapter = own_loop.hand_over(made, job, family.of("torchtune", made), (), peft_export.from_torchtune)
    assert (adapter / "tokenizer.json").is_file()


def test_a_check_that_could_not_be_made_is_told(interpreter, tmp_path):
    interpreter("echo out of memory >&2; exit 1")
    with pytest.raises(TrainingFailed, match=r"adapter cannot be checked: out of memory"):
        gate.check(tmp_path)
