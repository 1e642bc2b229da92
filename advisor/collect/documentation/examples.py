"""Check an example without running it: does it parse, and does the library have what it imports?"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping

from advisor.collect.documentation.api import Module

_EXAMPLE = re.compile(
    r"(?:^|/)(?:examples?|tutorials?|recipes|notebooks?|cookbook|docs?|nb)/.+\.(?:py|ipynb)$", re.IGNORECASE
)
_NOT_EXAMPLE = re.compile(r"(?:^|/)(?:tests?|conf\.py|_\w+\.py|conftest\.py|setup\.py)(?:/|$)")
_MAGIC = re.compile(r"[ \t]*[%!?]")


def is_example(path: str) -> bool:
    """Return whether a file is an example in Python or a notebook."""
    return _EXAMPLE.search(path) is not None and not _NOT_EXAMPLE.search(path)


def read_imports(path: str, text: str) -> frozenset[tuple[str, str]] | None:
    """Return the imports of an example: (module, name), name "" for the module itself.

    An import that may fail (in ``try``) does not count.

    Returns:
        None if the file is Python that does not parse; an empty set also for a notebook that does not,
        because its cells may have commands of IPython.
    """
    is_notebook = path.endswith(".ipynb")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(_read_cells(text) if is_notebook else text)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset() if is_notebook else None
    imports = set()
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        match node:
            case ast.Try():
                continue
            case ast.Import(names=aliases):
                imports |= {(alias.name, "") for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                imports |= {(module, alias.name) for alias in aliases}
        nodes += ast.iter_child_nodes(node)
    return frozenset(imports)


def _read_cells(text: str) -> str:
    """Return the code of a notebook without the commands of IPython."""
    try:
        cells = json.loads(text)["cells"]
        sources = [
            cell["source"] if isinstance(cell["source"], str) else "".join(map(str, cell["source"]))
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (KeyError, TypeError, RecursionError):
        return ""
    lines = [
        line for source in sources if not source.lstrip().startswith("%%") for line in source.split("\n")
    ]
    return "\n".join(line for line in lines if not _MAGIC.match(line))


def uses(imports: frozenset[tuple[str, str]], packages: frozenset[str]) -> bool:
    """Return whether an example imports the library."""
    return any(module.partition(".")[0] in packages for module, _ in imports)


def works(
    imports: frozenset[tuple[str, str]], packages: frozenset[str], modules: Mapping[str, Module]
) -> bool:
    """Return whether the library has everything that an example imports from it."""
    for module, name in imports:
        if module.partition(".")[0] not in packages:
            continue
        if module not in modules:
            if not any(m.startswith(f"{module}.") for m in modules) and not _can_provide(module, modules):
                return False
            continue
        source = modules[module]
        if name in {"", "*"} or source.is_open or name in source.names or f"{module}.{name}" in modules:
            continue
        return False
    return True


def _can_provide(module: str, modules: Mapping[str, Module]) -> bool:
    """Return whether a parent of a module can have it in a way that the tree does not show."""
    parent, _, name = module.rpartition(".")
    return parent in modules and (modules[parent].is_open or name in modules[parent].names)
