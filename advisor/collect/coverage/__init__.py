"""Find the models that a library supports in its source tree, without importing it.

Each library has a file with an ``EXTRACTOR``; for all others there is `generic`.
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


def find_extractor(repository: str) -> Extractor:
    """Return the extractor of a library, else the generic one."""
    return EXTRACTORS.get(repository, generic.EXTRACTOR)
