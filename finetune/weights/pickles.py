"""What a pickle would import and call, read from its opcodes; nothing is ever loaded.

A pickle is a program. The few names that torch's own `weights_only` loader needs for tensors are on the
list; anything else is told by name. A list is a tripwire, not a wall: convert such files to safetensors
in a process that you can lose, with torch 2.10 or newer (CVE-2025-32434, CVE-2026-24747).
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
_MOST_BYTES = 200 * 2**20
# What the standard library's readers of pickles and zips raise on bytes that are neither.
_MALFORMED = (
    ValueError, LookupError, OSError, EOFError, MemoryError, OverflowError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_STORAGES = (
    "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped",
)  # fmt: skip
ALLOWED = frozenset(
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
    """Names that a pickle imports: those of tensors, and all others; ``why`` where it cannot be read."""

    allowed: tuple[str, ...]
    others: tuple[str, ...]
    why: str = ""

    @property
    def tensors_only(self) -> bool:
        """Whether it imports nothing but what tensors need."""
        return not self.others and not self.why


def imports(path: Path) -> Imports:
    """The imports of a torch zip, a legacy torch file or a plain pickle."""
    names: set[str] = set()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if m.filename.endswith(".pkl")]
                if not members:
                    return Imports((), (), "is a zip without a pickle")
                for member in members:
                    if member.file_size > _MOST_BYTES:
                        return Imports((), (), f"{member.filename} is too large to be read")
                    with archive.open(member) as file:
                        names |= set(_names(file))
        else:
            with path.open("rb") as file:
                for n in range(_LEGACY_PICKLES):
                    try:
                        names |= set(_names(file))
                    except ValueError:
                        if not n:
                            raise
                        break  # the storages of a legacy file follow its pickles
    except _MALFORMED as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        return Imports((), (), f"its opcodes cannot be read: {why}")
    allowed = names & ALLOWED
    return Imports(tuple(sorted(allowed)), tuple(sorted(names - allowed)))


def _names(file: IO[bytes]) -> Iterator[str]:
    """``module name`` of every import of one pickle.

    STACK_GLOBAL takes its two strings from the stack; they are followed through the memo, and an import
    whose name was computed is told as such.
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
            known = isinstance(module, str) and isinstance(attribute, str)
            yield f"{module} {attribute}" if known else "a computed name"
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
