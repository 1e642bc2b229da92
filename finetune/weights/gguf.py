"""The head of a GGUF file: metadata and the list of tensors, read without the weights.

Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md. Long arrays (the vocabulary) are skipped, so
a file of any size is read in milliseconds.
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
_KEPT = 8
_MOST = 10**7
_DTYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 24: "I8", 25: "I16", 26: "I32", 27: "I64",
    28: "F64", 30: "BF16",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What the head says; ``dtypes`` counts parameters."""

    version: int
    parameters: int
    dtypes: Mapping[str, int]
    metadata: Mapping[str, Any]

    @property
    def details(self) -> dict[str, str]:
        """What people ask for."""
        told = self.metadata
        family = str(told.get("general.architecture", "?"))
        return {
            "architecture": family,
            "name": str(told.get("general.name", "")),
            "context": str(told.get(f"{family}.context_length", "")),
            "tokenizer": str(told.get("tokenizer.ggml.model", "none")),
            "chat template": "yes" if told.get("tokenizer.chat_template") else "none",
        }


def read_header(path: Path) -> Header:
    """Read it.

    Raises:
        ModelError: the file is cut off, big-endian or of an unknown version.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (struct.error, EOFError, KeyError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is a damaged GGUF file: {error}") from None


def _read(file: IO[bytes]) -> Header:
    file.seek(4)
    version, tensors, entries = struct.unpack("<IQQ", _take(file, 20))
    if version not in (2, 3) or max(tensors, entries) > _MOST:
        raise ValueError(f"version {version} with {tensors} tensors is not known")
    metadata = {}
    for _ in range(entries):
        key = _text(file)
        metadata[key] = _value(file, struct.unpack("<I", _take(file, 4))[0])
    dtypes: Counter[str] = Counter()
    for _ in range(tensors):
        _text(file)
        edges = struct.unpack("<I", _take(file, 4))[0]
        count = 1
        for edge in struct.unpack(f"<{edges}Q", _take(file, 8 * edges)):
            count *= edge
        kind, _offset = struct.unpack("<IQ", _take(file, 12))
        dtypes[_DTYPES.get(kind, f"type {kind}")] += count
    return Header(version, sum(dtypes.values()), dict(dtypes), metadata)


def _take(file: IO[bytes], size: int) -> bytes:
    if size > _MOST * 10:
        raise ValueError(f"a field of {size} bytes")
    taken = file.read(size)
    if len(taken) != size:
        raise EOFError("it ends in the middle of its head")
    return taken


def _text(file: IO[bytes]) -> str:
    return _take(file, struct.unpack("<Q", _take(file, 8))[0]).decode("utf-8", "replace")


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        form = "<" + _SCALARS[kind]
        return struct.unpack(form, _take(file, struct.calcsize(form)))[0]
    inner, length = struct.unpack("<IQ", _take(file, 12))
    kept = []
    for n in range(length):
        value = _value(file, inner)
        if n < _KEPT:
            kept.append(value)
    return kept
