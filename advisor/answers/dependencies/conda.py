"""Reads environment.yml of conda, with its pip section."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import pick_index, read_index_options
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.answers.dependencies.text import Lines, read_text, shorten
from advisor.errors import InputError

# channel::name, then a version after = or == (and a build after another =), or bounds
_MATCH_SPEC = re.compile(r"(?:[\w./:-]+::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?:==?\s*(?P<version>[\w.!+]+))?")


def read_environment(path: Path) -> list[Dependency]:
    """Return the packages of an environment.

    Raises:
        InputError: the file is malformed.
    """
    import yaml

    text = read_text(path)
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    entries = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list `dependencies`")
    lines = Lines(text)
    dependencies = []
    for entry in entries:
        if isinstance(entry, str):
            spec = _MATCH_SPEC.match(entry)
            if not spec:
                raise InputError(
                    f"{path}: {shorten(entry)!r} is not a conda package; write name or name=version"
                )
            name = spec["name"].lower()
            line = lines.find(spec["name"])
            dependencies.append(Dependency("conda", name, path.name, line, version=spec["version"]))
        elif isinstance(entry, dict):
            items = entry.get("pip") or ()
            options = [a for i in items if str(i).startswith("-") for a in read_index_options(str(i))]
            index = pick_index("pypi", options)
            for item in items:
                if str(item).startswith("-"):
                    continue
                dependency = parse_requirement(str(item).partition(" #")[0].strip(), path.name, 1)
                line = lines.find(re.split(r"[\s\[<>=!~;@]", str(item), maxsplit=1)[0])
                index_of_item = "" if dependency.local else index
                dependencies.append(replace(dependency, line=line, index=index_of_item))
    return dependencies
