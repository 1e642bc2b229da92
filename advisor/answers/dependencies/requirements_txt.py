"""Reads requirements.txt as pip's documentation defines it ("Requirements File Format").

It follows includes. Constraints pin versions but add no packages. Hashes are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import pick_index, read_index_options
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.answers.dependencies.text import is_inside, read_text, resolve
from advisor.errors import InputError

# Each expression needs linear time, also for a line of blanks.
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_OPTION_OF_ONE = re.compile(r"(?<=\s)--?(?:hash|config-settings?|global-option|install-option|C)\b.*$")
_FILE = re.compile(r"^(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?=[^\s=-]))(.+)$")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s+|=)(.+)$")


@dataclass
class _Reading:
    """What is read so far.

    Attributes:
        folders: the folders that included files may be in.
        pins: package → version, from constraints.
        indexes: addresses of indexes, from the options of all files.
        files: the files that were read, and whether as constraints.
    """

    folders: Sequence[Path]
    pins: dict[str, str] = field(default_factory=dict)
    indexes: list[str] = field(default_factory=list)
    files: set[tuple[Path, bool]] = field(default_factory=set)


def read_requirements(path: Path, text: str, include_folders: Sequence[Path] = ()) -> list[Dependency]:
    """Return the packages of a requirements file and of its includes.

    Args:
        path: the file.
        text: its content.
        include_folders: folders besides its own whose files it may include.

    Raises:
        InputError: a file cannot be read or is in another folder, or a line is not a requirement.
    """
    reading = _Reading((path.parent, *include_folders))
    dependencies = _read(path, text, path.name, reading, is_constraint=False)
    index = pick_index("pypi", reading.indexes)
    if not index and not reading.pins:
        return dependencies
    return [
        replace(d, version=d.version or reading.pins.get(d.name), index="" if d.local else index)
        for d in dependencies
    ]


def _read(
    path: Path, content: str | None, label: str, reading: _Reading, *, is_constraint: bool
) -> list[Dependency]:
    key = (resolve(path), is_constraint)
    if key in reading.files:  # once is enough, and a circle ends
        return []
    reading.files.add(key)
    dependencies = []
    for number, text in _logical_lines(read_text(path) if content is None else content):
        if other := _FILE.match(text):
            target = other[1].strip()
            if "://" in target:
                raise InputError(f"{path}:{number}: cannot read {target} from the network: save it as a file")
            if not is_inside(path.parent / target, reading.folders):
                folder = reading.folders[0]
                problem = f"{target} is outside the folder {folder}: allow its folder with --include"
                raise InputError(f"{path}:{number}: {problem}")
            is_pin = is_constraint or text.startswith(("-c", "--c"))
            other_file, other_label = path.parent / target, _sibling(label, target)
            entries = _read(other_file, None, other_label, reading, is_constraint=is_pin)
            if is_pin:
                reading.pins |= {d.name: d.version for d in entries if d.version}
            else:
                dependencies += entries
        elif editable := _EDITABLE.match(text):
            dependencies.append(parse_requirement(editable[1].strip(), label, number, is_address=True))
        elif not text.startswith("-"):
            dependencies.append(parse_requirement(_OPTION_OF_ONE.sub("", text).strip(), label, number))
        else:
            reading.indexes += read_index_options(text)
    return dependencies


def _sibling(label: str, target: str) -> str:
    return (Path(label).parent / target).as_posix()


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, text) of each logical line; a backslash joins two lines."""
    start = 0
    parts: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            parts.append(line[:-1])
            continue
        whole = _COMMENT.sub("", " ".join([*parts, line])).strip()
        if whole:
            yield start, whole
        start, parts = 0, []
