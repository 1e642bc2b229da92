"""Finds the index that a package comes from, so that no private name is sent to a public service.

Sources: pip's documentation, "Configuration" and "Requirements File Format"; uv's documentation, "Package
indexes"; docs.npmjs.com, "npmrc" and "scope"; the documentation of poetry, "Repositories".
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.text import parse_toml, read_text
from advisor.errors import InputError

PUBLIC: Mapping[str, frozenset[str]] = {
    "pypi": frozenset({
        "pypi.org", "pypi.python.org", "files.pythonhosted.org", "download.pytorch.org", "pypi.nvidia.com",
    }),
    "npm": frozenset({"registry.npmjs.org", "registry.yarnpkg.com"}),
    "cargo": frozenset({"crates.io", "static.crates.io", "index.crates.io"}),
    "gem": frozenset({"rubygems.org"}),
    "maven": frozenset({"repo.maven.apache.org", "repo1.maven.org"}),
    "nuget": frozenset({"nuget.org", "www.nuget.org", "api.nuget.org"}),
    "golang": frozenset({"proxy.golang.org"}),
}  # fmt: skip
"""Ecosystem → hosts that serve everybody."""
_GO_HOSTS = frozenset({
    "bitbucket.org", "cloud.google.com", "github.com", "gitlab.com", "go.opentelemetry.io", "go.uber.org",
    "golang.org", "google.golang.org", "gopkg.in", "k8s.io", "sigs.k8s.io",
})  # fmt: skip
"""Hosts of public Go modules; the name of a module starts with its host."""
_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://(?:[^\s/?#\\]*@)?(?P<host>\[[^\]]*\]|[^/:?#\\]*)", re.IGNORECASE)
_LONG_OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--no-index", "--pypi-url")
_NO_INDEX = "no index"
SYSTEM_FOLDER = Path("/etc")
"""Where the settings of all users are."""


def index_host(address: str) -> str:
    """Return the host of an index; its path may hold a token. A path on this machine is ``a folder``."""
    match = _HOST.match(address.strip())
    if match and "@" not in match["host"]:
        return match["host"].lower() or "a folder"
    return address if address == _NO_INDEX else "a folder"


def is_public(dependency: Dependency) -> bool:
    """Return whether public services may be asked about a package, as far as the files of the project say."""
    if dependency.local:
        return False
    if dependency.ecosystem == "golang" and dependency.name.partition("/")[0].lower() not in _GO_HOSTS:
        return False
    return not dependency.index or dependency.index in PUBLIC.get(dependency.ecosystem, ())


def pick_index(ecosystem: str, addresses: Iterable[str]) -> str:
    """Return the host of the first index that is not public; empty if all are."""
    hosts = map(index_host, addresses)
    return next((host for host in hosts if host not in PUBLIC.get(ecosystem, ())), "")


def read_index_options(text: str) -> list[str]:
    """Return the addresses of indexes in a line of pip's options; long options may be abbreviated."""
    addresses = []
    words = re.split(r"[\s=]+", text)
    for number, word in enumerate(words):
        value = words[number + 1] if number + 1 < len(words) else ""
        long = next((o for o in _LONG_OPTIONS if len(word) > len("--") + 1 and o.startswith(word)), "")
        if long == "--no-index":
            addresses.append(_NO_INDEX)
        elif long or word in {"-i", "-f"}:
            addresses.append(value)
        elif re.match(r"-[if]\S", word):
            addresses.append(word[2:])
    return addresses


@dataclass(frozen=True)
class IndexSettings:
    """Indexes for packages whose own entry names none.

    Attributes:
        indexes: ecosystem → addresses.
        scopes: scope of npm (``@acme``) → address.
    """

    indexes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)

    def apply(self, dependency: Dependency) -> Dependency:
        """Return the package with its index; an index in its own entry stays."""
        ecosystem = dependency.ecosystem
        if dependency.local or (dependency.index and ecosystem != "npm") or not is_public(dependency):
            return dependency  # a public address in npm's lock file means the configured registry
        scope = dependency.name.partition("/")[0]
        if ecosystem == "npm" and scope in self.scopes:
            return replace(dependency, index=index_host(self.scopes[scope]))
        index = pick_index(ecosystem, self.indexes.get(ecosystem, ()))
        return replace(dependency, index=index or dependency.index)


def read_project_settings(folder: Path) -> IndexSettings:
    """Return the settings of a project: .npmrc, uv.toml and pyproject.toml in its folder and those above.

    The search ends at the root of a Git repository. A file that cannot be read has no effect.
    """
    python: list[str] = []
    npm = IndexSettings()
    place = folder.absolute()
    for parent in (place, *place.parents):
        npm = npm if npm.indexes or npm.scopes else read_npmrc(parent / ".npmrc")
        python += uv_indexes(_read_toml(parent / "uv.toml"))
        tool = _read_toml(parent / "pyproject.toml").get("tool", {})
        if isinstance(tool, dict):
            python += project_indexes(tool)
        if (parent / ".git").exists():
            break
    return IndexSettings({**npm.indexes, "pypi": python}, npm.scopes)


def read_user_settings(environ: Mapping[str, str], home: Path) -> IndexSettings:
    """Return the settings of the user: variables and files of pip, uv and npm."""
    variables = {name.lower(): value for name, value in environ.items() if value}
    names = (
        "pip_index_url", "pip_extra_index_url", "pip_find_links", "uv_index_url", "uv_extra_index_url",
        "uv_default_index", "uv_index", "uv_find_links",
    )  # fmt: skip
    python = [
        address.partition("=")[2] if re.match(r"[\w-]+=", address) else address  # uv: name=address
        for name in names
        for address in variables.get(name, "").split()
    ]
    if variables.get("pip_no_index", "0").lower() not in {"0", "false", "no", "off"}:
        python.append(_NO_INDEX)
    config = Path(variables.get("xdg_config_home") or home / ".config")
    for path in (Path(variables.get("pip_config_file") or home / ".pip" / "pip.conf"),
                 config / "pip" / "pip.conf", SYSTEM_FOLDER / "pip.conf"):  # fmt: skip
        python += _read_pip_conf(path)
    for path in (
        config / "uv" / "uv.toml",
        Path(variables.get("uv_config_file") or SYSTEM_FOLDER / "uv" / "uv.toml"),
    ):
        python += uv_indexes(_read_toml(path))
    npm = read_npmrc(Path(variables.get("npm_config_userconfig") or home / ".npmrc"))
    registry = variables.get("npm_config_registry")
    return IndexSettings(
        {**npm.indexes, **({"npm": [registry]} if registry else {}), "pypi": python}, npm.scopes
    )


def project_indexes(tool: Mapping[str, Any]) -> list[str]:
    """Return the indexes in the tables of uv, poetry and pdm of a pyproject.toml."""
    addresses = uv_indexes(_table(tool, "uv"))
    for name in ("poetry", "pdm"):
        addresses += list(_entries(_table(tool, name).get("source")))
    return addresses


def uv_indexes(table: Mapping[str, Any]) -> list[str]:
    """Return the addresses of the indexes in a table of uv, without those that packages must ask for."""
    addresses = list(_entries(table.get("index")))
    for name in ("index-url", "extra-index-url", "find-links"):
        value = table.get(name, [])
        addresses += [str(v) for v in (value if isinstance(value, list) else [value])]
    return [*addresses, *([_NO_INDEX] if table.get("no-index") is True else [])]


def read_npmrc(path: Path) -> IndexSettings:
    """Return the registries that a .npmrc names; everything else in it, tokens above all, is ignored."""
    indexes: dict[str, list[str]] = {}
    scopes: dict[str, str] = {}
    for line in _read_optional(path).splitlines():
        key, _, value = (part.strip().strip("\"'") for part in line.partition("="))
        if key == "registry":
            indexes["npm"] = [value]
        elif key.startswith("@") and key.endswith(":registry"):
            scopes[key.removesuffix(":registry")] = value
    return IndexSettings(indexes, scopes)


def _entries(value: object) -> Iterator[str]:
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, dict) and not entry.get("explicit") and entry.get("priority") != "explicit":
            yield str(entry.get("url") or "https://pypi.org/simple")


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _read_pip_conf(path: Path) -> list[str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(_read_optional(path))
    except configparser.Error:
        return []
    addresses = []
    for section in parser.sections():
        for name, value in parser.items(section):
            key = name.replace("_", "-")
            if key in {"index-url", "extra-index-url", "find-links"}:
                addresses += value.split()
            elif key == "no-index" and value.lower() in {"1", "true", "yes", "on"}:
                addresses.append(_NO_INDEX)
    return addresses


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return parse_toml(path, _read_optional(path))
    except InputError:
        return {}


def _read_optional(path: Path) -> str:
    try:
        return read_text(path)
    except InputError:  # the file is optional
        return ""
