"""requirements.txt, as pip's documentation defines it ("Requirements File Format").

Includes are followed; constraints pin versions and need nothing; hashes and options of an index are
none of our business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import requirement
from advisor.answers.dependencies.text import read_text
from advisor.errors import InputError

_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_OPTION_OF_ONE = re.compile(r"\s+--?(?:hash|config-settings?|global-option|install-option|C)\b.*$")
_FILE = re.compile(r"^(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?=[^\s=-]))(.+)$")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s+|=)(.+)$")


def read(path: Path) -> list[Dependency]:
    """What a requirements file and those that it includes ask for.

    Raises:
        InputError: a file cannot be read, or a line is no requirement.
    """
    pins: dict[str, str] = {}
    found = _read(path, path.name, pins, ())
    return [replace(d, version=d.version or pins.get(d.name)) for d in found]


def _read(path: Path, shown: str, pins: dict[str, str], inside: tuple[Path, ...]) -> list[Dependency]:
    here = path.resolve()
    if here in inside:
        return []
    found = []
    for number, text in _logical_lines(read_text(path)):
        if other := _FILE.match(text):
            target = other[1].strip()
            if "://" in target:
                raise InputError(f"{path}:{number}: {target} is not fetched; save it and name the file")
            below = _read(path.parent / target, _beside(shown, target), pins, (*inside, here))
            if text.startswith(("-c", "--c")):
                pins |= {d.name: d.version for d in below if d.version}
            else:
                found += below
        elif editable := _EDITABLE.match(text):
            found.append(requirement(editable[1].strip(), shown, number, is_address=True))
        elif not text.startswith("-"):
            found.append(requirement(_OPTION_OF_ONE.sub("", text).strip(), shown, number))
    return found


def _beside(shown: str, target: str) -> str:
    return (Path(shown).parent / target).as_posix()


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, text) of each line that says something; a backslash joins two."""
    start, kept = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            kept += line[:-1] + " "
            continue
        whole = _COMMENT.sub("", kept + line).strip()
        if whole:
            yield start, whole
        start, kept = 0, ""
