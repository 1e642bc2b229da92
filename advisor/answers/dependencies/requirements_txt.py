"""Reads requirements.txt as pip's documentation defines it ("Requirements File Format").

It follows includes. Constraints pin versions but add no packages. Hashes and index options are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.answers.dependencies.text import read_text
from advisor.errors import InputError

_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_OPTION_OF_ONE = re.compile(r"\s+--?(?:hash|config-settings?|global-option|install-option|C)\b.*$")
_FILE = re.compile(r"^(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?=[^\s=-]))(.+)$")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s+|=)(.+)$")


def read_requirements(path: Path) -> list[Dependency]:
    """Return the packages of a requirements file and of its includes.

    Raises:
        InputError: a file cannot be read, or a line is not a requirement.
    """
    pins: dict[str, str] = {}
    dependencies = _read(path, path.name, pins, ())
    return [replace(d, version=d.version or pins.get(d.name)) for d in dependencies]


def _read(path: Path, label: str, pins: dict[str, str], parents: tuple[Path, ...]) -> list[Dependency]:
    resolved_path = path.resolve()
    if resolved_path in parents:
        return []
    dependencies = []
    for number, text in _logical_lines(read_text(path)):
        if other := _FILE.match(text):
            target = other[1].strip()
            if "://" in target:
                raise InputError(f"{path}:{number}: cannot read {target} from the network: save it as a file")
            entries = _read(path.parent / target, _sibling(label, target), pins, (*parents, resolved_path))
            if text.startswith(("-c", "--c")):
                pins |= {d.name: d.version for d in entries if d.version}
            else:
                dependencies += entries
        elif editable := _EDITABLE.match(text):
            dependencies.append(parse_requirement(editable[1].strip(), label, number, is_address=True))
        elif not text.startswith("-"):
            dependencies.append(parse_requirement(_OPTION_OF_ONE.sub("", text).strip(), label, number))
    return dependencies


def _sibling(label: str, target: str) -> str:
    return (Path(label).parent / target).as_posix()


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, text) of each logical line; a backslash joins two lines."""
    start, prefix = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            prefix += line[:-1] + " "
            continue
        whole = _COMMENT.sub("", prefix + line).strip()
        if whole:
            yield start, whole
        start, prefix = 0, ""
