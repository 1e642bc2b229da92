"""Counts the files of a Python project that import each package: how hard the project leans on it."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

FILE_LIMIT = 20_000
"""Most files that are read."""
_SIZE_LIMIT = 2 * 2**20
_OTHER_FOLDERS = frozenset({"node_modules", "site-packages", "venv", "env", "build", "dist"})
_SITES = (".venv/lib/python*/site-packages", "venv/lib/python*/site-packages", ".venv/Lib/site-packages")
# Distribution → module, from the metadata of the packages themselves, for projects without an environment.
_MODULES: Mapping[str, str] = {
    "graphql-core": "graphql", "markdown-it-py": "markdown_it", "packageurl-python": "packageurl",
    "pillow": "PIL", "pygithub": "github", "pyjwt": "jwt", "pynacl": "nacl", "pytest-xdist": "xdist",
    "python-dateutil": "dateutil",
    "python-dotenv": "dotenv", "pyyaml": "yaml", "pyzmq": "zmq", "rpds-py": "rpds",
}  # fmt: skip


def count_importing_files(folder: Path, names: Collection[str]) -> dict[str, int]:
    """Return package on PyPI → number of files of the project that import it.

    Args:
        folder: folder of the project; hidden folders, environments and builds in it are left out, and so are
            files that are no Python.
        names: packages, in normal form. The modules of a package come from the environment in the folder
            (``.venv``); without one, the module has the name of the package.
    """
    modules = {name: {_MODULES.get(name, name.replace("-", "_")).lower()} for name in names}
    for name, own in _installed_modules(folder).items():
        if name in modules:
            modules[name] = own
    counts = dict.fromkeys(names, 0)
    for number, path in enumerate(_python_files(folder)):
        if number == FILE_LIMIT:
            break
        imports = _read_imports(path)
        for name, own in modules.items():
            counts[name] += bool(imports & own)
    return counts


def _python_files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _OTHER_FOLDERS)
        for name in sorted(files):
            path = Path(place, name)
            if name.endswith(".py") and path.is_file() and not path.is_symlink():
                yield path


def _read_imports(path: Path) -> set[str]:
    """Return the first parts of imported names, in lower case; none if the file cannot be parsed."""
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            return set()
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0].lower() for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0].lower())
    return names


def _installed_modules(folder: Path) -> dict[str, set[str]]:
    """Return distribution → its modules, from the environment in the folder."""
    modules: dict[str, set[str]] = {}
    for site in (path for pattern in _SITES for path in sorted(folder.glob(pattern))):
        for distribution in distributions(path=[str(site)]):
            tops = (distribution.read_text("top_level.txt") or "").split()
            tops = tops or [
                file.parts[0].removesuffix(".py")
                for file in distribution.files or ()
                if file.suffix == ".py" and not file.parts[0].startswith((".", "_"))
            ]
            name = canonicalize_name(distribution.metadata["Name"] or "")
            modules.setdefault(name, set()).update(top.lower() for top in tops)
    return {name: own for name, own in modules.items() if own}
