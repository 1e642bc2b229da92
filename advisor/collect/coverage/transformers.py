"""transformers: the architectures whose causal language models it loads.

The mapping of model types to classes is a literal in the source, so a wheel or a checkout is enough.
data/architectures.csv stores the first release of each architecture.
"""

from __future__ import annotations

import ast
import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from advisor.collect.coverage.extractor import parse_module
from advisor.errors import ConfigError

PATH = "transformers/models/auto/modeling_auto.py"
_MAPPING = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"


@dataclass(frozen=True)
class Architecture:
    """An architecture, and the first release of transformers on the package index that loads it."""

    name: str
    release: str
    released_on: date


def read_causal_models(text: str) -> list[str]:
    """Return the model types of the mapping in ``modeling_auto.py``; [] if it has no mapping."""
    for node in parse_module(text).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if not isinstance(target, ast.Name) or target.id != _MAPPING or node.value is None:
            continue
        value = node.value
        pairs = ast.literal_eval(value.args[0] if isinstance(value, ast.Call) else value)
        return list(pairs) if isinstance(pairs, dict) else [pair[0] for pair in pairs]
    return []


def load_architectures(path: Path) -> dict[str, Architecture]:
    """Read architectures.csv: architecture, release, released_on.

    Raises:
        ConfigError: the file cannot be read or a row is invalid.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                Architecture(r["architecture"], r["release"], date.fromisoformat(r["released_on"]))
                for r in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return {a.name: a for a in rows}
