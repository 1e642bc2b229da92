"""Checkpoints are told apart by bytes and names; pickles are read and never run."""

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
from finetune.weights.checkpoints import describe
from finetune.weights.pickles import imports


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


def test_a_model_its_file_and_a_damaged_one(model, tmp_path):
    found = describe(model)
    assert found.kind == "model in Hugging Face's layout"
    assert found.details["architecture"] == "LlamaForCausalLM"
    assert found.details["chat template"].startswith("yes")
    alone = describe(model / "model.safetensors")
    assert alone.kind == "safetensors file"
    assert alone.parameters == found.parameters == sum(found.dtypes.values())
    assert set(found.dtypes) == {"F32"}
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((model / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ModelError, match="cut off or damaged"):
        describe(cut)


def test_an_index_with_a_missing_shard(model, tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    assert "missing: one.safetensors, two.safetensors" in describe(index).warnings
    (tmp_path / "one.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    assert describe(index).warnings == ("missing: two.safetensors",)


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_in_a_torch_file_are_harmless(tmp_path, zipped):
    import torch

    weights = collections.OrderedDict(
        w=torch.zeros(3, dtype=torch.bfloat16), p=torch.nn.Parameter(torch.ones(2))
    )
    file = save(tmp_path / "w.pt", weights, _use_new_zipfile_serialization=zipped)
    found = describe(file)
    assert found.kind == ("PyTorch zip" if zipped else "PyTorch legacy pickle")
    assert imports(file).tensors_only
    assert "weights_only=True" in found.convert


@pytest.mark.parametrize("protocol", range(5))
def test_a_pickle_that_would_run_a_command_is_named_and_not_run(tmp_path, protocol):
    from pathlib import Path

    file = tmp_path / "evil.pkl"
    file.write_bytes(pickle.dumps({"weights": [1], "x": Evil()}, protocol=protocol))
    assert imports(file).others == ("posix system",)
    if protocol >= 2:  # older ones begin with no mark of their own
        assert any("posix system" in w for w in describe(file).warnings)
    assert not Path("/tmp/this-must-not-exist-4711").exists()


def test_a_torch_file_with_something_hidden_in_it(tmp_path):
    import torch

    found = describe(save(tmp_path / "e.pt", {"w": torch.zeros(2), "x": Evil()}))
    assert "posix system" in found.details["imports beyond tensors"]
    assert "no conversion" in found.convert


def test_an_import_with_a_computed_name_is_not_allowed(tmp_path):
    # "os" and "system" joined at load time: STACK_GLOBAL with a name that no string holds
    file = tmp_path / "c.pkl"
    file.write_bytes(b"\x80\x04\x8c\x02os)\x93.")
    assert imports(file).others == ("a computed name",)


def test_a_cut_pickle_is_not_called_harmless(tmp_path):
    file = tmp_path / "cut.pkl"
    file.write_bytes(pickle.dumps({"a": [1] * 100})[:-5])
    assert not imports(file).tensors_only


def test_gguf(tmp_path):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    body = b"GGUF" + struct.pack("<IQQ", 3, 2, 3)
    body += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    body += text("llama.context_length") + struct.pack("<II", 4, 8192)
    body += text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 3) + text("a") + text("b") + text("c")
    body += text("w") + struct.pack("<I2QIQ", 2, 32, 4, 3, 0) + text("n") + struct.pack("<IQIQ", 1, 4, 0, 0)
    file = tmp_path / "m.gguf"
    file.write_bytes(body + b"\0" * 64)
    found = describe(file)
    assert (found.parameters, found.dtypes) == (132, {"Q4_1": 128, "F32": 4})
    assert found.details["context"] == "8192"
    file.write_bytes(body[:-30])
    with pytest.raises(ModelError, match="damaged GGUF"):
        describe(file)


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
    assert describe(tmp_path).kind == kind


def test_a_folder_says_what_is_amiss_with_its_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    found = describe(tmp_path)
    assert found.warnings == ("there are no weights",)
    assert found.details["chat template"].startswith("yes")
    (tmp_path / "pytorch_model.bin").touch()
    assert "are pickles (pytorch_model.bin)" in describe(tmp_path).warnings[0]
    index = {"weight_map": {"w": "model-00001-of-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert any("model-00001-of-00001.safetensors" in told for told in describe(tmp_path).warnings)


@pytest.mark.parametrize(("name", "size", "why"), [
    ("readme.txt", 1, "is a zip without a pickle"), ("data.pkl", 300, "data.pkl is too large to be read"),
])  # fmt: skip
def test_a_zip_that_cannot_be_judged_is_not_called_harmless(tmp_path, monkeypatch, name, size, why):
    monkeypatch.setattr(pickles, "_MOST_BYTES", 200)
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr(name, b"0" * size)
    found = imports(tmp_path / "m.pt")
    assert (found.why, found.tensors_only) == (why, False)


def test_a_registered_extension_is_an_import_that_is_not_allowed(tmp_path):
    file = tmp_path / "m.pkl"
    file.write_bytes(b"\x80\x02\x82\x07.")  # EXT1 7: whatever copyreg has under 7 there
    assert imports(file).others == ("copyreg extension 7",)


def test_nothing_known(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"hello world, this is text")
    for path, why in (
        (tmp_path, "holds x.bin"),
        (tmp_path / "x.bin", "begins with 68 65"),
        (tmp_path / "y", "nothing at"),
    ):
        with pytest.raises(ModelError, match=why):
            describe(path)


def test_the_command_says_what_it_knows_and_warns(tmp_path):
    load("inspect")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil()))
    told = CliRunner().invoke(app, ["inspect", str(tmp_path / "evil.pt")]).output
    assert told.startswith(f"{tmp_path}/evil.pt: ") and "  careful: " in told
    assert "parameters: " not in told


def test_where_there_are_no_runs_the_place_is_named_and_nothing_is_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    load("runs")
    assert CliRunner().invoke(app, ["runs"]).output == f"no runs yet in {tmp_path}/advisor/runs\n"
    assert CliRunner().invoke(app, ["runs", "prune", "--yes"]).stderr == "nothing deleted\n"
