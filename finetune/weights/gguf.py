"""The header of a GGUF file: metadata and list of tensors, without the weights.

Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md. The reader stores only the first items of an
array, such as the vocabulary.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from finetune.errors import ModelError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_ITEMS = 8
_MAX_COUNT = 10**7
_DTYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 24: "I8", 25: "I16", 26: "I32", 27: "I64",
    28: "F64", 30: "BF16",
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
        ModelError: the file is truncated, big-endian or has an unknown version.
    """
    try:
        with path.open("rb") as file:
            return _read_header(file)
    except (struct.error, EOFError, KeyError, ValueError, RecursionError) as error:
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
    dtypes: Counter[str] = Counter()
    for _ in range(tensors):
        _read_text(file)
        edges = struct.unpack("<I", _read_bytes(file, 4))[0]
        count = 1
        for edge in struct.unpack(f"<{edges}Q", _read_bytes(file, 8 * edges)):
            count *= edge
        kind, _offset = struct.unpack("<IQ", _read_bytes(file, 12))
        dtypes[_DTYPES.get(kind, f"type {kind}")] += count
    return Header(version, sum(dtypes.values()), dict(dtypes), metadata)


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
