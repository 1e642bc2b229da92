"""unsloth: model names of its mapper and registry, and the model types that its loader accepts.

Since FastModel, the loader accepts every model that transformers loads.

Models of the owner ``unsloth`` are copies of other models. They are left out, because the mapper also lists
the originals.
"""

from __future__ import annotations

import ast

from advisor.collect.coverage.extractor import Extractor, Name, list_strings, parse_module, select_model_ids

_MAPPER = "unsloth/models/mapper.py"
_LOADER = "unsloth/models/loader.py"
_MIRRORS = ("unsloth/", "unslothai/")


def _is_relevant(path: str) -> bool:
    return path in (_MAPPER, _LOADER) or (path.startswith("unsloth/registry/_") and path.endswith(".py"))


def _find_names(path: str, text: str) -> set[Name]:
    if path == _MAPPER:
        return {n for n in select_model_ids(list_strings(text)) if not n.text.startswith(_MIRRORS)}
    if path == _LOADER:
        return _read_loader(text)
    return _read_registry(text)


def _read_loader(text: str) -> set[Name]:
    """Return the types in ``model_type == "llama"``; and FastModel, which loads text and images."""
    names = set()
    for node in ast.walk(parse_module(text)):
        match node:
            case ast.ClassDef(name="FastModel"):
                names |= {Name("FastModel", "anything"), Name("FastModel", "images")}
            case ast.Compare(
                left=ast.Name(id="model_type") | ast.Attribute(attr="model_type"),
                ops=[ast.Eq()],
                comparators=[ast.Constant(value=str() as model_type)],
            ):
                names.add(Name(model_type, "architecture"))
    return names


def _read_registry(text: str) -> set[Name]:
    """Return the models of ``ModelMeta(org=…, base_name=…, model_version=…)`` in the registry."""
    names = set()
    for node in ast.walk(parse_module(text)):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "ModelMeta":
            continue
        arguments = {
            k.arg: k.value.value
            for k in node.keywords
            if isinstance(k.value, ast.Constant) and isinstance(k.value.value, str)
        }
        name = "-".join(filter(None, (arguments.get("base_name"), arguments.get("model_version"))))
        if name:
            names.add(Name(f"{arguments.get('org', '')}/{name}"))
    return names


EXTRACTOR = Extractor(
    "unsloth: mapper, registry and loader", (_MAPPER, _LOADER, "unsloth/registry"), _is_relevant, _find_names
)
