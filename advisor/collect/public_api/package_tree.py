"""Read the files of a package into griffe's tree; nothing of it is imported or executed.

Most files are the same from release to release, so each content is parsed once: the module that griffe made
of it is kept as bytes until a release no longer has it.
"""

from __future__ import annotations

import ast
import copyreg
import io
import pickle
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import griffe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Member = griffe.Object | griffe.Alias

_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python's compiler raises for a file that it cannot read."""


class _Content(NamedTuple):
    """A file that was parsed: its module as bytes, and its lines."""

    module: bytes
    lines: list[str]


class _WithoutImports(griffe.Extension):
    """Forget what classes import from elsewhere: griffe's reader of dataclasses fails on it."""

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."

    def on_class_members(self, *, cls: griffe.Class, **_: object) -> None:
        aliases = [(name, member) for name, member in cls.members.items() if isinstance(member, griffe.Alias)]
        for name, alias in aliases:
            if not alias.target_path.startswith(self._prefix):
                del cls.members[name]


class _OwnBranches(griffe.Extension):
    """Keep what a module takes from its own package if another branch gives the name another object.

    Such a branch (``if``, ``try``) imports the name from another package, or assigns a stand-in. griffe
    keeps the last one.
    """

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."
        self._own_members: dict[tuple[str, str], Member] = {}

    def on_alias_instance(self, *, node: Any, alias: griffe.Alias, agent: Any, **_: object) -> None:
        is_own = alias.target_path.startswith(self._prefix)
        self._choose(node, agent.current, alias, is_own=is_own)

    def on_instance(self, *, node: Any, obj: griffe.Object, **_: object) -> None:
        if obj.parent is not None:
            self._choose(node, obj.parent, obj, is_own=not obj.is_attribute)

    def _choose(self, node: ast.AST, parent: griffe.Object, member: Member, *, is_own: bool) -> None:
        if not parent.is_module or member.name not in parent.members:
            return
        key = parent.path, member.name
        own_member = self._own_members.get(key)
        if is_own:
            self._own_members[key] = member
        elif own_member is not None:
            if _is_in_branch(node):
                parent.set_member(member.name, own_member)
            else:
                del self._own_members[key]


def _is_in_branch(node: Any) -> bool:
    """Return whether a statement of a module runs only under a condition."""
    while not isinstance(node, ast.Module):
        if isinstance(node, (ast.If, ast.Try, ast.TryStar, ast.ExceptHandler, ast.Match)):
            return True
        node = node.parent
    return False


class TreeReader:
    """Reads one release after the other."""

    def __init__(self, read_text: Callable[[str], str]) -> None:
        """Create a reader.

        Args:
            read_text: blob → text of the file.
        """
        self._read_text = read_text
        self._contents: dict[tuple[str, str], _Content] = {}

    def read(self, package: str, files: Mapping[str, str]) -> griffe.Module:
        """Return the tree of a package, with its imports resolved. A file with errors is left out.

        Args:
            package: its name.
            files: path in the package's folder → blob.

        Raises:
            SyntaxError, ValueError, RecursionError, MemoryError: Python cannot read the file of the package.
            GriffeError: griffe cannot read the package.
        """
        loader = griffe.GriffeLoader(
            extensions=griffe.load_extensions(_WithoutImports(package), _OwnBranches(package)),
            search_paths=[],
            allow_inspection=False,
        )
        old_contents, self._contents = self._contents, {}
        modules: dict[str, griffe.Module] = {}
        for name, path in _list_modules(files):
            parent_name, _, own_name = name.rpartition(".")
            parent = modules.get(parent_name)
            if parent is None and parent_name:
                continue  # its folder is no package
            key = path, files[path]
            try:
                module, content = self._read_module(loader, own_name, key, parent, old_contents.get(key))
            except _UNREADABLE:
                if parent is None:
                    raise
                continue
            if content is not None:
                self._contents[key] = content
            modules[name] = module
            (loader.modules_collection if parent is None else parent).set_member(own_name, module)
        tree = modules[package]
        loader.expand_exports(tree)
        loader.expand_wildcards(tree, external=False)
        loader.extensions.call("on_package", pkg=tree, loader=loader)
        loader.resolve_aliases(external=False)
        return tree

    def _read_module(
        self,
        loader: griffe.GriffeLoader,
        name: str,
        key: tuple[str, str],
        parent: griffe.Module | None,
        content: _Content | None,
    ) -> tuple[griffe.Module, _Content | None]:
        path = cast("Path", PurePosixPath(key[0]))
        lines, modules = loader.lines_collection, loader.modules_collection
        if content is not None:
            lines[path] = content.lines
            module = _load(content.module, lines, modules)
            module.parent = parent
            return module, content
        text = self._read_text(key[1]).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        lines[path] = text.splitlines()
        module = griffe.visit(
            name, path, text, extensions=loader.extensions, parent=parent, lines_collection=lines,
            modules_collection=modules,
        )  # fmt: skip
        module.parent = None  # as its collections, not to be among its bytes
        try:
            return module, _Content(pickle.dumps(module, pickle.HIGHEST_PROTOCOL), lines[path])
        except RecursionError:  # an expression of thousands of parts
            return module, None
        finally:
            module.parent = parent


def _list_modules(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield import path and file: what holds others first, and a package after a module of its name."""
    names = [(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."), path) for path in files]
    yield from sorted(names, key=lambda pair: (pair[0].count("."), pair[1].endswith("/__init__.py"), pair))


def _forget_members(collection: object) -> tuple[type, tuple[()]]:
    return type(collection), ()


for _kind in (griffe.LinesCollection, griffe.ModulesCollection):
    copyreg.pickle(_kind, _forget_members)


def _load(content: bytes, *collections: object) -> griffe.Module:
    """Return a module from its bytes, with these collections."""
    by_name = {type(collection).__name__: lambda c=collection: c for collection in collections}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return by_name.get(name) or super().find_class(module, name)

    return cast("griffe.Module", Unpickler(io.BytesIO(content)).load())
