"""Attacks by a weight file: whatever `torch.load` runs, `inspect` says that it runs code, and runs nothing.

The corpus is written as opcodes. Its ideas are the public cases of fickling and picklescan: an import that is
hidden from a reader of one member, one pickle, one name or one format. The payload makes a folder.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from finetune.errors import ModelError
from finetune.weights.checkpoints import describe_checkpoint
from finetune.weights.pickles import read_imports


class Payload:
    """A value whose unpickling makes the folder `ran`."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def call(protocol=2):
    return pickle.dumps(Payload(), protocol=protocol)


def saved(value, **options):
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


WEIGHTS = {"w": torch.ones(3)}
START = b"".join(
    pickle.dumps(value, protocol=2)
    for value in (torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {"little_endian": True})
)  # fmt: skip
GLOBAL = b"cposix\nmkdir\n"
ARGUMENT = b"(S'ran'\ntR"


def rewritten(content, *, rename=str, add=()):
    """Return a torch zip with other names of its members, and more members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        for member in source.infolist():
            target.writestr(rename(member.filename), source.read(member))
        for name, value in add:
            target.writestr(name, value)
    return stream.getvalue()


def with_wrong_checksum(content):
    """Return a zip whose evil member has another checksum than its bytes; torch does not compare them."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        wrong = struct.pack("<L", archive.getinfo("archive/data.pkl").CRC)
    return content.replace(wrong, b"\1\2\3\4")


def marked_as_encrypted(content):
    """Return a zip whose members are marked as encrypted, which torch ignores and zipfile refuses."""
    data = bytearray(content)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        position = data.find(signature)
        while position >= 0:
            data[position + offset] |= 1
            position = data.find(signature, position + 4)
    return bytes(data)


def hidden_behind_a_frame():
    """Return a pickle whose frame hides harmless pickles; some unpicklers go on behind the frame."""
    magic = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)[2:]
    decoys = pickle.dumps(1001, protocol=2) * 4
    return b"\x80\4\x95" + struct.pack("<Q", len(magic + decoys)) + magic + decoys + call()


def tar_of(**members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def objects(*, is_archive):
    stream = io.BytesIO()
    (np.savez if is_archive else np.save)(stream, np.array([Payload()], dtype=object))
    return stream.getvalue()


def safetensors_and_pickle():
    """Return a valid safetensors file that is a valid pickle too.

    The length of the header starts with B (BINBYTES), whose argument ends inside a text of the header. There,
    U (SHORT_BINSTRING) steps to the bytes of the tensor, which are the payload.
    """
    data = call()
    tail = b'"},"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (len(data), len(data))
    steps = 40
    length = 0x42 + 256 * steps
    landing = 5 + steps
    header = b'{"__metadata__":{"k":"'.ljust(landing - 8, b"a")
    room = length - len(header)
    while room > 128:
        step = min(126, room - len(tail) - 4)
        header += b"U" + bytes([step]) + b"a" * step
        room = length - len(header)
    header += (b"U" + bytes([room - 2])).ljust(room - len(tail), b"a") + tail
    assert len(header) == length and isinstance(json.loads(header), dict)
    return struct.pack("<Q", length) + header + data


EVIL = saved({"a": Payload(), **WEIGHTS})
OLD = saved({"a": Payload(), **WEIGHTS}, _use_new_zipfile_serialization=False)
HARMLESS = saved(WEIGHTS)
# Files that torch.load runs, which these tests show.
RUNS = {
    "zip": EVIL,
    "legacy": OLD,
    **{f"protocol {n}": call(n) for n in range(6)},
    "GLOBAL": GLOBAL + ARGUMENT + b".",
    "INST": b"(S'ran'\niposix\nmkdir\n.",
    "OBJ": b"(" + GLOBAL + b"S'ran'\no.",
    "STACK_GLOBAL of the memo": b"\x80\4\x8c\5posix\x94\x8c\5mkdir\x940h\0h\1\x93" + ARGUMENT + b".",
    "STACK_GLOBAL below decoys": (
        b"\x80\4\x8c\5posix\x8c\5mkdir\x8c\x0bcollections\x8c\x0bOrderedDict00\x93" + ARGUMENT + b"."
    ),
    "zip behind a legacy file": OLD + rewritten(HARMLESS),
    "zip behind a pickle": call() + rewritten(HARMLESS),
    "broken opcode": call()[:-1] + b"\xff",
    "broken opcode in the fourth pickle": START + call()[:-1] + b"\xff",
    "cut after the call": GLOBAL + ARGUMENT,
    "result dropped": START + call()[:-1] + b"0}.",
    "second pickle": pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2) + call(),
    "fifth pickle": START + pickle.dumps({}, protocol=2) + call(),
    "other case": rewritten(
        EVIL, rename=lambda n: n.replace("data.pkl", "data.PKL"), add=[("archive/zz.pkl", pickle.dumps({}))]
    ),
    "wrong checksum": with_wrong_checksum(EVIL),
    "tar": tar_of(storages=call(), tensors=pickle.dumps(0), pickle=pickle.dumps({})),
    "valid safetensors file": safetensors_and_pickle(),
}  # fmt: skip
# Files that other programs than torch.load run.
IN_DOUBT = {
    "another member": rewritten(HARMLESS, add=[("archive/weights.bin", call())]),
    "a member without a pickle's name, computed import": rewritten(
        HARMLESS, add=[("archive/x", b"\x80\x04\x8c\x05posix)\x93.")]
    ),
    "a pickle in the place of numbers": rewritten(HARMLESS, add=[("archive/data/7", call())]),
    "a zip in a zip": rewritten(HARMLESS, add=[("archive/inner.pt", EVIL)]),
    "encrypted": marked_as_encrypted(EVIL),
    "two members of one name": rewritten(HARMLESS, add=[("archive/DATA.pkl", pickle.dumps({}))]),
    "two lists of members": HARMLESS + rewritten(HARMLESS),
    "list of members cut": EVIL[:-30],
    "TorchScript": rewritten(HARMLESS, add=[("archive/constants.pkl", pickle.dumps(()))]),
    "behind a frame": hidden_behind_a_frame(),
    "copyreg extension": b"\x80\2\x82\7.",
    "second pickle of a plain file": pickle.dumps({}) + call(),
    "NumPy objects": objects(is_archive=False),
    "NumPy archive of objects": objects(is_archive=True),
}  # fmt: skip


def says_that_it_runs_code(path):
    try:
        checkpoint = describe_checkpoint(path)
    except ModelError:  # refused: no all-clear
        return False
    return any("runs code" in warning for warning in checkpoint.warnings)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("attack", sorted(RUNS))
def test_what_torch_load_runs_is_said_and_not_run(folder, attack):
    file = folder / "weights.bin"
    file.write_bytes(RUNS[attack])
    assert says_that_it_runs_code(file)
    imports = read_imports(file)
    assert not imports.has_only_tensors
    assert not (folder / "ran").exists()
    with contextlib.suppress(Exception):
        torch.load(file, weights_only=False)
    assert (folder / "ran").exists(), "the attack has no effect, so it shows nothing"


@pytest.mark.parametrize("attack", sorted(IN_DOUBT))
def test_in_doubt_it_runs_code(folder, attack):
    file = folder / "weights.bin"
    file.write_bytes(IN_DOUBT[attack])
    assert says_that_it_runs_code(file)
    assert not read_imports(file).has_only_tensors
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    "name", ["a.pt", "global_step1/mp_rank_00_model_states.pt", "optimizer.pt", "no_extension"]
)
def test_folder_names_the_file_that_runs_code(folder, name):
    (folder / "config.json").write_text("{}")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(EVIL)
    warnings = describe_checkpoint(folder).warnings
    assert any(w.startswith(name) and "runs code" in w and "posix mkdir" in w for w in warnings)


@pytest.mark.parametrize(("file", "settings", "name"), [
    ("config.json", {"auto_map": {"AutoModelForCausalLM": "modeling_x.X"}}, "modeling_x.X"),
    ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["tokenization_x.T", None]}}, "tokenization_x.T"),
    ("config.json", {"custom_pipelines": {"chat": {"impl": "pipe.P"}}}, "pipe.P"),
    ("modules.json", [{"path": "", "type": "custom_st.Transformer"}], "custom_st.Transformer"),
])  # fmt: skip
def test_code_of_the_models_own_is_named(folder, file, settings, name):
    (folder / "config.json").write_text("{}")
    (folder / file).write_text(json.dumps(settings))
    warnings = describe_checkpoint(folder).warnings
    assert any("runs code" in w and file in w and name in w for w in warnings)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
)
@pytest.mark.parametrize("is_zip", [True, False])
def test_honest_tensors_do_not_run_code(folder, dtype, is_zip):
    torch.manual_seed(0)
    numbers = {f"n{i}": (torch.randn(64, 64) * 50).to(dtype) for i in range(20)}
    file = folder / "weights.bin"
    file.write_bytes(
        saved({**numbers, "ones": torch.ones(99, dtype=dtype)}, _use_new_zipfile_serialization=is_zip)
    )
    assert read_imports(file).has_only_tensors
    assert not says_that_it_runs_code(file)
