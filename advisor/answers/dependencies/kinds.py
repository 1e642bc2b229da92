"""Finds the kind of a dependency file, by its name or, under another name, by its content."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from advisor.answers.dependencies import (
    Dependency,
    bun,
    conda,
    locks,
    npm,
    npm_locks,
    pipenv,
    pyproject,
    requirements_txt,
    sbom,
    setup_cfg,
    yarn,
)
from advisor.answers.dependencies.text import parse_json, parse_toml
from advisor.errors import InputError

Reader = Callable[[Path, str], list[Dependency]]

STDIN = Path("-")
"""Standard input, as typed after --from."""
KINDS = (
    "requirements.txt, pyproject.toml, setup.cfg, Pipfile, a script of PEP 723, uv.lock, poetry.lock, "
    "pdm.lock, pylock.toml, Pipfile.lock, environment.yml, conda-lock.yml, package.json, package-lock.json, "
    "yarn.lock, pnpm-lock.yaml, bun.lock, SBOM"
)
_NAMES: tuple[tuple[str, Reader], ...] = (
    (r"pyproject.*\.toml", pyproject.read_pyproject),
    (r"(?:uv|poetry|pdm)\.lock|pylock(?:\..+)?\.toml", locks.read_lock),
    (r"setup\.cfg", setup_cfg.read_setup_cfg),
    (r"Pipfile", pipenv.read_pipfile),
    (r"Pipfile\.lock", pipenv.read_pipfile_lock),
    (r"(?:.*[._-])?conda-lock\.ya?ml", conda.read_conda_lock),
    (r"package\.json", npm.read_package_json),
    (r"package-lock\.json|npm-shrinkwrap\.json", npm_locks.read_npm_lock),
    (r"pnpm-lock\.ya?ml", npm_locks.read_pnpm_lock),
    (r"yarn\.lock", yarn.read_yarn_lock),
    (r"bun\.lock", bun.read_bun_lock),
    (r".*\.py", pyproject.read_script),
    (r".*\.xml", sbom.read_cyclonedx_xml),
)
_IN_FOLDERS = re.compile(
    r"requirements.*\.(?:txt|in)|pyproject\.toml|(?:uv|poetry|pdm)\.lock|pylock(?:\..+)?\.toml|setup\.cfg"
    r"|Pipfile(?:\.lock)?|environment\.ya?ml|(?:.*[._-])?conda-lock\.ya?ml|package\.json|package-lock\.json"
    r"|npm-shrinkwrap\.json|pnpm-lock\.ya?ml|yarn\.lock|bun\.lock|.*\.(?:cdx|spdx)\.json|(?:bom|.*\.cdx)\.xml"
    r"|bom\.json"
)
_MANIFESTS = ("pyproject.toml", "Pipfile", "setup.cfg", "package.json")
_CONDA_LOCK = re.compile(r"^package:", re.MULTILINE)
_BERRY = re.compile(r"^__metadata:", re.MULTILINE)
_PNPM = re.compile(r"^lockfileVersion:", re.MULTILINE)


def find_files(folder: Path) -> list[Path]:
    """Return the dependency files in a folder, those that people write before those that tools write.

    Raises:
        InputError: there is none.
    """
    names = sorted(p.name for p in folder.iterdir() if _IN_FOLDERS.fullmatch(p.name) and p.is_file())
    names.sort(key=lambda name: name not in _MANIFESTS)
    if not names:
        raise InputError(f"{folder}: no dependency file in this folder; supported kinds: {KINDS}")
    return [folder / name for name in names]


def find_reader(path: Path, text: str, include_folders: Sequence[Path] = ()) -> Reader:
    """Return the reader of a file.

    Args:
        path: its path; the name counts more than the content.
        text: its content.
        include_folders: folders besides its own whose files it may include.

    Raises:
        InputError: it is of no supported kind.
    """
    read_requirements = partial(requirements_txt.read_requirements, include_folders=include_folders)
    read_environment = partial(conda.read_environment, include_folders=include_folders)
    if path.suffix.lower() in {".txt", ".in"}:
        return read_requirements
    for pattern, reader_of_name in _NAMES:
        if re.fullmatch(pattern, path.name, re.IGNORECASE):
            return reader_of_name
    reader: Reader | None = None
    match path.suffix.lower():
        case ".json":
            reader = _find_json_reader(path, text)
        case ".toml":
            reader = _find_toml_reader(path, text)
        case ".yml" | ".yaml":
            reader = _find_yaml_reader(text) or read_environment
        case ".lock":
            reader = _find_lock_reader(path, text) or read_requirements
        case _ if path == STDIN:
            reader = _find_stdin_reader(path, text) or read_requirements
    if reader is None:
        raise InputError(f"{path} is not of a supported kind: {KINDS} (CycloneDX, or SPDX as JSON)")
    return reader


def _find_json_reader(path: Path, text: str) -> Reader | None:
    content = parse_json(path, text)
    if sbom.is_sbom(content):
        return sbom.read_sbom
    if "_meta" in content:
        return pipenv.read_pipfile_lock
    if "lockfileVersion" in content:
        return npm_locks.read_npm_lock
    return npm.read_package_json if {"dependencies", "devDependencies"} & content.keys() else None


def _find_toml_reader(path: Path, text: str) -> Reader | None:
    content = parse_toml(path, text)
    if {"package", "packages"} & content.keys():
        is_lock = isinstance(content.get("package", content.get("packages")), list)
        return locks.read_lock if is_lock else pipenv.read_pipfile
    return pyproject.read_pyproject if {"project", "tool", "dependency-groups"} & content.keys() else None


def _find_yaml_reader(text: str) -> Reader | None:
    if _PNPM.search(text):
        return npm_locks.read_pnpm_lock
    return conda.read_conda_lock if _CONDA_LOCK.search(text) else None


def _find_lock_reader(path: Path, text: str) -> Reader | None:
    """Return the reader of a lock under a name of its own; None: requirements, as rye writes them."""
    start = text.lstrip()
    if start.startswith("{"):
        return _find_json_reader(path, text) if '"_meta"' in text else bun.read_bun_lock
    if "# yarn lockfile v1" in text or _BERRY.search(text):
        return yarn.read_yarn_lock
    return locks.read_lock if re.search(r"^\[\[packages?\]\]", text, re.MULTILINE) else None


def _find_stdin_reader(path: Path, text: str) -> Reader | None:
    """Return the reader of a text without a name; None: requirements."""
    start = text.lstrip()
    if start.startswith("<"):
        return sbom.read_cyclonedx_xml
    if start.startswith("{"):
        return _find_json_reader(path, text)
    if "# /// script" in text.splitlines():
        return pyproject.read_script
    if _find_yaml_reader(text) or re.search(r"^dependencies:", text, re.MULTILINE):
        return _find_yaml_reader(text) or conda.read_environment
    if reader := _find_lock_reader(path, text):
        return reader
    is_toml = re.search(r"^\[(?:project|tool\.|dependency-groups|packages|dev-packages)", text, re.MULTILINE)
    return _find_toml_reader(path, text) if is_toml else None
