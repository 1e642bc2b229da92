"""environment.yml of conda, with the part that it hands to pip."""

from __future__ import annotations

import re
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import requirement
from advisor.answers.dependencies.text import Lines, read_text
from advisor.errors import InputError

# channel::name, then a version after = or == (and a build after another =), or bounds
_MATCH_SPEC = re.compile(r"(?:[\w./:-]+::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?:==?\s*(?P<version>[\w.!+]+))?")


def read(path: Path) -> list[Dependency]:
    """What the environment is made of.

    Raises:
        InputError: the file is wrong.
    """
    import yaml

    text = read_text(path)
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    entries = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: there is no list of dependencies in it")
    lines = Lines(text)
    found = []
    for entry in entries:
        if isinstance(entry, str):
            spec = _MATCH_SPEC.match(entry)
            if not spec:
                raise InputError(f"{path}: {entry!r} is no conda package")
            name = spec["name"].lower()
            line = lines.of(spec["name"])
            found.append(Dependency("conda", name, path.name, line, version=spec["version"]))
        elif isinstance(entry, dict):
            for text_ in entry.get("pip") or ():
                if str(text_).startswith("-"):
                    continue
                asked = requirement(str(text_).partition(" #")[0].strip(), path.name, 1)
                line = lines.of(re.split(r"[\s\[<>=!~;@]", str(text_), maxsplit=1)[0])
                found.append(Dependency(**{**asked.__dict__, "line": line}))
    return found
