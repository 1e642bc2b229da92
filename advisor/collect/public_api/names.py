"""Read the public names of a package from its source, with griffe; nothing of it is imported or executed.

Public is a name without a leading underscore in a module without one, and what ``__all__`` lists where a
module has it. The file ``__init__.py`` of a package also publishes what it imports from the package. Of
several names of one object, the best is the shortest in an ``__init__.py``; the others are its aliases.
"""

from __future__ import annotations

import ast
import gc
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from advisor.errors import Unsound

if TYPE_CHECKING:
    import griffe

    from advisor.collect.public_api.package_tree import TreeReader

_WARNING = re.compile(r"DeprecationWarning|FutureWarning|deprecat", re.IGNORECASE)
_DOCSTRING = re.compile(r"\.\. deprecated::|\A\W{0,4}deprecated\b|\A[^.]{0,80}\bis deprecated", re.IGNORECASE)
_NEARBY = 300  # characters between a warning and the name that it is about


class Name(NamedTuple):
    """A public name of a module.

    Attributes:
        kind: module, class, function or attribute.
        place: the path where griffe found the object, which several names can share.
        is_alias: whether the object has a better name.
        is_deprecated: whether the code says that it is deprecated.
    """

    kind: str
    place: str
    is_alias: bool
    is_deprecated: bool


@dataclass
class Api:
    """The public API of one release.

    Attributes:
        names: import path → name.
        paths: path where an object is defined → its best import path.
        tree: griffe's tree.
        modules: import path → module.
        bases: module → modules of the classes that its classes inherit from, if those have no public name
            or a dataclass inherits.
        heirs: path of a class without a public name → public name of a class that inherits from it.
    """

    tree: griffe.Module
    modules: dict[str, griffe.Module] = field(default_factory=dict)
    bases: dict[str, set[str]] = field(default_factory=dict)
    heirs: dict[str, str] = field(default_factory=dict)
    names: dict[str, Name] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)


def read_api(package: str, files: Mapping[str, str], reader: TreeReader) -> Api:
    """Read the public API of a package.

    Args:
        package: its name.
        files: path in the package's folder → blob.
        reader: gives griffe's tree of them.

    Raises:
        Unsound: griffe cannot read the code.
    """
    logging.getLogger("griffe").setLevel(
        logging.CRITICAL + 1
    )  # it logs what it cannot resolve in the code of others
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the compiler, about the code of others
            api = Api(reader.read(package, files))
            _read_module(api, api.tree)
            _choose_best(api)
            _find_heirs(api)
            _limit_comparisons(api)
    except Exception as error:  # noqa: BLE001 - the code of a stranger can lead griffe into any error
        raise Unsound(f"griffe cannot read {package}: {type(error).__name__}: {error}"[:300]) from None
    return api


def forget_trees() -> None:
    """Free the memory of trees that nobody needs: griffe puts each dataclass into a cache without a limit."""
    import griffe

    for value in vars(sys.modules[griffe.DataclassesExtension.__module__]).values():
        if clear := getattr(value, "cache_clear", None):
            clear()
    gc.collect()


def is_deprecated(item: griffe.Object | griffe.Alias, name: str) -> bool:
    """Return whether the code of an object says that a name in it is deprecated.

    A decorator or the docstring speaks of the object itself. A warning in its code is about the name in it
    or in the lines around it.
    """
    target = _find_target(item)
    if target is None:
        return False
    if name == target.name:
        if any("deprecat" in str(d.value).lower() for d in getattr(target, "decorators", ())):
            return True
        text = target.docstring.value[:2000] if target.docstring else ""
        if _DOCSTRING.search(text):
            return True
    if target.is_attribute:
        return False
    source = "\n".join(target.source.splitlines()[1:])
    matches = list(_WARNING.finditer(source))
    if not matches:
        return False
    mention = re.compile(rf"['\"`{{.]{re.escape(name)}\b")
    return any(mention.search(source, max(0, m.start() - _NEARBY), m.end() + _NEARBY) for m in matches)


def _read_module(api: Api, module: griffe.Module) -> None:
    """Add the public names of a module and of the modules in it."""
    api.modules[module.path] = module
    is_public = not any(part.startswith("_") for part in module.path.split("."))
    lazy_names = _find_lazy_names(module) if is_public else set()
    for name, member in module.members.items():
        if not member.is_alias and member.is_module:
            _read_module(api, member)  # type: ignore[arg-type] # griffe says no more of a member
            if not name.startswith("_") and is_public:
                api.names[member.path] = Name("module", member.path, is_alias=False, is_deprecated=False)
            continue
        target = _find_target(member)
        member.public = is_public and target is not None and _is_published(api, module, name, member)
        if member.public and target is not None and not target.is_module:
            api.names[member.path] = Name(
                target.kind.value,
                target.path,
                is_alias=False,
                is_deprecated=is_deprecated(member, name),
            )
    for name in lazy_names - module.members.keys():
        path = f"{module.path}.{name}"
        api.names[path] = Name("attribute", path, is_alias=False, is_deprecated=True)


def _find_heirs(api: Api) -> None:
    classes = {c.path: c for m in api.modules.values() for c in m.classes.values() if not c.is_alias}
    bases = {path: [b for b in _find_bases(c) if b.path in classes] for path, c in classes.items()}
    for path, own_bases in bases.items():
        is_dataclass = "dataclass" in classes[path].labels  # a field of its base is in its own constructor
        modules = {base.module.path for base in own_bases if is_dataclass or base.path not in api.paths}
        api.bases.setdefault(classes[path].module.path, set()).update(modules)
    for path, name in api.paths.items():
        rest = list(bases.get(path, ()))
        while rest:
            base = rest.pop().path
            if base not in api.paths and base not in api.heirs:
                api.heirs[base] = name
                rest += bases[base]


def _find_bases(item: griffe.Class) -> list[griffe.Object]:
    bases = [_find_target(base) for base in item.resolved_bases]
    return [base for base in bases if base is not None]


def _limit_comparisons(api: Api) -> None:
    """Let griffe compare one module without those in it, but with the public objects of private modules."""
    for module in api.modules.values():
        module.public = False
        for member in module.members.values():
            if not member.is_alias and not member.is_module:
                member.public = member.path in api.paths


def _is_published(api: Api, module: griffe.Module, name: str, member: griffe.Object | griffe.Alias) -> bool:
    if name.startswith("__") or _is_type_variable(member):
        return False
    if module.exports:
        return member.is_public
    if name.startswith("_"):
        return False
    if not member.is_alias:
        return True
    target: str = member.target_path  # type: ignore[union-attr] # an alias has it
    return module.is_init_module and target.startswith(f"{api.tree.name}.")


def _is_type_variable(member: griffe.Object | griffe.Alias) -> bool:
    value = getattr(member, "value", None) if not member.is_alias else None
    return bool(re.match(r"(?:\w+\.)*(?:TypeVar|ParamSpec|TypeVarTuple)\(", str(value or "")))


def _find_target(item: griffe.Object | griffe.Alias) -> griffe.Object | None:
    """Return what an import leads to; None if it leads out of the package."""
    import griffe

    if not isinstance(item, griffe.Alias):
        return item
    try:
        return item.final_target
    except griffe.GriffeError:
        return None


def _find_lazy_names(module: griffe.Module) -> set[str]:
    """Return the names that ``__getattr__`` of a module compares with: it gives them, with a warning."""
    function = module.members.get("__getattr__")
    if function is None or function.is_alias or not function.is_function:
        return set()
    try:
        nodes = list(ast.walk(ast.parse(function.source)))
    except (SyntaxError, RecursionError, MemoryError):
        return set()
    if not _WARNING.search(function.source):
        return set()
    return set(_list_compared_names(nodes))


def _list_compared_names(nodes: list[ast.AST]) -> Iterator[str]:
    comparisons = (node for node in nodes if isinstance(node, ast.Compare))
    constants = (part for node in comparisons for part in ast.walk(node) if isinstance(part, ast.Constant))
    for value in (constant.value for constant in constants):
        if isinstance(value, str) and value.isidentifier() and not value.startswith("_"):
            yield value


def _choose_best(api: Api) -> None:
    """Choose the best name of each object; the others become aliases."""

    def rank(path: str) -> tuple[bool, int, str]:
        return not api.modules[path.rpartition(".")[0]].is_init_module, path.count("."), path

    for path in sorted(api.names, key=rank):
        name = api.names[path]
        if api.paths.setdefault(name.place, path) != path:
            api.names[path] = name._replace(is_alias=True)
