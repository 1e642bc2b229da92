"""The header of a GGUF file: metadata and list of tensors, without the weights.

Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md. The reader stores only the first items of an
array, such as the vocabulary.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import SEEK_END
from math import prod
from pathlib import Path
from typing import IO, Any

from finetune.errors import ModelError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_ITEMS = 8
_MAX_COUNT = 10**7
_ALIGNMENT = 32
# Type → its name, and how many parameters are in how many bytes (the gguf package's GGML_QUANT_SIZES).
_DTYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8),
    28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """The header of a GGUF file.

    Attributes:
        version: of the format.
        parameters: number of all parameters.
        dtypes: name → number of parameters.
        metadata: key → value; arrays have at most 8 items.
    """

    version: int
    parameters: int
    dtypes: Mapping[str, int]
    metadata: Mapping[str, Any]

    @property
    def details(self) -> dict[str, str]:
        """The most useful metadata, as text."""
        family = str(self.metadata.get("general.architecture", "?"))
        return {
            "architecture": family,
            "name": str(self.metadata.get("general.name", "")),
            "context": str(self.metadata.get(f"{family}.context_length", "")),
            "tokenizer": str(self.metadata.get("tokenizer.ggml.model", "none")),
            "chat template": "yes" if self.metadata.get("tokenizer.chat_template") else "none",
        }


def read_header(path: Path) -> Header:
    """Read the header of a GGUF file.

    Raises:
        ModelError: the file is truncated or big-endian, its version is unknown, or its header does not fit.
    """
    try:
        with path.open("rb") as file:
            return _read_header(file)
    except (struct.error, EOFError, KeyError, ValueError, OverflowError, RecursionError) as error:
        raise ModelError(f"GGUF file {path} is damaged: {error}") from None


def _read_header(file: IO[bytes]) -> Header:
    file.seek(4)
    version, tensors, entries = struct.unpack("<IQQ", _read_bytes(file, 20))
    if version not in (2, 3) or max(tensors, entries) > _MAX_COUNT:
        raise ValueError(f"unknown version {version}, or too many tensors ({tensors})")
    metadata = {}
    for _ in range(entries):
        key = _read_text(file)
        metadata[key] = _read_value(file, struct.unpack("<I", _read_bytes(file, 4))[0])
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"alignment {alignment} is not a positive number")
    dtypes: Counter[str] = Counter()
    ranges = []  # of the tensors, from the start of their bytes
    for _ in range(tensors):
        tensor = _read_text(file)
        edges = struct.unpack("<I", _read_bytes(file, 4))[0]
        count = prod(struct.unpack(f"<{edges}Q", _read_bytes(file, 8 * edges)))
        kind, offset = struct.unpack("<IQ", _read_bytes(file, 12))
        dtype, block, size = _DTYPES.get(kind, (f"type {kind}", 1, 0))  # an unknown type has an unknown size
        if count % block or offset % alignment:
            raise ValueError(f"tensor {tensor} has {count} parameters of type {dtype} at offset {offset}")
        dtypes[dtype] += count
        ranges.append((offset, offset + count // block * size if kind in _DTYPES else offset + 1, tensor))
    end = 0
    for start, stop, tensor in sorted(ranges):
        if start < end:
            raise ValueError(f"tensor {tensor} at {start} overlaps the tensor before it")
        end = stop
    _check_size(file, _pad(file.tell(), alignment) if tensors else file.tell(), end, alignment, dtypes)
    return Header(version, sum(dtypes.values()), dict(dtypes), metadata)


def _pad(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _check_size(file: IO[bytes], start: int, end: int, alignment: int, dtypes: Mapping[str, int]) -> None:
    """Compare the size of the file with the tensors of its header.

    A writer may pad the last tensor. The size of an unknown type is unknown, so bytes may follow it.
    """
    size = file.seek(0, SEEK_END)
    if size < start + end:
        raise EOFError(f"expected {start + end} bytes, found {size}")
    if size > _pad(start + end, alignment) and not any(name.startswith("type ") for name in dtypes):
        raise ValueError(f"{size - start - end} bytes follow its last tensor")


def _read_bytes(file: IO[bytes], size: int) -> bytes:
    if size > _MAX_COUNT * 10:
        raise ValueError(f"a field has {size} bytes, which is too large")
    content = file.read(size)
    if len(content) != size:
        raise EOFError("it ends inside its header")
    return content


def _read_text(file: IO[bytes]) -> str:
    return _read_bytes(file, struct.unpack("<Q", _read_bytes(file, 8))[0]).decode("utf-8", "replace")


def _read_value(file: IO[bytes], kind: int) -> Any:
    if kind == _STRING:
        return _read_text(file)
    if kind != _ARRAY:
        form = "<" + _SCALARS[kind]
        return struct.unpack(form, _read_bytes(file, struct.calcsize(form)))[0]
    inner, length = struct.unpack("<IQ", _read_bytes(file, 12))
    values = []
    for n in range(length):
        value = _read_value(file, inner)
        if n < _MAX_ITEMS:
            values.append(value)
    return values
