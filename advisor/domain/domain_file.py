"""Find and read a domain file and the file that it extends; `domain` validates the content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from advisor.domain.files import data_folder, read_toml
from advisor.errors import ConfigError, UnknownName, find_name


def list_domains(folder: Path) -> list[str]:
    """Return the names of the bundled domains."""
    return sorted(p.stem for p in (folder / "domains").glob("*.toml"))


def find_domain_file(name: str, folder: Path) -> Path:
    """Return the file of a bundled domain, or the path itself if it ends in ``.toml``.

    Raises:
        UnknownName: there is no such domain.
        ConfigError: the name is that of another file.
    """
    if name.endswith(".toml"):
        return Path(name)
    if Path(name).is_file():
        raise ConfigError(f"{name} is a file, but not a domain: the name of a domain file ends in .toml")
    return folder / "domains" / f"{find_name('domain', name, list_domains(folder))}.toml"


def read_domain_file(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Read the content of a domain file with what it extends; only its syntax is checked.

    Raises:
        UnknownName: there is no such domain.
        ConfigError: the file cannot be read.
    """
    folder = folder or data_folder()
    path = find_domain_file(name, folder)
    return extend_content(read_toml(path), path, folder)


def extend_content(content: dict[str, Any], path: Path, folder: Path) -> dict[str, Any]:
    """Return the content of a domain file with all missing keys from the file that it ``extends``.

    Its own candidates come after those of the other file; its own patterns of people and machines come
    before, because the first that matches decides.

    Args:
        content: of the file.
        path: of the file, for messages.
        folder: the folder of the bundled data.

    Raises:
        ConfigError: it extends no bundled domain, or a list is none.
    """
    content = dict(content)
    base = content.pop("extends", None)
    if base is None:
        return content
    for key in ("candidates", "rivals", "identities"):
        if not isinstance(content.get(key, []), list):
            raise ConfigError(f"{path}: {key}: expected a list of tables, [[{key}]]")
    try:
        parent = read_toml(
            folder / "domains" / f"{find_name('domain', str(base), list_domains(folder))}.toml"
        )
    except UnknownName as error:
        raise ConfigError(f"{path}: extends: {error}") from None
    lists = {key: [*parent.get(key, []), *content.get(key, [])] for key in ("candidates", "rivals")}
    lists["identities"] = [*content.get("identities", []), *parent.get("identities", [])]
    return {**{k: v for k, v in parent.items() if k != "wider"}, **content, **lists}
