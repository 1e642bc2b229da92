"""Reads dependencies from files of all supported kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from advisor.addresses import remove_credentials
from advisor.answers.dependencies import Dependency, npm, pipenv, pyproject, setup_cfg
from advisor.answers.dependencies.graph import Groups
from advisor.answers.dependencies.indexes import is_public, read_project_settings
from advisor.answers.dependencies.kinds import STDIN, Reader, find_files, find_reader
from advisor.answers.dependencies.locks import add_roots
from advisor.answers.dependencies.text import is_inside, read_text
from advisor.errors import InputError, describe_read_error
from advisor.files import decode

MESSAGE_LIMIT = 2000
"""Most characters in the message about a file."""
_MANIFESTS: Mapping[str, Mapping[str, Reader]] = {
    "pypi": {
        "pyproject.toml": pyproject.read_pyproject,
        "Pipfile": pipenv.read_pipfile,
        "setup.cfg": setup_cfg.read_setup_cfg,
    },
    "npm": {"package.json": npm.read_package_json},
}
"""Ecosystem → files that say what the project itself requires."""


def find_paths(paths: Iterable[Path]) -> list[Path]:
    """Return the files; in place of a folder, the dependency files in it.

    Raises:
        InputError: a folder has none.
    """
    return [file for path in paths for file in (find_files(path) if path.is_dir() else [path])]


def read_dependencies(
    paths: Iterable[Path], include_folders: Sequence[Path] = (), stdin: bytes = b""
) -> list[Dependency]:
    """Return the packages that these files name, each once, in the order of the files; there may be none.

    Args:
        paths: the files, or folders that have some; ``-`` is standard input.
        include_folders: folders besides that of a file whose files it may include or link to.
        stdin: what standard input has.

    Raises:
        InputError: a file cannot be read, is malformed or of an unsupported kind. The message has no user,
            password, query or fragment of an address.
    """
    entries: dict[tuple[str, str], list[Dependency]] = {}
    dynamic: pyproject.DynamicDependencies | None = None
    for path in find_paths(paths):
        try:
            dependencies = read_file(path, include_folders, stdin)
        except pyproject.DynamicDependencies as error:
            dynamic = error  # another file may have them
            continue
        places = {name: (path.parent / name).as_posix() for name in {d.file for d in dependencies}}
        for entry in dependencies:
            place = places[entry.file]
            dependency = entry if place == entry.file else replace(entry, file=place)
            entries.setdefault((dependency.ecosystem, dependency.name), []).append(dependency)
    if dynamic and not entries:
        raise dynamic
    return list(map(_merge, entries.values()))


def read_file(path: Path, include_folders: Sequence[Path] = (), stdin: bytes = b"") -> list[Dependency]:
    """Return the packages of a file with their indexes, without secrets; none if it names none.

    Raises:
        InputError: as `read_dependencies`.
    """
    try:
        _check_place(path, include_folders)
        text = decode(path, stdin) if path == STDIN else read_text(path)
        dependencies = find_reader(path, text, include_folders)(path, text)
        if dependencies and all(d.parents is None for d in dependencies):
            dependencies = add_roots(dependencies, _read_roots(path.parent, dependencies[0].ecosystem))
    except InputError as error:
        message = remove_credentials(str(error))
        if len(message) > MESSAGE_LIMIT:
            message = f"{message[:MESSAGE_LIMIT]}…"
        raise type(error)(message) from None
    except OSError as error:
        raise InputError(describe_read_error(path, error)) from None
    except RecursionError:
        raise InputError(f"{path}: it is nested too deeply") from None
    settings = read_project_settings(path.parent)
    return [settings.apply(_remove_secrets(dependency)) for dependency in dependencies]


def _read_roots(folder: Path, ecosystem: str) -> dict[str, Groups]:
    """Return what the project's own file beside a lock requires → groups; a lock may not say it itself."""
    for name, read in _MANIFESTS.get(ecosystem, {}).items():
        file = folder / name
        try:
            if file.is_file() and is_inside(file, [folder]) and (entries := read(file, read_text(file))):
                return {d.name: d.groups for d in entries}
        except (InputError, RecursionError):  # the lock alone is the question
            continue
    return {}


def _check_place(path: Path, include_folders: Sequence[Path]) -> None:
    if not is_inside(path, (path.parent, *include_folders)):
        raise InputError(f"{path} is a link to another folder: allow that folder with --include")


def _remove_secrets(dependency: Dependency) -> Dependency:
    """Return the dependency without credentials, whatever field the file has them in."""
    version = dependency.version
    texts = (dependency.name, version or "", dependency.marker, dependency.local, *dependency.groups)
    if not any("/" in text or "@" in text for text in texts):
        return dependency
    return replace(
        dependency,
        name=remove_credentials(dependency.name),
        version=None if version is None else remove_credentials(version),
        marker=remove_credentials(dependency.marker),
        local=remove_credentials(dependency.local),
        groups=tuple(map(remove_credentials, dependency.groups)),
    )


def _merge(entries: Sequence[Dependency]) -> Dependency:
    """Merge all entries of one package; it is always needed or private if one of them is."""
    first = entries[0]
    if len(entries) == 1:
        return first
    is_always_needed = any(not e.groups for e in entries)
    source = next((e for e in entries if e.repository and not e.is_claim), None)
    source = source or next((e for e in entries if e.repository), first)
    paths = [e.parents for e in entries if e.parents is not None]
    private = next((e for e in entries if not is_public(e)), first)
    return replace(
        first,
        version=next((e.version for e in entries if e.version), None),
        groups=() if is_always_needed else tuple(dict.fromkeys(g for e in entries for g in e.groups)),
        marker=first.marker if all(e.marker == first.marker for e in entries) else "",
        repository=source.repository,
        is_claim=source.is_claim,
        local=private.local,
        index=private.index,
        parents=min(paths, key=len) if paths else None,
        requires=next((e.requires for e in entries if e.requires), ()),
        size_bytes=max((e.size_bytes for e in entries if e.size_bytes is not None), default=None),
        deprecation=max((e.deprecation for e in entries if e.deprecation is not None), default=None),
    )
