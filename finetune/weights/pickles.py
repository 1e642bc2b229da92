"""The names that a pickle imports, read from its opcodes; never loads a pickle.

A pickle is a program. `ALLOWED_NAMES` lists the few names that torch's own `weights_only` loader needs
for tensors; advisor reports every other name. A file is read as each thing that a loader can take it for:
`torch.load` looks only at the first four bytes, `zipfile` only at the last ones, and a ZIP member need not be
called `data.pkl` (torch ignores upper and lower case). This list warns you, but does not protect you: convert
such files to safetensors in an isolated process, with torch 2.10 or newer (CVE-2025-32434, CVE-2026-24747).
"""

from __future__ import annotations

import io
import pickletools
import re
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

_LEGACY_PICKLES = 5
_HIGHEST_PROTOCOL = 5
_MAX_BYTES = 200 * 2**20
TORCHSCRIPT = "it is TorchScript, a program that torch.load runs"
_ZIP_START = b"PK\3\4"
_ZIP_END = b"PK\5\6"
_TORCH_LEGACY = bytes.fromhex("80028a0a6cfc9c46f920")
# A member of a torch zip that holds numbers; torch never loads it as a pickle.
_STORAGE_MEMBER = re.compile(r"(^|/)(data|constants|tensors)/\d+$")
_STORAGE_BYTES = 2**20
_MAX_LINE_BYTES = 2**20
_ZIP_TAIL_BYTES = 2**16 + 22
# A storage is numbers, and numbers can look like an opcode; an import from one counts only with a real name.
_IDENTIFIERS = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")
# The errors of the standard library's readers of pickles, zips and tars on malformed bytes.
_READ_ERRORS = (
    ValueError, LookupError, OSError, EOFError, MemoryError, OverflowError, NotImplementedError, RuntimeError,
    SyntaxError, TypeError, struct.error, zipfile.BadZipFile, zlib.error, tarfile.TarError,
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
    """The names that a file imports when a program loads it as a pickle.

    Attributes:
        tensor_names: names that tensors need.
        other_names: all other names.
        problem: why not all of the file can be read; empty if it can. The names before it still count.
    """

    tensor_names: tuple[str, ...]
    other_names: tuple[str, ...]
    problem: str = ""

    @property
    def has_only_tensors(self) -> bool:
        """Whether the pickle imports only names that tensors need."""
        return not self.other_names and not self.problem


@dataclass
class _Reading:
    """The names and problems that one pass over a file collects."""

    names: set[str]
    problems: list[str]

    def add_problem(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def read_imports(path: Path, *, is_pickle: bool = True) -> Imports:
    """Return the imports of a torch zip, a legacy torch file, a tar, a NumPy file or a plain pickle.

    A file that is several of these at once is read as each of them.

    Args:
        path: any file.
        is_pickle: whether the file has to be a pickle. False for a file of another format: only what it
            imports if a program still loads it as a pickle counts, because `torch.load` ignores its name.
    """
    reading = _Reading(set(), [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pickletools warns about escapes in what may be numbers
        _read_file(path, reading, is_pickle=is_pickle)
    tensor_names = reading.names & ALLOWED_NAMES
    other_names = tuple(sorted(reading.names - tensor_names))
    return Imports(tuple(sorted(tensor_names)), other_names, "; ".join(reading.problems))


def _read_file(path: Path, reading: _Reading, *, is_pickle: bool) -> None:
    """Read a file as each thing that a loader can take it for."""
    try:
        is_zip, is_tar = zipfile.is_zipfile(path), _is_tar(path)
        with path.open("rb") as file:
            head = file.read(8)
            file.seek(0)
            if head.startswith(_ZIP_START):
                if not is_zip:
                    reading.add_problem("it starts like a ZIP file, but its list of members is damaged")
            elif head.startswith(b"\x93NUMPY"):
                _read_numpy(file, reading)
            else:
                _read_sequence(file, reading, is_pickle=is_pickle and not is_tar)
        if is_zip:
            if not head.startswith(_ZIP_START):
                reading.add_problem("a ZIP file follows other bytes, so programs load different parts of it")
            _read_zip(path, reading)
        if is_tar:
            _read_tar(path, reading)
    except _READ_ERRORS as error:
        reading.add_problem(f"cannot read its opcodes: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _is_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:"):
            return True
    except _READ_ERRORS:
        return False


def _read_sequence(file: IO[bytes], reading: _Reading, *, is_pickle: bool) -> int:
    """Read one pickle after the other; return how many are whole.

    `torch.load` reads five from a legacy file, whose numbers follow; after another pickle nothing may follow.
    """
    start = file.tell()
    is_legacy = file.read(len(_TORCH_LEGACY)) == _TORCH_LEGACY
    file.seek(start)
    count = 0
    while not (is_legacy and count == _LEGACY_PICKLES):
        try:
            _read_pickle(file, reading, is_pickle=is_pickle)
        except _READ_ERRORS as error:
            if is_pickle:
                cause = "other bytes follow its end" if count and not is_legacy else _first_line(error)
                reading.add_problem(f"cannot read its opcodes: {cause}")
            break
        count += 1
        position = file.tell()
        if not is_legacy and not file.read(1):
            break
        file.seek(position)
    return count


def _read_zip(path: Path, reading: _Reading) -> None:
    """Read every member of a ZIP file, because each loader chooses members in its own way."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _ZIP_TAIL_BYTES))
        if file.read().count(_ZIP_END) > 1:
            reading.add_problem("it has two lists of members, so programs load different parts of it")
    has_pickle = False
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len({m.filename.lower() for m in members}) < len(members):
            reading.add_problem("two of its members have the same name, so programs load different ones")
        if any(m.filename.lower().endswith("/constants.pkl") for m in members):
            reading.add_problem(TORCHSCRIPT)
        for member in members:
            try:
                has_pickle |= _read_member(archive, member, reading)
            except _READ_ERRORS as error:
                reading.add_problem(f"cannot read {member.filename}: {_first_line(error)}")
    if not has_pickle:
        reading.add_problem("it is a zip file without a pickle")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, reading: _Reading) -> bool:
    """Read a member; return whether it is a pickle or an array, by its name or by its content."""
    name = member.filename.lower()
    is_storage = _STORAGE_MEMBER.search(name) is not None
    if member.file_size > _MAX_BYTES and not is_storage:
        reading.add_problem(f"{member.filename} is too large to read")
        return True
    with archive.open(member) as file:
        # The reader returns nothing of a chunk whose checksum is wrong, and torch does not compare checksums:
        # read the last byte alone, so that the others are there.
        content = file.read(min(member.file_size - 1, _STORAGE_BYTES if is_storage else _MAX_BYTES))
        try:
            if not is_storage:
                content += file.read()
        except _READ_ERRORS as error:
            reading.add_problem(f"cannot read {member.filename}: {_first_line(error)}")
    if name.endswith(".npy"):
        _read_numpy(io.BytesIO(content), reading)
        return True
    if content.startswith(_ZIP_START):
        reading.add_problem(f"{member.filename} is a ZIP file inside it, which advisor does not open")
    is_pickle = name.endswith((".pkl", ".debug_pkl"))
    member_reading = _Reading(set(), reading.problems)
    count = _read_sequence(io.BytesIO(content), member_reading, is_pickle=is_pickle)
    names = {n for n in member_reading.names if not is_storage or _IDENTIFIERS.fullmatch(n)}
    reading.names.update(names)
    return is_pickle or count > 0 or bool(names)


def _read_tar(path: Path, reading: _Reading) -> None:
    reading.add_problem("it is a tar file, whose pickles torch loads only without weights_only")
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                _read_sequence(content, reading, is_pickle=False)


def _read_numpy(file: IO[bytes], reading: _Reading) -> None:
    """Read the pickle in a NumPy file: an array of objects is one."""
    from numpy.lib import format as numpy_format

    version = numpy_format.read_magic(file)
    read_header = (
        numpy_format.read_array_header_1_0 if version == (1, 0) else numpy_format.read_array_header_2_0
    )
    _, _, dtype = read_header(file)
    if dtype.hasobject:
        _read_sequence(file, reading, is_pickle=True)


@dataclass(frozen=True)
class _BoundedFile:
    """A file that refuses to read more at once than a pickle of tensors needs."""

    file: IO[bytes]

    def read(self, size: int) -> bytes:
        if size > _MAX_BYTES:
            raise ValueError(f"an argument of {size} bytes is too large to read")
        return self.file.read(size)

    def readline(self) -> bytes:
        return self.file.readline(_MAX_LINE_BYTES)

    def tell(self) -> int:
        return self.file.tell()


def _read_pickle(file: IO[bytes], reading: _Reading, *, is_pickle: bool) -> None:
    """Collect ``module name`` of every import of one pickle.

    Raises:
        ValueError: it is not a pickle, or its end is not where every program finds it.
    """
    stack: deque[Any] = deque((None, None), maxlen=2)
    memo: dict[int, Any] = {}
    unusual_names = set()  # only a whole pickle has them; numbers can look like them
    frame_end = 0
    for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", _BoundedFile(file))):
        name = _imported_name(opcode.name, argument, stack)
        if is_pickle or _IDENTIFIERS.fullmatch(name):
            reading.names.update(filter(None, [name]))
        else:
            unusual_names.add(name)
        if opcode.name == "PROTO" and int(str(argument)) > _HIGHEST_PROTOCOL:
            raise ValueError(f"protocol {argument} is unknown")
        if opcode.name == "FRAME":
            frame_end = file.tell() + int(str(argument))
        _follow_strings(opcode.name, argument, stack, memo)
    if frame_end > file.tell():
        raise ValueError("its frame does not end with it, so programs read different bytes after it")
    reading.names.update(filter(None, unusual_names))


def _imported_name(opcode: str, argument: Any, stack: deque[Any]) -> str:
    """Return the name that an opcode imports; "a computed name" if it is not a constant."""
    if opcode in ("GLOBAL", "INST"):
        return str(argument)
    if opcode == "STACK_GLOBAL":
        return " ".join(stack) if all(isinstance(part, str) for part in stack) else "a computed name"
    return f"copyreg extension {argument}" if opcode in ("EXT1", "EXT2", "EXT4") else ""


def _follow_strings(opcode: str, argument: Any, stack: deque[Any], memo: dict[int, Any]) -> None:
    """Follow strings through the stack and the memo, because STACK_GLOBAL takes its two from the stack.

    Every other opcode leaves an unknown value on top, so a name is constant only if both strings were pushed
    or fetched just before it.
    """
    if opcode == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif opcode in ("PUT", "BINPUT", "LONG_BINPUT"):
        memo[int(str(argument))] = stack[-1]
    elif opcode in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo.get(int(str(argument))))
    elif "UNICODE" in opcode or "STRING" in opcode:
        stack.append(argument)
    elif opcode not in ("PROTO", "FRAME"):
        stack.append(None)
