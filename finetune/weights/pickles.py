"""The names that a pickle imports, read from its opcodes; never loads a pickle.

A pickle is a program. `ALLOWED_NAMES` lists the few names that torch's own `weights_only` loader needs
for tensors; advisor reports every other name. This list warns you, but does not protect you: convert such
files to safetensors in an isolated process, with torch 2.10 or newer (CVE-2025-32434, CVE-2026-24747).
"""

from __future__ import annotations

import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_LEGACY_PICKLES = 5
_MAX_BYTES = 200 * 2**20
# The errors of the standard library's readers of pickles and zips on malformed bytes.
_READ_ERRORS = (
    ValueError, LookupError, OSError, EOFError, MemoryError, OverflowError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_STORAGES = (
    "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped",
)  # fmt: skip
ALLOWED_NAMES = frozenset(
    {
        "collections OrderedDict",
        "torch Size",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch._tensor _rebuild_from_type_v2",
        "torch.serialization _get_layout",
        *(f"torch {kind}Storage" for kind in _STORAGES),
        "torch.storage UntypedStorage",
        "torch.storage TypedStorage",
    }
)


@dataclass(frozen=True)
class Imports:
    """The names that a pickle imports.

    Attributes:
        tensor_names: names that tensors need.
        other_names: all other names.
        problem: why the pickle cannot be read; empty if it can.
    """

    tensor_names: tuple[str, ...]
    other_names: tuple[str, ...]
    problem: str = ""

    @property
    def has_only_tensors(self) -> bool:
        """Whether the pickle imports only names that tensors need."""
        return not self.other_names and not self.problem


def read_imports(path: Path) -> Imports:
    """Return the imports of a torch zip, a legacy torch file or a plain pickle."""
    names: set[str] = set()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if m.filename.endswith(".pkl")]
                if not members:
                    return Imports((), (), "it is a zip file without a pickle")
                for member in members:
                    if member.file_size > _MAX_BYTES:
                        return Imports((), (), f"{member.filename} is too large to read")
                    with archive.open(member) as file:
                        names |= set(_read_names(file))
        else:
            with path.open("rb") as file:
                for n in range(_LEGACY_PICKLES):
                    try:
                        names |= set(_read_names(file))
                    except ValueError:
                        if not n:
                            raise
                        break  # the storages of a legacy file follow its pickles
    except _READ_ERRORS as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        return Imports((), (), f"cannot read its opcodes: {reason}")
    tensor_names = names & ALLOWED_NAMES
    return Imports(tuple(sorted(tensor_names)), tuple(sorted(names - tensor_names)))


def _read_names(file: IO[bytes]) -> Iterator[str]:
    """Yield ``module name`` of every import of one pickle.

    STACK_GLOBAL takes its two strings from the stack, so this function follows strings through the stack
    and the memo. An import with a computed name is ``a computed name``.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            yield str(argument)
            stack.append(None)
        elif name == "STACK_GLOBAL":
            module, attribute = stack[-2:] if len(stack) > 1 else (None, None)
            is_constant = isinstance(module, str) and isinstance(attribute, str)
            yield f"{module} {attribute}" if is_constant else "a computed name"
            stack.append(None)
        elif name in ("EXT1", "EXT2", "EXT4"):
            yield f"copyreg extension {argument}"
            stack.append(None)
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1] if stack else None
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(str(argument))] = stack[-1] if stack else None
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo.get(int(str(argument))))
        elif "UNICODE" in name or "STRING" in name:
            stack.append(argument)
        elif name not in ("PROTO", "FRAME"):
            stack.append(None)
