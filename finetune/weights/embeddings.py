"""Lengths of the rows of a model's input embedding, read from safetensors without torch.

Numpy has no bfloat16, so safetensors' own reader needs torch for it, which takes seconds to import. A
bfloat16 is the upper half of a float32, so numpy reads it as such. Only the rows asked for are read.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NAMES = ("embed_tokens.weight", "wte.weight")
_DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def embedding(files: Sequence[Path]) -> NDArray[np.generic] | None:
    """The input embedding (tokens x width), mapped; bfloat16 as its 16 bits. None where there is none."""
    import numpy as np

    for path in files:
        with path.open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(length))
        for name, told in header.items():
            if name.endswith(_NAMES) and told["dtype"] in _DTYPES:
                start = 8 + length + told["data_offsets"][0]
                shape = tuple(told["shape"])
                return np.memmap(path, _DTYPES[told["dtype"]], "r", start, shape)
    return None


def norms(rows: NDArray[np.generic]) -> NDArray[np.float64]:
    """Euclidean length of each row of `embedding`."""
    import numpy as np

    wide = (rows.astype("<u4") << 16).view("<f4") if rows.dtype == np.dtype("<u2") else rows
    return np.asarray(np.linalg.norm(np.asarray(wide, dtype=np.float64), axis=1))
