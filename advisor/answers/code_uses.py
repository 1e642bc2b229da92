"""Where Python code uses what an upgrade breaks: from its syntax trees, without running it."""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.answers.upgrade import Break, Upgrade
from advisor.errors import InputError

MAX_FILES = 20_000
MAX_BYTES = 1_000_000
_SKIPPED_FOLDERS = {"node_modules", "site-packages", "__pycache__", "build", "dist"}


@dataclass(frozen=True)
class Use:
    """A line of code that a break concerns.

    Attributes:
        path: the file, as the user named its folder.
        line: number of the line.
        change: what breaks.
        is_certain: whether the line fails; False: it may.
    """

    path: str
    line: int
    change: Break
    is_certain: bool


def find_uses(folder: Path, upgrade: Upgrade) -> tuple[list[Use], list[str]]:
    """Return the uses in the Python files of a folder, in their order, and notes about files left out.

    Raises:
        InputError: there is no such folder or file.
    """
    if not folder.exists():
        raise InputError(f"no folder {folder} (--code)")
    breaks: dict[str, list[Break]] = defaultdict(list)
    for change in upgrade.breaks:
        breaks[change.name].append(change)
    roots = {name.partition(".")[0] for name in breaks}
    uses, notes = set(), []
    for path in _list_files(folder):
        try:
            text = path.read_text(encoding="utf-8")
            if not any(root in text for root in roots):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            notes.append(f"{path} was not read: {type(error).__name__}")
            continue
        scan = _Scan(tree, roots, upgrade)
        uses |= {
            Use(str(path), line, change, is_certain)
            for line, name, call in scan.list_references()
            for change, is_certain in _match(name, call, breaks)
        }
    return sorted(
        uses, key=lambda u: (u.path, u.line, u.change.name, u.change.member or "", u.change.kind)
    ), notes


def _list_files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    count = 0
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if any(p in _SKIPPED_FOLDERS or p.startswith(".") for p in parts) or path.is_symlink():
            continue
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            count += 1
            if count > MAX_FILES:
                raise InputError(f"{folder} has more than {MAX_FILES:,} Python files: name a smaller folder")
            yield path


class _Scan:
    """The references of one file to a library, by the library's own import paths.

    A name of the file stands for one path in the whole file. A variable has the class that it was called from
    or is annotated with.
    """

    def __init__(self, tree: ast.Module, roots: set[str], upgrade: Upgrade) -> None:
        self._nodes = list(ast.walk(tree))
        self._roots = roots
        self._aliases = upgrade.aliases
        self._imports: dict[str, str] = {}
        self._classes: dict[str, str] = {}
        self._statements = list(self._read_imports())
        self._read_variables()

    def list_references(self) -> Iterator[tuple[int, str, ast.Call | None]]:
        """Yield (line, import path, the call if it is one) of each reference."""
        for line, path in self._statements:
            yield line, self._to_best(path), None
        calls = {id(node.func): node for node in self._nodes if isinstance(node, ast.Call)}
        for node in self._nodes:
            if isinstance(node, (ast.Attribute, ast.Name)):
                place = self._find_path(node)
                if place is not None:
                    yield node.lineno, self._to_best(place), calls.get(id(node))

    def _read_imports(self) -> Iterator[tuple[int, str]]:
        for node in self._nodes:
            if isinstance(node, ast.Import):
                for item in node.names:
                    if item.name.partition(".")[0] in self._roots:
                        name = item.asname or item.name.partition(".")[0]
                        self._imports[name] = item.name if item.asname else name
                        yield node.lineno, item.name
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                if node.module.partition(".")[0] not in self._roots:
                    continue
                yield node.lineno, node.module
                for item in node.names:
                    self._imports[item.asname or item.name] = f"{node.module}.{item.name}"
                    yield node.lineno, f"{node.module}.{item.name}"

    def _read_variables(self) -> None:
        for node in self._nodes:
            value, targets = None, []
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                value, targets = node.value.func, node.targets
            elif isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
                value, targets = node.context_expr.func, [node.optional_vars] if node.optional_vars else []
            elif isinstance(node, ast.AnnAssign):
                value, targets = node.annotation, [node.target]
            elif isinstance(node, ast.arg) and node.annotation is not None:
                value, targets = node.annotation, [ast.Name(node.arg)]
            path = self._find_path(value) if isinstance(value, (ast.Name, ast.Attribute)) else None
            for target in targets if path is not None else ():
                if isinstance(target, (ast.Name, ast.Attribute)):
                    self._classes[ast.unparse(target)] = str(path)

    def _find_path(self, node: ast.expr) -> str | None:
        """Return the import path of an expression; None if it does not lead into the library."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            if (owner := self._classes.get(ast.unparse(node.value))) is not None:
                return ".".join([owner, node.attr, *reversed(parts)])
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._imports:
            return None
        return ".".join([self._imports[node.id], *reversed(parts)])

    def _to_best(self, path: str) -> str:
        """Return a path with the best name of its object in place of another one."""
        parts = path.split(".")
        for end in range(len(parts), 1, -1):
            if best := self._aliases.get(".".join(parts[:end])):
                return ".".join([best, *parts[end:]])
        return path


def _match(path: str, call: ast.Call | None, breaks: dict[str, list[Break]]) -> Iterator[tuple[Break, bool]]:
    """Yield the breaks that a reference meets, and whether it fails for certain."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        rest = ".".join(parts[end:])
        for change in breaks.get(".".join(parts[:end]), ()):
            if change.kind == "removed":
                if change.member is None or rest == change.member or rest.startswith(f"{change.member}."):
                    yield change, True
            elif change.kind.startswith("parameter"):
                callee = "" if change.member in {None, "__init__"} else change.member
                if call is not None and rest == callee:
                    is_certain = _fails(call, change)
                    if is_certain is not None:
                        yield change, is_certain
            elif rest == (change.member or ""):
                yield change, False


def _fails(call: ast.Call, change: Break) -> bool | None:
    """Return whether a call fails by a change of a parameter: True, False for perhaps, None for no."""
    parameter, _, place = (change.detail or "").partition("@")
    is_named = any(keyword.arg == parameter for keyword in call.keywords)
    is_open = any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)
    count = len(call.args)
    is_placed = place.isdecimal() and count > int(place)
    if change.kind == "parameter required":
        return None if is_named or is_placed else not is_open
    fails = {
        "parameter removed": is_named or is_placed,
        "parameter by name only": is_placed,
        "parameter by place only": is_named,
    }
    if fails.get(change.kind):
        return is_named or not is_open
    return False if is_open or (change.kind == "parameter moved" and is_placed) else None


def count_places(uses: Sequence[Use]) -> int:
    """Return the number of lines that fail or may fail."""
    return len({(use.path, use.line) for use in uses})
