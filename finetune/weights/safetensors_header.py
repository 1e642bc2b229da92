"""The header of a safetensors file: types and shapes of its tensors, without the weights.

Format: github.com/huggingface/safetensors. The tensors fill the rest of the file without a gap or an overlap.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from finetune.errors import ModelError

MAX_HEADER_BYTES = 100 * 10**6
# The errors of malformed files: not JSON, or JSON whose values have unexpected types.
_READ_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, OSError)
_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32,
    "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file.

    Attributes:
        tensors: name → type and number of its parameters.
        metadata: texts that the writer added, for example `format`.
    """

    tensors: Mapping[str, tuple[str, int]]
    metadata: Mapping[str, str]


def count_parameters(paths: Iterable[Path]) -> tuple[int, dict[str, int]]:
    """Return the parameters of safetensors files, in total and by dtype.

    Raises:
        ModelError: a header does not match its file.
    """
    counts: Counter[str] = Counter()
    for path in paths:
        for dtype, count in read_header(path).tensors.values():
            counts[dtype] += count
    return sum(counts.values()), dict(counts)


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file and compare it with the bytes of the file.

    Raises:
        ModelError: the header cannot be read, or does not fit the bytes.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size - 8, MAX_HEADER_BYTES):
                raise ModelError(
                    f"{path} is truncated or damaged: a header of {length} bytes in {size} bytes"
                )
            entries: dict[str, Any] = json.loads(file.read(length))
        metadata = {str(k): str(v) for k, v in (entries.pop("__metadata__", None) or {}).items()}
        tensors = {name: (str(t["dtype"]), prod(map(int, t["shape"]))) for name, t in entries.items()}
        ranges = {name: (int(t["data_offsets"][0]), int(t["data_offsets"][1])) for name, t in entries.items()}
    except (*_READ_ERRORS, struct.error):
        raise ModelError(f"safetensors file {path} is damaged: cannot read its header") from None
    end = 0
    for name, (start, stop) in sorted(ranges.items(), key=lambda item: item[1]):
        dtype, count = tensors[name]
        bits = _BITS.get(dtype)
        if start != end or stop < start or (bits is not None and (stop - start) * 8 != count * bits):
            raise ModelError(
                f"{path} is damaged: its header gives tensor {name} the bytes {start} to {stop} for {count} "
                f"numbers of type {dtype}, after a tensor that ends at {end}"
            )
        end = stop
    if 8 + length + end != size:
        raise ModelError(f"{path} is truncated or damaged: expected {8 + length + end} bytes, found {size}")
    return Header(tensors, metadata)
