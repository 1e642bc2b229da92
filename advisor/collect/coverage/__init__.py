"""Find the models that a library supports in its source tree, without importing it.

Each library has a file with an ``EXTRACTOR`` for its own code; for all others there is `generic`. Tests,
examples and pages are read in the same way for all, and so are the requirements.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.collect.coverage import axolotl, generic, litgpt, torchtune, trl, unsloth
from advisor.collect.coverage.examples import find_example_names, is_example
from advisor.collect.coverage.extractor import Extractor, Name
from advisor.collect.coverage.pins import find_pins, is_pin_file

EXTRACTORS = {
    "pytorch/torchtune": torchtune.EXTRACTOR,
    "Lightning-AI/litgpt": litgpt.EXTRACTOR,
    "axolotl-ai-cloud/axolotl": axolotl.EXTRACTOR,
    "unslothai/unsloth": unsloth.EXTRACTOR,
    "huggingface/trl": trl.EXTRACTOR,
}


def find_extractor(repository: str) -> Extractor:
    """Return the extractor of a library: its own one, else the generic one, and what all have in common."""
    return _complete(EXTRACTORS.get(repository, generic.EXTRACTOR))


def _complete(own: Extractor) -> Extractor:
    """Add to an extractor the files that show models, and the requirements."""

    def find_names(path: str, text: str) -> set[Name]:
        names = own.find_names(path, text) if own.is_relevant(path) else set()
        if is_example(path):
            names = {replace(name, is_shown=True) for name in names} | find_example_names(text)
        return names | find_pins(text) if is_pin_file(path) else names

    return Extractor(
        f"{own.name}; tests, examples, pages",
        (".",),
        lambda path: own.is_relevant(path) or is_example(path) or is_pin_file(path),
        find_names,
    )
