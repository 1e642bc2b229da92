"""Reads the sources that the settings of Maven, Gradle, NuGet, Cargo and Bundler name.

An SBOM rarely says where a package comes from, but the settings of the tool that built the project do.

Sources: maven.apache.org, "Settings Reference" and "Configuring Maven" (``.mvn/maven.config``);
docs.gradle.org, "Declaring repositories"; learn.microsoft.com, "nuget.config reference";
doc.rust-lang.org/cargo, "Configuration" and "Source Replacement"; bundler.io, "bundle config" and "Gemfile";
guides.rubygems.org, "gem environment".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from advisor.answers.dependencies.npm_settings import read_optional
from advisor.answers.dependencies.text import parse_toml, parse_xml
from advisor.errors import InputError

Sources = dict[str, list[str]]
"""Ecosystem → addresses."""
UNKNOWN_ADDRESS = "an address in the settings that advisor cannot read"
"""Stands for a source whose address is no text, so no name may leave the machine."""
_CRATES_IO = frozenset({
    "https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io",
    "registry+https://github.com/rust-lang/crates.io-index",
})  # fmt: skip
_NUGET_NAMES = ("nuget.config", "NuGet.config", "NuGet.Config")
# Visual Studio adds it on each machine; it has packages of nuget.org.
_NUGET_OFFLINE = "Microsoft SDKs\\NuGetPackages"
_GRADLE_NAMES = tuple(f"{name}.gradle{end}" for name in ("build", "settings", "init") for end in ("", ".kts"))
_GRADLE_REPOSITORY = re.compile(r"\b(?:maven|ivy|flatDir)\s*[({](?P<content>[^}]*)")
_GRADLE_ADDRESS = re.compile(r"""["'](?P<address>\w+:/[^\s"'$]+)["']""")
_GEM_NAMES = ("Gemfile", "gems.rb", "Gemfile.lock", "gems.locked")
_GEM_SOURCE = re.compile(r"""^\s*(?:source[\s(]+["']|remote:\s*)(?P<address>[^\s"']+)""", re.MULTILINE)
_GEM_MIRROR = re.compile(r"""^["']?BUNDLE_MIRROR__\S*:\s+["']?(?P<address>[^\s"']+)""", re.MULTILINE)
_GEM_LIST = re.compile(r"""^\s*-\s*["']?(?P<address>\w+:/[^\s"']+)""", re.MULTILINE)


def read_folder(folder: Path) -> Sources:
    """Return the sources that the files of a folder of a project name."""
    maven_options = read_optional(folder / ".mvn" / "maven.config")
    maven = [folder / "pom.xml", *_named_settings(maven_options, folder)]
    nuget = _read_each(_read_nuget, (folder / name for name in _NUGET_NAMES))
    gem = _read_each(_read_gemfile, (folder / name for name in _GEM_NAMES))
    return {
        "maven": _read_each(_read_maven, maven) + _read_gradle(folder),
        "nuget": nuget + _read_restore_sources(folder / "Directory.Build.props"),
        "cargo": _read_cargo_folder(folder / ".cargo"),
        "gem": gem + _find(_GEM_MIRROR, read_optional(folder / ".bundle" / "config")),
    }


def read_user(variables: Mapping[str, str], home: Path, folders: Iterable[Path], system: Path) -> Sources:
    """Return the sources that the settings of the user and of all users name.

    Args:
        variables: environment variables, their names in lower case.
        home: the user's folder.
        folders: folders with settings of programs.
        system: folder with the settings of all users.
    """
    maven = [home / ".m2" / "settings.xml", system / "maven" / "settings.xml"]
    for name in ("maven_home", "m2_home"):
        if name in variables:
            maven.append(Path(variables[name]) / "conf" / "settings.xml")
    maven += _named_settings(variables.get("maven_args", ""), Path.cwd())
    gradle = Path(variables.get("gradle_user_home") or home / ".gradle")
    places = (home / ".nuget" / "NuGet", *(folder / "NuGet" for folder in folders))
    nuget = [place / name for place in places for name in _NUGET_NAMES]
    for place in (home / ".nuget" / "config", system / "opt" / "NuGet" / "Config"):
        nuget += sorted(place.glob("*.[Cc]onfig"))
    registry = re.compile(r"cargo_registr(?:ies_\w+|y)_index")
    cargo = [value for name, value in variables.items() if registry.fullmatch(name)]
    cargo_folder = Path(variables.get("cargo_home") or home / ".cargo")
    gem = [value for name, value in variables.items() if name.startswith("bundle_mirror__")]
    gem += _find(_GEM_MIRROR, read_optional(home / ".bundle" / "config"))
    for path in (home / ".gemrc", system / "gemrc"):
        gem += _find(_GEM_LIST, read_optional(path))
    return {
        "maven": _read_each(_read_maven, maven) + _read_gradle(gradle, gradle / "init.d"),
        "nuget": _read_each(_read_nuget, nuget),
        "cargo": _remove_public(cargo) + _read_cargo_folder(cargo_folder),
        "gem": gem,
    }


def join(sources: Iterable[Sources]) -> Sources:
    """Return several sets of sources together."""
    result: Sources = {}
    for entry in sources:
        for ecosystem, addresses in entry.items():
            result.setdefault(ecosystem, []).extend(addresses)
    return result


def _read_each(read: Callable[[Path], list[str]], paths: Iterable[Path]) -> list[str]:
    return [address for path in paths for address in read(path)]


def _find(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match["address"] for match in pattern.finditer(text)]


def _read_xml(path: Path) -> ET.Element | None:
    """Return the first element; None: there is no such file.

    Raises:
        InputError: the file is not XML, or has a document type.
    """
    text = read_optional(path)
    return parse_xml(path, text) if text.strip() else None


def _elements(parent: ET.Element, *names: str) -> Iterator[ET.Element]:
    """Yield the elements of these names at any depth, in whatever namespace."""
    return (e for e in parent.iter() if isinstance(e.tag, str) and e.tag.rpartition("}")[2] in names)


def _text(parent: ET.Element, name: str) -> str:
    """Return the text of the first element of a name; empty: there is none."""
    return next(((e.text or "").strip() for e in _elements(parent, name)), "")


def _read_maven(path: Path) -> list[str]:
    """Return the mirrors and repositories of a settings.xml or pom.xml."""
    try:
        root = _read_xml(path)
    except InputError:
        return [UNKNOWN_ADDRESS]
    if root is None:
        return []
    entries = _elements(root, "mirror", "repository", "pluginRepository")
    # Maven's own settings block plain HTTP by a mirror that leads nowhere.
    return [_text(e, "url") or UNKNOWN_ADDRESS for e in entries if _text(e, "blocked") != "true"]


def _named_settings(options: str, folder: Path) -> list[Path]:
    """Return the settings files in options of Maven."""
    names = re.findall(r"(?:^|\s)(?:-s|-gs|--settings|--global-settings)[\s=]+(\S+)", options)
    return [folder / name.strip("\"'") for name in names]


def _read_gradle(*folders: Path) -> list[str]:
    """Return the repositories with an address in the scripts of folders, not ones like ``mavenCentral()``."""
    files = {folder / name for folder in folders for name in _GRADLE_NAMES}
    files |= {file for folder in folders if folder.name == "init.d" for file in folder.glob("*.gradle*")}
    addresses = []
    for file in sorted(files):
        for match in _GRADLE_REPOSITORY.finditer(read_optional(file)):
            address = _GRADLE_ADDRESS.search(match["content"])
            addresses.append(address["address"] if address else UNKNOWN_ADDRESS)
    return addresses


def _read_nuget(path: Path) -> list[str]:
    """Return the package sources of a nuget.config, also those that it disables."""
    try:
        root = _read_xml(path)
    except InputError:
        return [UNKNOWN_ADDRESS]
    tables = () if root is None else _elements(root, "packageSources")
    values = [entry.get("value") or "" for table in tables for entry in _elements(table, "add")]
    return [value for value in values if not value.rstrip("\\").endswith(_NUGET_OFFLINE)]


def _read_restore_sources(path: Path) -> list[str]:
    """Return the package sources in the properties of MSBuild."""
    try:
        root = _read_xml(path)
    except InputError:
        return [UNKNOWN_ADDRESS]
    names = ("RestoreSources", "RestoreAdditionalProjectSources")
    texts = [] if root is None else [e.text or "" for e in _elements(root, *names)]
    addresses = [address.strip() for text in texts for address in text.split(";")]
    return [address for address in addresses if address and not address.startswith("$(Restore")]


def _read_cargo_folder(folder: Path) -> list[str]:
    return [address for name in ("config.toml", "config") for address in _read_cargo(folder / name)]


def _read_cargo(path: Path) -> list[str]:
    """Return the registries of Cargo's settings, and what replaces crates.io."""
    text = read_optional(path)
    try:
        content = parse_toml(path, text) if text else {}
    except InputError:
        return [UNKNOWN_ADDRESS]
    registries = _tables(content, "registries")
    addresses = [_address(entry, "index") for name, entry in registries if name != "crates-io"]
    for name, entry in _tables(content, "source"):
        keys = [key for key in ("registry", "local-registry", "directory", "git") if key in entry]
        if name != "crates-io" or keys:
            addresses += [_address(entry, key) for key in keys] or [UNKNOWN_ADDRESS]
    registry = content.get("registry")
    if isinstance(registry, dict) and "index" in registry:
        addresses.append(_address(registry, "index"))
    return _remove_public(addresses)


def _remove_public(addresses: Iterable[str]) -> list[str]:
    """Return the addresses of Cargo's registries without those of crates.io, whose old index is on GitHub."""
    return [a for a in addresses if a.rstrip("/").removesuffix(".git") not in _CRATES_IO]


def _tables(content: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    table = content.get(name)
    for key, entry in table.items() if isinstance(table, dict) else ():
        if isinstance(entry, dict):
            yield key, entry


def _address(entry: Mapping[str, Any], key: str) -> str:
    return str(entry.get(key) or UNKNOWN_ADDRESS)


def _read_gemfile(path: Path) -> list[str]:
    return _find(_GEM_SOURCE, read_optional(path))
