"""Which models a library supports, read from its source tree and never by importing it.

One library, one file; each holds an ``EXTRACTOR``. A library without a file of its own is read by
`generic`.
"""

from __future__ import annotations

from advisor.collect.coverage import axolotl, generic, litgpt, torchtune, trl, unsloth
from advisor.collect.coverage.extractor import Extractor

EXTRACTORS = {
    "pytorch/torchtune": torchtune.EXTRACTOR,
    "Lightning-AI/litgpt": litgpt.EXTRACTOR,
    "axolotl-ai-cloud/axolotl": axolotl.EXTRACTOR,
    "unslothai/unsloth": unsloth.EXTRACTOR,
    "huggingface/trl": trl.EXTRACTOR,
}


def extractor_for(repository: str) -> Extractor:
    """The library's own extractor, else the generic one."""
    return EXTRACTORS.get(repository, generic.EXTRACTOR)
