"""litgpt: every ``dict(org=…, name=…)`` of config.py is a model; the file moved twice."""

from __future__ import annotations

import ast

from advisor.collect.coverage.extractor import Extractor, Name, parsed

_FILES = ("litgpt/config.py", "lit_gpt/config.py", "lit_parrot/config.py", "lit_stablelm/config.py")


def _names(path: str, text: str) -> set[Name]:
    del path
    found = set()
    for node in ast.walk(parsed(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "dict":
            continue
        given = {k.arg: k.value for k in node.keywords if k.arg}
        if "org" in given and "name" in given:
            owner, name = _text(given["org"]), _text(given["name"])
            if name:
                found.add(Name(f"{owner}/{name}" if owner else name))
    return found


def _text(node: ast.expr) -> str | None:
    """A constant, or an f-string with ``{}`` for its holes."""
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(_text(p) or "{}" for p in parts)
    return None


EXTRACTOR = Extractor("litgpt: models of config.py", _FILES, lambda path: path in _FILES, _names)
