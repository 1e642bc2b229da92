"""Reads setup.cfg of setuptools: what the project requires, and its extras.

Source: setuptools.pypa.io, "Configuring setuptools using setup.cfg files".
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.answers.dependencies.requirements_txt import read_requirements
from advisor.answers.dependencies.text import Lines, is_inside, read_text
from advisor.errors import InputError

_INTERPOLATION = re.compile(r"%\([\w.-]+\)s")


def read_setup_cfg(path: Path, text: str) -> list[Dependency]:
    """Return the packages of ``install_requires`` and of the extras; none if it has no such section.

    Raises:
        InputError: the file is malformed.
    """
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    lines = Lines(text)
    parts: list[tuple[tuple[str, ...], str]] = []
    if value := parser.get("options", "install_requires", fallback=""):
        parts.append(((), value))
    if parser.has_section("options.extras_require"):
        parts += [((extra,), value) for extra, value in parser.items("options.extras_require")]
    dependencies = []
    for groups, value in parts:
        if value.startswith("file:"):
            names = [name.strip() for name in value.removeprefix("file:").split(",")]
            dependencies += read_files(path, names, groups)
            continue
        for requirement in _requirements(value):
            dependency = parse_requirement(requirement, path.name, 1, groups=groups)
            name = re.split(r"[\s\[<>=!~;@(]", requirement, maxsplit=1)[0]
            dependencies.append(replace(dependency, line=lines.find_key(name)))
    return dependencies


def _requirements(value: str) -> Iterator[str]:
    for line in value.splitlines():
        text = line.partition(" #")[0].strip()
        if text and not text.startswith(("#", "-")) and not _INTERPOLATION.search(text):
            yield text


def read_files(path: Path, names: Iterable[str], groups: tuple[str, ...]) -> list[Dependency]:
    """Return the packages of requirements files that a project file names.

    Raises:
        InputError: a file cannot be read, is malformed or is outside the folder of the project file.
    """
    dependencies = []
    for name in names:
        other = path.parent / name
        if not is_inside(other, [path.parent]):
            raise InputError(f"{path}: {name} is outside its folder")
        entries = read_requirements(other, read_text(other), [path.parent])
        dependencies += [
            replace(d, file=(Path(name).parent / d.file).as_posix(), groups=groups) for d in entries
        ]
    return dependencies
