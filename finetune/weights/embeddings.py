"""Read the rows of a model's input embedding from safetensors, without torch.

The reader of safetensors needs torch for bfloat16, because numpy has no bfloat16, and torch takes seconds
to import. A bfloat16 is the upper half of a float32, so numpy can read it. Only the needed rows are read.
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


def read_embedding(files: Sequence[Path]) -> NDArray[np.generic] | None:
    """Return the mapped input embedding (tokens x width); bfloat16 as its 16 bits.

    Return None if the files have no embedding.
    """
    import numpy as np

    for path in files:
        with path.open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(length))
        for name, tensor in header.items():
            if name.endswith(_NAMES) and tensor["dtype"] in _DTYPES:
                start = 8 + length + tensor["data_offsets"][0]
                shape = tuple(tensor["shape"])
                return np.memmap(path, _DTYPES[tensor["dtype"]], "r", start, shape)
    return None


def compute_norms(rows: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the Euclidean length of each row of an embedding."""
    import numpy as np

    wide = (rows.astype("<u4") << 16).view("<f4") if rows.dtype == np.dtype("<u2") else rows
    return np.asarray(np.linalg.norm(np.asarray(wide, dtype=np.float64), axis=1))
