"""unsloth: model names of its mapper and registry; since FastModel, whatever transformers loads.

Names owned by ``unsloth`` are mirrors of other people's weights: they count as what they mirror only
where the original stands beside them, so they are left out.
"""

from __future__ import annotations

import ast

from advisor.collect.coverage.extractor import Extractor, Name, constants, model_ids, parsed

_MAPPER = "unsloth/models/mapper.py"
_LOADER = "unsloth/models/loader.py"
_MIRRORS = ("unsloth/", "unslothai/")


def _reads(path: str) -> bool:
    return path in (_MAPPER, _LOADER) or (path.startswith("unsloth/registry/_") and path.endswith(".py"))


def _names(path: str, text: str) -> set[Name]:
    if path == _MAPPER:
        return {n for n in model_ids(constants(text)) if not n.text.startswith(_MIRRORS)}
    if path == _LOADER:
        classes = {n.name for n in parsed(text).body if isinstance(n, ast.ClassDef)}
        return {Name("FastModel", "anything")} if "FastModel" in classes else set()
    return _registered(text)


def _registered(text: str) -> set[Name]:
    """``ModelMeta(org=…, base_name=…, model_version=…)`` of the registry."""
    found = set()
    for node in ast.walk(parsed(text)):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "ModelMeta":
            continue
        given = {
            k.arg: k.value.value
            for k in node.keywords
            if isinstance(k.value, ast.Constant) and isinstance(k.value.value, str)
        }
        name = "-".join(filter(None, (given.get("base_name"), given.get("model_version"))))
        if name:
            found.add(Name(f"{given.get('org', '')}/{name}"))
    return found


EXTRACTOR = Extractor("unsloth: mapper and registry", (_MAPPER, _LOADER, "unsloth/registry"), _reads, _names)
