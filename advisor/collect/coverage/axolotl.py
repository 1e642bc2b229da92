"""axolotl: folders and base models of examples/, and the model types of its sample packing.

axolotl can load every model that transformers can; the examples show some of them, and packing accepts model
types.
"""

from __future__ import annotations

import ast
import re

from advisor.collect.coverage.extractor import Extractor, Name, find_loaders, parse_module

_MULTIPACK = "src/axolotl/monkeypatch/multipack.py"
_LOADERS = ("src/axolotl/utils/models.py", "src/axolotl/loaders/model.py")
_BASE_MODEL = re.compile(r"^base_model:\s*[\"']?([\w.-]+/[\w.-]+)", re.MULTILINE)
_DEPTH = 3  # examples/NAME/FILE


def _is_relevant(path: str) -> bool:
    if path.startswith("examples/"):
        return path.endswith((".yml", ".yaml"))
    return path == _MULTIPACK or path in _LOADERS


def _find_names(path: str, text: str) -> set[Name]:
    if path == _MULTIPACK:
        return {Name(t, "architecture") for t in _read_model_types(text)}
    if path in _LOADERS:
        return find_loaders(text)
    names = {Name(match) for match in _BASE_MODEL.findall(text)}
    folders = path.split("/")
    if len(folders) >= _DEPTH:
        names.add(Name(folders[1]))
    return names


def _read_model_types(text: str) -> list[str]:
    for node in ast.walk(parse_module(text)):
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "SUPPORTED_MULTIPACK_MODEL_TYPES" for t in node.targets
        ):
            return [str(t) for t in ast.literal_eval(node.value)]
    return []


EXTRACTOR = Extractor(
    "axolotl: examples/ and the model types of packing",
    ("examples", _MULTIPACK, *_LOADERS),
    _is_relevant,
    _find_names,
)
