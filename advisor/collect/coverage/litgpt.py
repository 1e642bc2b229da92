"""litgpt: every ``dict(org=…, name=…)`` of config.py is a model; the file has moved twice."""

from __future__ import annotations

import ast

from advisor.collect.coverage.extractor import Extractor, Name, parse_module

_FILES = ("litgpt/config.py", "lit_gpt/config.py", "lit_parrot/config.py", "lit_stablelm/config.py")


def _find_names(path: str, text: str) -> set[Name]:
    del path
    names = set()
    for node in ast.walk(parse_module(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "dict":
            continue
        arguments = {k.arg: k.value for k in node.keywords if k.arg}
        if "org" in arguments and "name" in arguments:
            owner, name = _read_text(arguments["org"]), _read_text(arguments["name"])
            if name:
                names.add(Name(f"{owner}/{name}" if owner else name))
    return names


def _read_text(node: ast.expr) -> str | None:
    """Return the text of a string, with ``{}`` for each placeholder of an f-string."""
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(_read_text(p) or "{}" for p in parts)
    return None


EXTRACTOR = Extractor("litgpt: models of config.py", _FILES, lambda path: path in _FILES, _find_names)
