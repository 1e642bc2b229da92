"""The public API of a Python package, read from its source: names, signatures and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from advisor.collect.coverage.extractor import parse_module

_NOT_PACKAGES = re.compile(
    r"(?:^|/)(?:tests?|docs?|examples?|scripts?|benchmarks?|tools?|recipes|notebooks|ci|third_party|vendor|\.[^/]*)(?:/|$)"
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Symbol(NamedTuple):
    """A public function, class or method: its name, as ``Trainer.train``, its arguments, its docstring."""

    name: str
    signature: str
    has_docstring: bool


class Module(NamedTuple):
    """A module of a package.

    Attributes:
        names: what another file can import from it: definitions, imports, and the texts of lazy imports.
        is_open: it can have other names too (a star import, a function ``__getattr__``).
        symbols: its public API.
    """

    names: frozenset[str]
    is_open: bool
    symbols: tuple[Symbol, ...]


def is_source(path: str) -> bool:
    """Return whether a file can be a module of the library's own packages."""
    return path.endswith(".py") and not _NOT_PACKAGES.search(path)


def find_packages(paths: Iterable[str]) -> set[str]:
    """Return the folders of the packages at the top: they have ``__init__.py``, and their parents do not."""
    folders = {path.rpartition("/")[0] for path in paths if path.endswith("/__init__.py")}
    return {folder for folder in folders if folder.rpartition("/")[0] not in folders}


def find_module_name(path: str, packages: Iterable[str]) -> str | None:
    """Return the name by which a file is imported; None: it is in no package."""
    for package in packages:
        if path.startswith(f"{package}/"):
            parent = package.rpartition("/")[0]
            inner = path.removeprefix(f"{parent}/" if parent else "")
            return inner.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return None


def is_public(module_name: str) -> bool:
    """Return whether no part of a module's name is private."""
    return not any(part.startswith("_") for part in module_name.split("."))


def read_module(text: str) -> Module:
    """Read a module; one that does not parse has no names."""
    tree = parse_module(text)
    names, is_open = set[str](), False
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
                is_open |= name == "__getattr__"
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name.partition(".")[0] for alias in aliases}
                is_open |= any(alias.name == "*" for alias in aliases)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Constant(value=str(value)) if value.isidentifier():
                names.add(value)
    return Module(frozenset(names), is_open, tuple(_list_symbols(tree.body, "")))


def _list_symbols(body: Iterable[ast.stmt], prefix: str) -> Iterator[Symbol]:
    for node in body:
        if not isinstance(node, _Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        has_docstring = ast.get_docstring(node, clean=False) is not None
        if isinstance(node, ast.ClassDef):
            yield Symbol(prefix + node.name, _find_constructor(node), has_docstring)
            if not prefix:  # a class in a class is no place where people look
                yield from _list_symbols(node.body, f"{node.name}.")
        else:
            yield Symbol(prefix + node.name, ast.unparse(node.args), has_docstring)


def _find_constructor(node: ast.ClassDef) -> str:
    """Return the arguments of a class: those of ``__init__``, or the fields of a data class."""
    for child in node.body:
        if isinstance(child, _Function) and child.name == "__init__":
            return ast.unparse(child.args)
    fields = [child.target for child in node.body if isinstance(child, ast.AnnAssign)]
    return ", ".join(ast.unparse(field) for field in fields)
