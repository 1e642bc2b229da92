"""Let litgpt quantise without a GPU: `python quantise_on_cpu.py RUNNER CONFIG RUN` runs a runner so.

Lightning refuses to quantise on another device than a GPU; bitsandbytes does not. This replaces that check and
the device, and nothing else.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def allow_cpu() -> None:
    import torch
    from lightning.fabric import connector
    from lightning.fabric.plugins.precision import bitsandbytes as plugin

    functional = plugin._import_bitsandbytes().functional

    def quantize(params4bit, weight, device):
        packed, state = functional.quantize_4bit(
            weight.contiguous().to(torch.half),
            blocksize=params4bit.blocksize,
            compress_statistics=params4bit.compress_statistics,
            quant_type=params4bit.quant_type,
            quant_storage=params4bit.quant_storage,
        )
        return plugin._replace_param(params4bit, packed, state)

    layer = plugin._Linear4bit
    initialise = layer.__init__

    def initialise_and_quantise(self, *args, **kwargs):
        initialise(self, *args, **kwargs)
        self.support_avx512bf16_for_cpu = False  # that path needs rows in blocks of 32
        self.quantize_()

    layer.__init__, layer.quantize = initialise_and_quantise, staticmethod(quantize)
    connector.BitsandbytesPrecision = type("Never", (), {})


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    allow_cpu()
    runpy.run_path(sys.argv[0], run_name="__main__")
