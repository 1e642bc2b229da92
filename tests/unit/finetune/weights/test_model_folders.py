"""A folder is named with how to convert it, what is missing in it, and what in it runs code."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from finetune.errors import ModelError
from finetune.weights.checkpoints import describe_checkpoint

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:abcd\nsize 123456\n"
ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}


def tensors(*names, size=8, dtype="F32", width=4, metadata=None):
    """Return a safetensors file with vectors of ``size`` numbers."""
    header = {
        name: {"dtype": dtype, "shape": [size], "data_offsets": [n * size * width, (n + 1) * size * width]}
        for n, name in enumerate(names)
    }
    text = json.dumps({**header, **({"__metadata__": metadata} if metadata else {})}).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * (size * width * len(names))


def index(**weight_map):
    return json.dumps({"weight_map": weight_map}).encode()


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return describe_checkpoint(folder)


def test_consolidated_weights_beside_shards_count_once(tmp_path):
    files = {
        "config.json": CONFIG,
        ONE: tensors("a"),
        TWO: tensors("b"),
        "consolidated.safetensors": tensors("x", "y"),
    }
    without_index = write(tmp_path, files)
    with_index = write(tmp_path, {"model.safetensors.index.json": index(a=ONE, b=TWO)})
    for checkpoint in (without_index, with_index):
        assert checkpoint.parameters == 16
        assert checkpoint.details["not counted"].startswith("consolidated.safetensors")


def test_consolidated_weights_alone_count(tmp_path):
    files = {"config.json": CONFIG, "consolidated.safetensors": tensors("x", "y")}
    assert write(tmp_path, files).parameters == 16


def test_missing_shards_and_tensors_are_named(tmp_path):
    files = {
        "config.json": CONFIG,
        ONE: tensors("a", "z"),
        "model.safetensors.index.json": index(a=ONE, b=TWO, c=ONE),
    }
    checkpoint = write(tmp_path, files)
    assert checkpoint.parameters is None
    assert checkpoint.warnings == (
        f"missing: {TWO}", f"{ONE} does not contain c", f"{ONE} contains tensors that the index omits: z",
    )  # fmt: skip


def test_missing_pickled_shard_is_named(tmp_path):
    files = {
        "config.json": CONFIG,
        "pytorch_model.bin.index.json": index(a="pytorch_model-00001-of-00001.bin"),
    }
    assert "missing: pytorch_model-00001-of-00001.bin" in write(tmp_path, files).warnings


@pytest.mark.parametrize("entries", [
    {"a": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 16]}},  # 1,000 numbers in 16 bytes
    {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
     "b": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}},  # one pair of numbers for two tensors
    {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}},  # a gap that nobody reads
    {"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}},
], ids=["shape", "overlap", "gap", "backwards"])  # fmt: skip
def test_safetensors_header_that_does_not_fit_is_damaged(tmp_path, entries):
    text = json.dumps(entries).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 16)
    with pytest.raises(ModelError, match="damaged"):
        describe_checkpoint(tmp_path / "m.safetensors")


@pytest.mark.parametrize("content", [struct.pack("<Q", 2**40) + b"{}", b"", b"hello"])
def test_a_file_that_is_no_safetensors_file_is_damaged(tmp_path, content):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged|empty"):
        describe_checkpoint(tmp_path / "m.safetensors")


def test_fp8_and_fp4_weights_fit(tmp_path):
    for dtype, bits in (("F8_E4M3", 8), ("F4", 4)):
        text = json.dumps({"a": {"dtype": dtype, "shape": [16], "data_offsets": [0, 2 * bits]}}).encode()
        (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 2 * bits)
        assert describe_checkpoint(tmp_path / "m.safetensors").dtypes == {dtype: 16}


QUANTISED = {
    "GPTQ": ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "l.qweight", "gptqmodel"),
    "AWQ": ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "l.qweight", "gptqmodel"),
    "MLX": ({"quantization": {"group_size": 64, "bits": 4}}, "l.weight", "mlx_lm.convert"),
    "BITSANDBYTES": ({"quantization_config": {"quant_method": "bitsandbytes"}}, "l.weight", "dequantize()"),
}


@pytest.mark.parametrize("method", sorted(QUANTISED))
def test_quantised_model_is_named_and_its_packed_numbers_are_no_parameters(tmp_path, method):
    config, tensor, convert = QUANTISED[method]
    files = {"config.json": CONFIG | config, "model.safetensors": tensors(tensor, dtype="I32")}
    checkpoint = write(tmp_path, files)
    assert checkpoint.kind.endswith(f"quantised with {method}")
    assert convert in checkpoint.convert and checkpoint.parameters is None
    assert checkpoint.details["numbers in its files"].startswith("8 ")


def test_gptq_without_a_word_in_the_config_is_recognised(tmp_path):
    by_tensor = write(
        tmp_path, {"config.json": CONFIG, "model.safetensors": tensors("l.qweight", dtype="I32")}
    )
    assert by_tensor.kind.endswith("quantised with GPTQ")


LORA = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "base_model_name_or_path": "b"}
FOLDERS = {
    "PEFT adapter": ({"adapter_config.json": LORA, "adapter_model.bin": pickle.dumps({})}, "save_pretrained"),
    "MLX adapter": (
        {"adapter_config.json": {"fine_tune_type": "lora", "lora_parameters": {"rank": 8}, "model": "m"},
         "adapters.safetensors": tensors("l.lora_a")}, "mlx_lm.fuse"),
    "DeepSpeed checkpoint": (
        {"latest": b"global_step10", "global_step10/mp_rank_00_model_states.pt": pickle.dumps({})}, "zero_to_fp32"),
    "torch distributed checkpoint (DCP, from FSDP)": (
        {".metadata": pickle.dumps({}), "__0_0.distcp": pickle.dumps({})}, "dcp_to_torch"),
    "diffusers LoRA": ({"pytorch_lora_weights.safetensors": tensors("a")}, "no text model"),
    "diffusers pipeline": ({"model_index.json": {}}, "no text model"),
    "TensorFlow SavedModel": ({"saved_model.pb": b"\x08"}, "no conversion"),
    "safetensors files without config.json": ({"model.safetensors": tensors("a")}, "config.json"),
    "folder of GGUF files": ({"m.gguf": b"GGUF"}, "inspect one"),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(FOLDERS))
def test_folder_is_named_with_how_to_convert_it(tmp_path, kind):
    files, convert = FOLDERS[kind]
    checkpoint = write(tmp_path, files)
    assert checkpoint.kind == kind
    assert convert in checkpoint.convert


def archive_of(kind, names):
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as archive:
            for name in names:
                archive.writestr(name, "{}")
    else:
        with tarfile.open(fileobj=stream, mode=kind) as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return stream.getvalue()


def array(value):
    stream = io.BytesIO()
    np.save(stream, value)
    return stream.getvalue()


FILES = {
    "m.onnx": (b"\x08\x08\x12\x07pytorch", "ONNX graph", "no conversion"),
    "m.nemo": (archive_of("w:gz", ["model_config.yaml"]), "NeMo archive", "model_weights.ckpt"),
    "n.nemo": (archive_of("w:", ["model_config.yaml"]), "NeMo archive", "model_weights.ckpt"),
    "m.h5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "HDF5 file (Keras or TensorFlow weights)", "from_tf=True"),
    "m.keras": (archive_of("zip", ["config.json", "model.weights.h5"]), "Keras archive", "rebuild"),
    "m.bin": (b"tjgg" + b"\0" * 40, "GGML file, older than GGUF", "convert_llama_ggml_to_gguf.py"),
    "llamafile": (b"MZqFpD='\n" + b"\0" * 99, "executable program (for example a llamafile)", "unzip"),
    "m.pt.gz": (b"\x1f\x8b\x08", "compressed file", "decompress"),
    "m.npy": (array(np.zeros(3)), "NumPy arrays", "allow_pickle=False"),
    "m.safetensors": (LFS, "Git LFS pointer, not the weights", "git lfs pull"),
    "x.bin": (LFS, "Git LFS pointer, not the weights", "git lfs pull"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FILES))
def test_file_is_named_with_how_to_convert_it(tmp_path, name):
    content, kind, convert = FILES[name]
    (tmp_path / name).write_bytes(content)
    checkpoint = describe_checkpoint(tmp_path / name)
    assert checkpoint.kind == kind
    assert convert in checkpoint.convert


def test_pointers_in_a_folder_are_no_weights(tmp_path):
    checkpoint = write(tmp_path, {"config.json": CONFIG, "model.safetensors": LFS, "tokenizer.json": LFS})
    assert checkpoint.parameters is None
    assert any("git lfs pull" in w and "model.safetensors, tokenizer.json" in w for w in checkpoint.warnings)


def test_control_characters_and_empty_tensors_do_not_break_the_output(tmp_path):
    load("inspect")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama\x1b[8m\n  careful: nothing"}))
    (tmp_path / "model.safetensors").write_bytes(tensors("a", size=0))
    output = CliRunner().invoke(app, ["inspect", str(tmp_path)]).output
    assert "parameters: 0 (F32 0%)" in output
    assert "\x1b" not in output and "\n  careful: nothing" not in output
