"""transformers: the architectures of the language models that it loads, those with images too.

The mappings of model types to classes are literals in the source, so a wheel or a checkout is enough.
data/architectures.csv stores the first release of each architecture.
"""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from advisor.collect.coverage.extractor import parse_module
from advisor.errors import ConfigError

PATH = "transformers/models/auto/modeling_auto.py"
Reads = Literal["text", "images"]

# What a model of the mapping reads: text alone, or images with text. The first mapping counts.
_MAPPINGS: dict[str, Reads] = {
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES": "text",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES": "images",
    "MODEL_FOR_VISION_2_SEQ_MAPPING_NAMES": "images",
}


@dataclass(frozen=True)
class Architecture:
    """An architecture, and the first release of transformers on the package index that loads it.

    Attributes:
        reads: ``text``: ``AutoModelForCausalLM`` loads it. ``images``: only a class for images and text does.
    """

    name: str
    release: str
    released_on: date
    reads: Reads = "text"


def read_models(text: str) -> dict[str, Reads]:
    """Return the model types in the mappings of ``modeling_auto.py``, and what the models read."""
    mappings = dict(_read_mappings(text))
    models: dict[str, Reads] = {}
    for mapping, reads in _MAPPINGS.items():
        for name in mappings.get(mapping, ()):
            models.setdefault(name, reads)
    return models


def _read_mappings(text: str) -> Iterator[tuple[str, list[str]]]:
    for node in parse_module(text).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if not isinstance(target, ast.Name) or target.id not in _MAPPINGS or node.value is None:
            continue
        value = node.value
        try:
            pairs = ast.literal_eval(value.args[0] if isinstance(value, ast.Call) else value)
        except ValueError:  # a mapping that is made of another one
            continue
        yield target.id, list(pairs) if isinstance(pairs, dict) else [pair[0] for pair in pairs]


def load_architectures(path: Path) -> dict[str, Architecture]:
    """Read architectures.csv: architecture, release, released_on, reads (default: text).

    Raises:
        ConfigError: the file cannot be read or a row is invalid.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                Architecture(
                    r["architecture"],
                    r["release"],
                    date.fromisoformat(r["released_on"]),
                    "images" if r.get("reads") == "images" else "text",
                )
                for r in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return {a.name: a for a in rows}
