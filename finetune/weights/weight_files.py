"""Describe one weight file from its bytes."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from finetune.errors import ModelError
from finetune.weights.description import CheckpointDescription
from finetune.weights.gguf import read_header as read_gguf
from finetune.weights.json_files import describe_kind, read_object
from finetune.weights.pickles import TORCHSCRIPT, Imports, read_imports
from finetune.weights.safetensors_header import MAX_HEADER_BYTES, count_parameters, read_header

# The errors of malformed files: not JSON, or JSON whose values have unexpected types.
READ_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, OSError)
_TORCH_LEGACY = bytes.fromhex("80028a0a6cfc9c46f920")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_KERAS_CODE = (
    "it may run code when loaded: Keras runs the Lambda layers of an .h5 file, and of a .keras file without "
    "safe_mode"
)
_NEMO_CODE = (
    "treat it as a file that runs code when loaded: its weights are pickles, and its model_config.yaml names "
    "classes to create"
)
# The first bytes of a format → its kind, how to convert it, and its warning.
_FORMATS = {
    b"\x89HDF\r\n\x1a\n": (
        "HDF5 file (Keras or TensorFlow weights)",
        "tf_model.h5: from_pretrained(folder, from_tf=True) with transformers 4, then save_pretrained",
        _KERAS_CODE,
    ),
    **dict.fromkeys(
        (b"tjgg", b"fmgg", b"lmgg"),
        (
            "GGML file, older than GGUF",
            "llama.cpp's convert_llama_ggml_to_gguf.py writes GGUF; today's programs cannot read it",
            "",
        ),
    ),
    **dict.fromkeys(
        (b"MZ", b"\x7fELF"),
        (
            "executable program (for example a llamafile)",
            "a llamafile is a ZIP file too: unzip takes its GGUF file out",
            "it is a program, which runs code when started",
        ),
    ),
    **dict.fromkeys(
        (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"(\xb5/\xfd"),
        (
            "compressed file",
            "decompress it, then inspect what it contains",
            "treat it as a file that runs code: advisor does not look into compressed files",
        ),
    ),
}


def describe_file(path: Path) -> CheckpointDescription:
    """Describe a file by its bytes; its extension only tells ONNX and NeMo from other files.

    Raises:
        ModelError: the file is empty or damaged, or has an unknown format.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise ModelError(f"{path} is empty")
    if path.name.endswith(".index.json"):
        return _describe_index(path)
    description = _describe_tensors(path, head) or _describe_format(path, head)
    if description is None:
        return _describe_pickle(path, head)
    imports = read_imports(path, is_pickle=False)
    names = imports.tensor_names + imports.other_names
    if names:
        warning = f"it runs code if a program loads it as a pickle: it imports {', '.join(names)}"
        return replace(description, warnings=(*description.warnings, warning))
    return description


def is_lfs_pointer(path: Path) -> bool:
    """Return whether a file is a Git LFS pointer instead of the weights."""
    with path.open("rb") as file:
        return file.read(len(_LFS_POINTER)) == _LFS_POINTER


def describe_imports(imports: Imports) -> tuple[str, ...]:
    """Return why loading a pickle runs code; in doubt it does."""
    reasons: tuple[str, ...] = ()
    if imports.other_names:
        reasons += (f"it runs code when loaded: it imports {', '.join(imports.other_names)}",)
    if imports.problem:
        reasons += (f"treat it as a file that runs code when loaded: {imports.problem}",)
    return reasons


def read_index(path: Path) -> dict[str, str]:
    """Return the weight map of an index: tensor → name of its shard."""
    weight_map = read_object(path).get("weight_map", {})
    if not isinstance(weight_map, dict):
        raise ModelError(f"{path}: weight_map is {describe_kind(weight_map)}, not an object")
    return {str(tensor): str(name) for tensor, name in weight_map.items()}


def compare_index(folder: Path, weight_map: dict[str, str]) -> tuple[str, ...]:
    """Name the shards and tensors of an index that are missing, and tensors that it does not list."""
    names = sorted(set(weight_map.values()))
    missing = [name for name in names if not _is_inside(folder, name)]
    warnings = [f"missing: {', '.join(missing)}"] if missing else []
    for name in names:
        if name in missing or not name.endswith(".safetensors") or is_lfs_pointer(folder / name):
            continue
        tensors = set(read_header(folder / name).tensors)
        listed_tensors = {tensor for tensor, shard in weight_map.items() if shard == name}
        if listed_tensors - tensors:
            warnings.append(f"{name} does not contain {_shorten(listed_tensors - tensors)}")
        if tensors - listed_tensors:
            warnings.append(
                f"{name} contains tensors that the index omits: {_shorten(tensors - listed_tensors)}"
            )
    return tuple(warnings)


def _is_inside(folder: Path, name: str) -> bool:
    return Path(name).name == name and (folder / name).is_file()


def _shorten(names: Iterable[str], count: int = 5) -> str:
    names = sorted(names)
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def _describe_index(path: Path) -> CheckpointDescription:
    weight_map = read_index(path)
    names = sorted(set(weight_map.values()))
    warnings = compare_index(path.parent, weight_map)
    shards = [path.parent / n for n in names if n.endswith(".safetensors") and _is_inside(path.parent, n)]
    is_whole = len(shards) == len(names) > 0 and not warnings and not any(map(is_lfs_pointer, shards))
    parameters, dtypes = count_parameters(shards) if is_whole else (None, {})
    return CheckpointDescription(
        f"index of {len(names)} weight files", parameters, dtypes, {"files": str(len(names))}, "transformers",
        "", warnings,
    )  # fmt: skip


def _describe_tensors(path: Path, head: bytes) -> CheckpointDescription | None:
    if head.startswith(b"GGUF"):
        header = read_gguf(path)
        return CheckpointDescription(
            f"GGUF, version {header.version}", header.parameters, header.dtypes,
            {k: v for k, v in header.details.items() if v},
            "llama.cpp; transformers (gguf_file=) for some architectures",
            "AutoModelForCausalLM.from_pretrained(folder, gguf_file=name), then save_pretrained; this does "
            "not restore the precision that the quantisation lost",
        )  # fmt: skip
    if head.startswith(_LFS_POINTER):
        return CheckpointDescription(
            "Git LFS pointer, not the weights",
            convert="run `git lfs pull` in its repository, then inspect it again",
        )
    has_header = len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] > 1
    is_short = has_header and struct.unpack("<Q", head[:8])[0] <= MAX_HEADER_BYTES
    if not is_short and not (path.suffix == ".safetensors" and not head.startswith((b"PK", b"\x80"))):
        return None
    metadata = read_header(path).metadata
    parameters, dtypes = count_parameters([path])
    details = {"format": metadata["format"]} if "format" in metadata else {}
    return CheckpointDescription(
        "safetensors file", parameters, dtypes, details,
        "any program that knows the model's architecture",
        "put it into one folder with its config.json and tokenizer files",
    )  # fmt: skip


def _describe_format(path: Path, head: bytes) -> CheckpointDescription | None:
    if path.suffix == ".nemo" and tarfile.is_tarfile(path):
        return CheckpointDescription(
            "NeMo archive", readers="NVIDIA NeMo",
            convert="tar -xf FILE, inspect its model_weights.ckpt; then NeMo's convert_*_nemo_to_hf.py",
            warnings=(_NEMO_CODE,),
        )  # fmt: skip
    if path.suffix == ".onnx" and head.startswith(b"\x08"):
        return CheckpointDescription(
            "ONNX graph", readers="ONNX Runtime",
            convert="no conversion: it is exported for inference; use the model that it was exported from",
        )  # fmt: skip
    if zipfile.is_zipfile(path) and head.startswith(b"PK"):
        return _describe_zip(path)
    for magic, (kind, convert, warning) in _FORMATS.items():
        if head.startswith(magic):
            return CheckpointDescription(kind, convert=convert, warnings=(warning,) if warning else ())
    return None


def _describe_zip(path: Path) -> CheckpointDescription | None:
    """Describe a ZIP file that is not torch's; None if it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError):
        return None  # damaged: read as a pickle, with what is left of its members
    if "model.weights.h5" in names:
        return CheckpointDescription(
            "Keras archive", readers="Keras 3", convert="no conversion: rebuild the model in torch",
            warnings=(_KERAS_CODE,),
        )  # fmt: skip
    return None


def _describe_pickle(path: Path, head: bytes) -> CheckpointDescription:
    imports = read_imports(path)
    names = imports.tensor_names + imports.other_names
    is_zip = head.startswith(b"PK\3\4")
    if imports.problem and not names and not is_zip and not zipfile.is_zipfile(path) and head[:1] != b"\x80":
        raise ModelError(f"{path} has an unknown format (its first bytes are {head[:8].hex(' ')})")
    kind = "PyTorch zip" if is_zip else "plain pickle"
    if head.startswith(_TORCH_LEGACY):
        kind = "PyTorch legacy pickle"
    elif head.startswith(b"\x93NUMPY") or path.suffix == ".npz":
        kind = "NumPy arrays"
    elif TORCHSCRIPT in imports.problem:
        kind = "TorchScript program"
    if kind == "NumPy arrays" and imports == Imports((), ()):
        return CheckpointDescription(
            kind, readers="NumPy", convert="numpy.load(…, allow_pickle=False); then save_file"
        )
    details = {"imports": ", ".join(imports.tensor_names) or "none of those that tensors need"}
    if imports.other_names:
        details["imports beyond tensors"] = ", ".join(imports.other_names)
    warnings = (
        "it is a program; advisor read only its opcodes and did not load it",
        *describe_imports(imports),
    )
    convert = "no conversion, because the file contains more than tensors"
    if imports.has_only_tensors:
        convert = (
            "torch.load(…, weights_only=True) with torch 2.10 or newer, in a separate process; then save_file"
        )
    return CheckpointDescription(kind, None, {}, details, "torch", convert, warnings)
