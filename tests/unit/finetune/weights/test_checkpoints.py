"""Checkpoints are recognised by bytes and names; pickles are read but never run."""

from __future__ import annotations

import collections
import json
import pickle
import struct
import zipfile

import pytest
import tiny_model
from typer.testing import CliRunner

from advisor.cli import app, load
from finetune.errors import ModelError
from finetune.weights import pickles
from finetune.weights.checkpoints import describe_checkpoint
from finetune.weights.pickles import read_imports
from finetune.weights.safetensors_header import read_header


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch /tmp/this-must-not-exist-4711",)


def save(path, value, **more):
    import torch

    torch.save(value, path, **more)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model.model(tmp_path_factory.mktemp("m") / "model")


def test_model_folder_its_file_and_a_damaged_file(model, tmp_path):
    checkpoint = describe_checkpoint(model)
    assert checkpoint.kind == "model in Hugging Face's layout"
    assert checkpoint.details["architecture"] == "LlamaForCausalLM"
    assert checkpoint.details["chat template"].startswith("yes")
    alone = describe_checkpoint(model / "model.safetensors")
    assert alone.kind == "safetensors file"
    assert alone.parameters == checkpoint.parameters == sum(checkpoint.dtypes.values())
    assert set(checkpoint.dtypes) == {"F32"}
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((model / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ModelError, match="truncated or damaged"):
        describe_checkpoint(cut)


def test_an_index_with_a_missing_shard(model, tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    tensors = dict.fromkeys(read_header(model / "model.safetensors").tensors, "one.safetensors")
    index.write_text(json.dumps({"weight_map": {**tensors, "b": "two.safetensors"}}))
    assert "missing: one.safetensors, two.safetensors" in describe_checkpoint(index).warnings
    (tmp_path / "one.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    assert describe_checkpoint(index).warnings == ("missing: two.safetensors",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_torch_file_with_only_tensors_has_a_conversion(tmp_path, is_zip):
    import torch

    weights = collections.OrderedDict(
        w=torch.zeros(3, dtype=torch.bfloat16), p=torch.nn.Parameter(torch.ones(2))
    )
    file = save(tmp_path / "w.pt", weights, _use_new_zipfile_serialization=is_zip)
    checkpoint = describe_checkpoint(file)
    assert checkpoint.kind == ("PyTorch zip" if is_zip else "PyTorch legacy pickle")
    assert read_imports(file).has_only_tensors
    assert "weights_only=True" in checkpoint.convert


@pytest.mark.parametrize("protocol", range(5))
def test_command_in_a_pickle_is_reported_but_not_run(tmp_path, protocol):
    from pathlib import Path

    file = tmp_path / "evil.pkl"
    file.write_bytes(pickle.dumps({"weights": [1], "x": Evil()}, protocol=protocol))
    assert read_imports(file).other_names == ("posix system",)
    if protocol >= 2:  # older protocols have no mark at the start
        assert any("posix system" in w for w in describe_checkpoint(file).warnings)
    assert not Path("/tmp/this-must-not-exist-4711").exists()


def test_command_in_a_torch_file_is_reported(tmp_path):
    import torch

    checkpoint = describe_checkpoint(save(tmp_path / "e.pt", {"w": torch.zeros(2), "x": Evil()}))
    assert "posix system" in checkpoint.details["imports beyond tensors"]
    assert "no conversion" in checkpoint.convert


def test_import_with_a_computed_name_is_reported(tmp_path):
    # The pickle builds its name when it loads: STACK_GLOBAL without a second string.
    file = tmp_path / "c.pkl"
    file.write_bytes(b"\x80\x04\x8c\x02os)\x93.")
    assert read_imports(file).other_names == ("a computed name",)


def test_truncated_pickle_is_not_harmless(tmp_path):
    file = tmp_path / "cut.pkl"
    file.write_bytes(pickle.dumps({"a": [1] * 100})[:-5])
    assert not read_imports(file).has_only_tensors


def test_gguf(tmp_path):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    body = b"GGUF" + struct.pack("<IQQ", 3, 2, 3)
    body += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    body += text("llama.context_length") + struct.pack("<II", 4, 8192)
    body += text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 3) + text("a") + text("b") + text("c")
    body += text("w") + struct.pack("<I2QIQ", 2, 32, 4, 3, 0) + text("n") + struct.pack("<IQIQ", 1, 4, 0, 96)
    file = tmp_path / "m.gguf"
    body += b"\0" * (-len(body) % 32)
    file.write_bytes(body + b"\0" * (96 + 16))  # 4 blocks of 20 bytes, padded to 96; 4 numbers of 4 bytes
    checkpoint = describe_checkpoint(file)
    assert (checkpoint.parameters, checkpoint.dtypes) == (132, {"Q4_1": 128, "F32": 4})
    assert checkpoint.details["context"] == "8192"
    for damaged in (body[:-50], body + b"\0" * 111, body + b"\0" * 200):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"GGUF file .* is damaged"):
            describe_checkpoint(file)
    file.write_bytes(body.replace(struct.pack("<IQ", 0, 96), struct.pack("<IQ", 0, 64)) + b"\0" * 80)
    with pytest.raises(ModelError, match="tensor n at 64 overlaps"):
        describe_checkpoint(file)


LAYOUTS = {
    "PEFT adapter": {"adapter_config.json": {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "b"}},
    "litgpt checkpoint": {"model_config.yaml": {}, "lit_model.pth": {}},
    "torchtune output": {"epoch_0/adapter_model.pt": {}},
    "Meta's original checkpoint": {"consolidated.00.pth": {}, "params.json": {"dim": 4096}},
    "a run of advisor train": {"record.json": {"state": "finished", "outcome": "well"}},
}


@pytest.mark.parametrize("kind", sorted(LAYOUTS))
def test_folders(tmp_path, kind):
    for name, value in LAYOUTS[kind].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(value))
    assert describe_checkpoint(tmp_path).kind == kind


def test_folder_warns_about_its_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    checkpoint = describe_checkpoint(tmp_path)
    assert checkpoint.warnings == ("it has no weights",)
    assert checkpoint.details["chat template"].startswith("yes")
    (tmp_path / "pytorch_model.bin").touch()
    assert "are pickles (pytorch_model.bin)" in describe_checkpoint(tmp_path).warnings[0]
    index = {"weight_map": {"w": "model-00001-of-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert any(
        "model-00001-of-00001.safetensors" in warning for warning in describe_checkpoint(tmp_path).warnings
    )


@pytest.mark.parametrize(("name", "size", "why"), [
    ("readme.txt", 1, "it is a zip file without a pickle"), ("data.pkl", 300, "data.pkl is too large to read"),
])  # fmt: skip
def test_unreadable_zip_is_not_harmless(tmp_path, monkeypatch, name, size, why):
    monkeypatch.setattr(pickles, "_MAX_BYTES", 200)
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr(name, b"0" * size)
    imports = read_imports(tmp_path / "m.pt")
    assert (imports.problem, imports.has_only_tensors) == (why, False)


def test_copyreg_extension_is_reported(tmp_path):
    file = tmp_path / "m.pkl"
    file.write_bytes(b"\x80\x02\x82\x07.")  # EXT1 7: the extension with the code 7 of copyreg
    assert read_imports(file).other_names == ("copyreg extension 7",)


def test_unknown_path_is_refused(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"hello world, this is text")
    for path, why in (
        (tmp_path, "contains x.bin"),
        (tmp_path / "x.bin", "first bytes are 68 65"),
        (tmp_path / "y", "does not exist"),
    ):
        with pytest.raises(ModelError, match=why):
            describe_checkpoint(path)


def test_inspect_prints_the_kind_and_the_warnings(tmp_path):
    load("inspect")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil()))
    output = CliRunner().invoke(app, ["inspect", str(tmp_path / "evil.pt")]).output
    assert output.startswith(f"{tmp_path}/evil.pt: ") and "  careful: " in output
    assert "parameters: " not in output


def test_runs_without_any_run_shows_the_folder_and_deletes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    load("runs")
    assert CliRunner().invoke(app, ["runs"]).output == f"no runs yet in {tmp_path}/advisor/runs\n"
    assert CliRunner().invoke(app, ["runs", "prune", "--yes"]).stderr == "nothing deleted\n"
