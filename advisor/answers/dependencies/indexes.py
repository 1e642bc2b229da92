"""Finds the index that a package comes from, so that no private name is sent to a public service.

Sources: pip's documentation, "Configuration" and "Requirements File Format"; uv's documentation, "Package
indexes"; the documentation of poetry, "Repositories", and of PDM, "Configurations"; pipenv's
``PIPENV_PYPI_MIRROR``; go.dev/ref/mod, "Environment variables". `npm_settings` has the registries of npm, and
`build_settings` those of Maven, Gradle, NuGet, Cargo and Bundler.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from advisor.answers.dependencies import Dependency, build_settings
from advisor.answers.dependencies.npm_settings import (
    Registries,
    read_npmrc,
    read_optional,
    read_registries,
    read_variables,
)
from advisor.answers.dependencies.text import parse_toml
from advisor.errors import InputError

PUBLIC: Mapping[str, frozenset[str]] = {
    "pypi": frozenset({
        "pypi.org", "pypi.python.org", "files.pythonhosted.org", "download.pytorch.org", "pypi.nvidia.com",
    }),
    "npm": frozenset({"registry.npmjs.org", "registry.yarnpkg.com"}),
    "cargo": frozenset({"crates.io", "static.crates.io", "index.crates.io"}),
    "gem": frozenset({"rubygems.org", "index.rubygems.org"}),
    "maven": frozenset({
        "central.sonatype.com", "dl.google.com", "maven.google.com", "oss.sonatype.org", "plugins.gradle.org",
        "repo.maven.apache.org", "repo1.maven.org", "repository.apache.org", "s01.oss.sonatype.org",
    }),
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
    return address if address in {_NO_INDEX, build_settings.UNKNOWN_ADDRESS} else "a folder"


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
        go_patterns: beginnings of private Go modules, as patterns of `GOPRIVATE`.
    """

    indexes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    go_patterns: Sequence[str] = ()

    def apply(self, dependency: Dependency) -> Dependency:
        """Return the package with its index; an index in its own entry stays."""
        ecosystem = dependency.ecosystem
        if dependency.local or (dependency.index and ecosystem != "npm") or not is_public(dependency):
            return dependency  # a public address in npm's lock file means the configured registry
        scope = dependency.name.partition("/")[0]
        if ecosystem == "npm" and scope in self.scopes:
            return replace(dependency, index=index_host(self.scopes[scope]))
        if ecosystem == "golang" and any(_begins(dependency.name, p) for p in self.go_patterns):
            return replace(dependency, index="a private host")
        index = pick_index(ecosystem, self.indexes.get(ecosystem, ()))
        return replace(dependency, index=index or dependency.index)


def read_project_settings(folder: Path) -> IndexSettings:
    """Return the settings of a project: those of pip's, uv's, PDM's and npm's kind in its folder and above.

    The search ends at the root of a Git repository; NuGet and Cargo themselves search farther. A file that
    cannot be read has no effect.
    """
    python: list[str] = []
    npm = Registries()
    place = folder.absolute()
    builds = build_settings.join(map(build_settings.read_folder, (place, *place.parents)))
    for parent in (place, *place.parents):
        npm = npm.join(read_registries(parent))
        python += uv_indexes(_read_toml(parent / "uv.toml"))
        python += _pdm_indexes(_read_toml(parent / "pdm.toml"))
        tool = _read_toml(parent / "pyproject.toml").get("tool", {})
        if isinstance(tool, dict):
            python += project_indexes(tool)
        if (parent / ".git").exists():
            break
    return IndexSettings({**builds, "npm": npm.default, "pypi": python}, npm.scopes)


def read_user_settings(environ: Mapping[str, str], home: Path) -> IndexSettings:
    """Return the settings of the user: variables and files of pip, uv, PDM, pipenv, npm, Go and others."""
    variables = {name.lower(): value for name, value in environ.items() if value}
    names = (
        "pip_index_url", "pip_extra_index_url", "pip_find_links", "uv_index_url", "uv_extra_index_url",
        "uv_default_index", "uv_index", "uv_find_links", "pdm_pypi_url", "pipenv_pypi_mirror",
    )  # fmt: skip
    python = [
        address.partition("=")[2] if re.match(r"[\w-]+=", address) else address  # uv: name=address
        for name in names
        for address in variables.get(name, "").split()
    ]
    for name in ("pip_no_index", "uv_no_index"):
        if variables.get(name, "0").lower() not in {"0", "false", "no", "off"}:
            python.append(_NO_INDEX)
    folders = _config_folders(variables, home)
    for path in (
        *_named_files(variables, "pip_config_file"),
        home / ".pip" / "pip.conf",
        *(folder / "pip" / name for folder in folders for name in ("pip.conf", "pip.ini")),
        SYSTEM_FOLDER / "pip.conf",
        *(
            Path(variables[name]) / "pip.conf"
            for name in ("virtual_env", "conda_prefix")
            if name in variables
        ),
    ):
        python += _read_pip_conf(path)
    for path in (*_named_files(variables, "uv_config_file"), *(f / "uv" / "uv.toml" for f in folders)):
        python += uv_indexes(_read_toml(path))
    for folder in folders:
        python += _pdm_indexes(_read_toml(folder / "pdm" / "config.toml"))
    npm = read_variables(variables).join(read_registries(home))
    for path in (
        *_named_files(variables, "npm_config_userconfig", "npm_config_globalconfig"),
        *(folder / "pnpm" / "rc" for folder in folders),
        SYSTEM_FOLDER / "npmrc",
    ):
        npm = npm.join(read_npmrc(path))
    go = _read_go(variables, folders)
    patterns = ",".join(go.get(name, "") for name in ("goprivate", "gonoproxy")).split(",")
    proxies = [p for p in re.split(r"[,|]", go.get("goproxy", "")) if p not in {"", "direct", "off"}]
    indexes = build_settings.read_user(variables, home, folders, SYSTEM_FOLDER)
    indexes |= {"npm": list(npm.default), "pypi": python, "golang": proxies}
    return IndexSettings(indexes, npm.scopes, [p for p in patterns if p])


def _config_folders(variables: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders with settings of programs, on each system: the user's, then those of all users."""
    folders = [Path(variables.get("xdg_config_home") or home / ".config")]
    folders += [home / "Library" / "Application Support", home / "Library" / "Preferences"]
    folders += [Path(variables[name]) for name in ("appdata", "programdata") if name in variables]
    places = variables.get("xdg_config_dirs")
    return [*folders, *map(Path, places.split(":") if places else ()), SYSTEM_FOLDER / "xdg", SYSTEM_FOLDER]


def _named_files(variables: Mapping[str, str], *names: str) -> list[Path]:
    """Return the paths in those variables that are set."""
    return [Path(variables[name]) for name in names if name in variables]


def _read_go(variables: Mapping[str, str], folders: Iterable[Path]) -> dict[str, str]:
    """Return the variables of Go, also those that ``go env -w`` keeps in a file."""
    go: dict[str, str] = {}
    for path in (*_named_files(variables, "goenv"), *(folder / "go" / "env" for folder in folders)):
        for line in read_optional(path).splitlines():
            name, _, value = line.partition("=")
            go.setdefault(name.strip().lower(), value.strip())
    return {**go, **{name: value for name, value in variables.items() if name.startswith("go")}}


def _begins(module: str, pattern: str) -> bool:
    """Return whether a pattern names the first parts of the name of a module."""
    parts = pattern.strip("/ ").split("/")
    names = module.split("/")
    return len(names) >= len(parts) and all(map(fnmatchcase, names, parts))


def project_indexes(tool: Mapping[str, Any]) -> list[str]:
    """Return the indexes in the tables of uv, poetry and pdm of a pyproject.toml."""
    addresses = uv_indexes(_table(tool, "uv"))
    for name in ("poetry", "pdm"):
        addresses += list(_entries(_table(tool, name).get("source")))
    return addresses


def _pdm_indexes(content: Mapping[str, Any]) -> list[str]:
    """Return the addresses of the indexes in PDM's own settings, ``url`` in ``[pypi]`` and below."""
    table = _table(content, "pypi")
    tables = [table, *(value for value in table.values() if isinstance(value, dict))]
    return [entry["url"] for entry in tables if isinstance(entry.get("url"), str)]


def uv_indexes(table: Mapping[str, Any]) -> list[str]:
    """Return the addresses of the indexes in a table of uv, without those that packages must ask for."""
    addresses = list(_entries(table.get("index")))
    if isinstance(pip := table.get("pip"), dict):  # the settings of `uv pip`
        addresses += uv_indexes({name: value for name, value in pip.items() if name != "pip"})
    for name in ("index-url", "extra-index-url", "find-links"):
        value = table.get(name, [])
        addresses += [str(v) for v in (value if isinstance(value, list) else [value])]
    return [*addresses, *([_NO_INDEX] if table.get("no-index") is True else [])]


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
        parser.read_string(read_optional(path))
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
        return parse_toml(path, read_optional(path))
    except InputError:
        return {}
