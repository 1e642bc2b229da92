"""Attacks by dependency files, and by what lies around them: nothing private leaves, nothing hangs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from bare_environment import bare_environment
from typer.testing import CliRunner

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency, files, indexes, text
from advisor.answers.dependencies.packages import ATTESTATION, find_origin, read_origins
from advisor.cli import app, load
from advisor.errors import InputError
from advisor.facts import reading, writing

load(None)

PUBLIC_PAGE = {"info": {"version": "1", "project_urls": {"Source": "https://github.com/org/zzz-public"}}}
CORP = "https://alice:hunter2@pypi.corp.example/simple"  # pragma: allowlist secret
SECRETS = ("hunter2", "alice", "SECRETSIG", "glpat-XYZ", "GH_TOKEN", "hun/ter")


@pytest.fixture
def wire(monkeypatch, tmp_path):
    """Record every request and every look-up of a host; answer as PyPI and npm do for the public packages."""
    requests: list[str] = []

    async def answer(_self, request: httpx.Request) -> httpx.Response:
        requests.append(f"{request.url} {request.content.decode()}")
        known = "zzz-public" in str(request.url) and request.url.host in {"pypi.org", "registry.npmjs.org"}
        return httpx.Response(200 if known else 404, json=PUBLIC_PAGE if known else {}, request=request)

    def look_up(host, *_, **__):
        requests.append(f"look-up of {host}")
        raise OSError("no network in tests")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for name in os.environ:
        if name.upper().startswith(
            (
                "PIP",
                "UV_",
                "NPM_",
                "PNPM_",
                "YARN_",
                "BUN_",
                "PDM_",
                "GO",
                "GH_",
                "GITHUB_",
                "XDG_",
                "VIRTUAL_ENV",
                "CONDA_",
                "CARGO_",
                "MAVEN_",
                "M2_",
                "GRADLE_",
                "BUNDLE_",
            )
        ):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    (tmp_path / ".git").mkdir()  # the settings of a project end here
    monkeypatch.setattr(indexes, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return requests


def collect(folder: Path, *names: str, more: tuple[str, ...] = ()):
    options = [word for name in names for word in ("--from", str(folder / name))]
    sources = [] if "--git-only" in more else [
        word for source in ("github", "pypi", "pypistats", "depsdev", "scorecard") for word in ("--source", source)
    ]  # fmt: skip
    command = ["collect", *options, *sources, "--store", str(folder / "store"), "--max-wait", "0", *more]
    # In a thread of its own: playwright's fixture, which lasts for the session, has a running event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(CliRunner().invoke, app, command).result()


def write(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("__", ".").replace("_x_", "-")).write_text(content)


PRIVATE = {
    "an index of pip": ("requirements.txt", "--index-url {corp}\nacme-billing==1\n"),
    "a second index of pip": ("requirements.txt", "acme-billing\n--extra-index {corp}\n"),
    "an index in the short form": ("requirements.txt", "-i{corp}\nacme-billing\n"),
    "no index": ("requirements.txt", "--no-index\nacme-billing\n"),
    "a folder of wheels": ("requirements.txt", "-f ./wheels\nacme-billing\n"),
    "a path": ("requirements.txt", "./acme-billing\n"),
    "a git address": ("requirements.txt", "git+https://git.corp.example/acme/billing.git\n"),
    "a git address on GitHub": ("requirements.txt", "acme-billing @ git+ssh://git@github.com/corp/billing.git\n"),
    "an index of uv.lock": ("uv.lock", '[[package]]\nname = "acme-billing"\nversion = "1"\nsource = {{ registry = "{corp}" }}\n'),
    "files of uv.lock": ("uv.lock", '[[package]]\nname = "acme-billing"\nwheels = [{{ url = "https://pypi.corp.example/a.whl" }}]\n'),
    "a source of poetry.lock": ("poetry.lock", '[[package]]\nname = "acme-billing"\nversion = "1"\n[package.source]\ntype = "legacy"\nurl = "{corp}"\n'),
    "an index of pylock.toml": ("pylock.toml", '[[packages]]\nname = "acme-billing"\nindex = "{corp}"\n'),
    "an explicit index of uv": ("pyproject.toml", '[project]\nname = "m"\ndependencies = ["acme-billing"]\n[tool.uv.sources]\nacme_billing = {{ index = "c" }}\n[[tool.uv.index]]\nname = "c"\nurl = "{corp}"\nexplicit = true\n'),
    "an index of uv": ("pyproject.toml", '[project]\nname = "m"\ndependencies = ["acme-billing"]\n[[tool.uv.index]]\nurl = "{corp}"\n'),
    "a workspace of uv": ("pyproject.toml", '[project]\nname = "m"\ndependencies = ["acme-billing"]\n[tool.uv.sources]\nacme-billing = {{ workspace = true }}\n'),
    "a source of poetry": ("pyproject.toml", '[tool.poetry.dependencies]\nacme-billing = {{ version = "1", source = "c" }}\n[[tool.poetry.source]]\nname = "c"\nurl = "{corp}"\npriority = "explicit"\n'),
    "a registry of npm's lock": ("package-lock.json", '{{"packages": {{"node_modules/@acme/billing": {{"version": "1.0.0", "resolved": "https://npm.corp.example/@acme/billing/-/billing-1.0.0.tgz"}}}}}}'),
    "a registry of pnpm's lock": ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  '@acme/billing@1.0.0': {{resolution: {{integrity: x, tarball: 'https://npm.corp.example/b.tgz'}}}}\n"),
    "a workspace of npm": ("package.json", '{{"dependencies": {{"@acme/billing": "workspace:*"}}}}'),
    **{f"{spec} of npm": ("package.json", f'{{{{"dependencies": {{{{"acme-billing": "{spec}"}}}}}}}}')
       for spec in ("bitbucket:acme/billing", "gitlab:acme/billing", "portal:../x", "link:../x", "file:../x", "jsr:@acme/x",
                    "git@git.corp.example:acme/x.git", "git+ssh://git@git.corp.example/acme/x.git", "../x", "~/x",
                    "https://npm.corp.example/x.tgz", "exec:./x")},
    "a registry in a package URL": ("bom.json", '{{"bomFormat": "CycloneDX", "components": [{{"name": "acme-billing", "purl": "pkg:npm/acme-billing@1?repository_url=https://npm.corp.example"}}]}}'),
    "a registry in an SBOM": ("bom.json", '{{"bomFormat": "CycloneDX", "components": [{{"name": "acme-billing", "purl": "pkg:pypi/acme-billing@1", "externalReferences": [{{"type": "distribution", "url": "https://pypi.corp.example/a.whl"}}]}}]}}'),
    "a private host of Go": ("bom.json", '{{"bomFormat": "CycloneDX", "components": [{{"name": "acme", "purl": "pkg:golang/go.corp.example/acme@v1"}}]}}'),
    "a channel of conda": ("environment.yml", "dependencies: ['corp::acme-billing', acme-tools]\n"),
    "the pip part of conda": ("environment.yml", "dependencies:\n  - pip: ['--index-url {corp}', acme-billing]\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", PRIVATE)
def test_no_private_name_leaves_the_machine(wire, tmp_path, case):
    name, content = PRIVATE[case]
    (tmp_path / name).write_text(content.format(corp=CORP))
    (tmp_path / "public.txt").write_text("zzz-public\n")  # proves that the wire sees requests
    # its own file: the indexes of the first belong to the packages of the first
    (tmp_path / "other").mkdir()
    (tmp_path / "public.txt").rename(tmp_path / "other" / "public.txt")
    result = collect(tmp_path, name, "other/public.txt", more=("--exclude", "nothing"))
    private = [request for request in wire if "acme" in request or "billing" in request or "corp" in request]
    if case == "a git address on GitHub":  # GitHub serves it, so only GitHub is asked about it
        assert private
        assert all("github" in request.partition(" ")[0].split("/")[2] for request in private)
    else:
        assert private == []
    is_python_setting = name == "pyproject.toml" and "uv.index" in content and "explicit" not in content
    assert any("pypi.org/pypi/zzz-public/json" in request for request in wire) is not is_python_setting
    assert not [word for word in SECRETS if word in result.output + str(result.exception)]


@pytest.mark.parametrize(("variables", "home", "ecosystem"), [
    ({"PIP_INDEX_URL": CORP}, {}, "pypi"),
    ({"PIP_EXTRA_INDEX_URL": f"https://pypi.org/simple {CORP}"}, {}, "pypi"),
    ({"PIP_NO_INDEX": "1"}, {}, "pypi"),
    ({"UV_INDEX_URL": CORP}, {}, "pypi"),
    ({"UV_DEFAULT_INDEX": CORP}, {}, "pypi"),
    ({"UV_INDEX": f"corp={CORP}"}, {}, "pypi"),
    ({}, {".pip/pip.conf": f"[global]\nindex-url = {CORP}\n"}, "pypi"),
    ({}, {".config/pip/pip.conf": f"[install]\nextra_index_url =\n  https://pypi.org/simple\n  {CORP}\n"}, "pypi"),
    ({}, {".pip/pip.conf": "[global]\nno-index = yes\n"}, "pypi"),
    ({}, {".config/uv/uv.toml": f'[[index]]\nurl = "{CORP}"\ndefault = true\n'}, "pypi"),
    ({"NPM_CONFIG_REGISTRY": "https://npm.corp.example"}, {}, "npm"),
    ({}, {".npmrc": "//npm.corp.example/:_authToken=SECRETSIG\nregistry = https://npm.corp.example\n"}, "npm"),
    ({"UV_NO_INDEX": "1"}, {}, "pypi"),
    ({"PDM_PYPI_URL": CORP}, {}, "pypi"),
    ({"PIPENV_PYPI_MIRROR": CORP}, {}, "pypi"),
    ({}, {".config/uv/uv.toml": f'[pip]\nextra-index-url = ["{CORP}"]\n'}, "pypi"),
    ({}, {".config/pdm/config.toml": f'[pypi]\nurl = "{CORP}"\n'}, "pypi"),
    ({}, {".config/pdm/config.toml": f'[pypi.corp]\nurl = "{CORP}"\n'}, "pypi"),
    ({}, {"Library/Application Support/pip/pip.conf": f"[global]\nindex-url = {CORP}\n"}, "pypi"),
    ({}, {"../etc/xdg/pip/pip.conf": f"[global]\nindex-url = {CORP}\n"}, "pypi"),
    ({"VIRTUAL_ENV": "{home}/venv"}, {"venv/pip.conf": f"[global]\nindex-url = {CORP}\n"}, "pypi"),
    ({"APPDATA": "{home}/Roaming"}, {"Roaming/pip/pip.ini": f"[global]\nindex-url = {CORP}\n"}, "pypi"),
    ({"PIP_CONFIG_FILE": "{home}/x"}, {".config/pip/pip.conf": f"[global]\nindex-url = {CORP}\n"}, "pypi"),
    ({"YARN_NPM_REGISTRY_SERVER": "https://npm.corp.example"}, {}, "npm"),
    ({"BUN_CONFIG_REGISTRY": "https://npm.corp.example"}, {}, "npm"),
    ({}, {".yarnrc.yml": "npmAuthToken: SECRETSIG\nnpmRegistryServer: https://npm.corp.example\n"}, "npm"),
    ({}, {".yarnrc": 'registry "https://npm.corp.example"\n'}, "npm"),
    ({}, {".bunfig.toml": '[install]\nregistry = { url = "https://npm.corp.example", token = "SECRETSIG" }\n'}, "npm"),
    ({}, {".config/pnpm/rc": "registry=https://npm.corp.example\n"}, "npm"),
    ({}, {"../etc/npmrc": "registry=https://npm.corp.example\n"}, "npm"),
])  # fmt: skip
def test_the_settings_of_the_user_keep_names_at_home(wire, tmp_path, monkeypatch, variables, home, ecosystem):
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("{home}", str(tmp_path / "home")))
    for name, content in home.items():
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "requirements.txt").write_text("zzz-public\n")
    (tmp_path / "package.json").write_text('{"dependencies": {"zzz-public": "1"}}')
    result = collect(tmp_path, "requirements.txt", "package.json")
    hosts = {"pypi": "https://pypi.org", "npm": "https://registry.npmjs.org"}
    for kind, host in hosts.items():
        assert any(request.startswith(host) for request in wire) is (kind != ecosystem), wire
    assert not [word for word in SECRETS if word in result.output + str(result.exception)]


@pytest.mark.parametrize(("name", "content", "packages"), [
    (".yarnrc.yml", "npmScopes:\n  acme:\n    npmRegistryServer: https://npm.corp.example\n", "@acme/billing"),
    (".yarnrc", '"@acme:registry" "https://npm.corp.example"\n', "@acme/billing"),
    (".npmrc", "@acme:registry=${NPM_CORP}\n", "@acme/billing"),
    ("bunfig.toml", '[install.scopes]\nacme = { url = "https://npm.corp.example", token = "x" }\n', "@acme/billing"),
    ("pnpm-workspace.yaml", "registries:\n  '@acme': https://npm.corp.example\n", "@acme/billing"),
    ("pnpm-workspace.yaml", "registries:\n  default: https://npm.corp.example\n", "billing"),
    ("bunfig.toml", '[install]\nregistry = "https://npm.corp.example"\n', "billing"),
    (".npmrc", "@acme:registry=https://npm.corp.example\n", "@acme/billing"),
    ("pdm.toml", f'[pypi]\nurl = "{CORP}"\n', "billing"),
    ("uv.toml", f'[pip]\nindex-url = "{CORP}"\n', "billing"),
])  # fmt: skip
def test_the_settings_of_a_project_keep_names_at_home(wire, tmp_path, name, content, packages):
    """They lie in the folder of the file, or above it with settings of another kind between."""
    (tmp_path / name).write_text(content)
    below = tmp_path / "app"
    below.mkdir()
    (below / ".npmrc").write_text("@other:registry=https://registry.npmjs.org\n")
    is_python = name.endswith(".toml") and name != "bunfig.toml"
    file = "requirements.txt" if is_python else "package.json"
    other = below / ("package.json" if is_python else "requirements.txt")
    for path in (below / "requirements.txt", below / "package.json"):
        word = "zzz-public" if path == other else packages
        text = f"{word}\n" if path.suffix == ".txt" else json.dumps({"dependencies": {word: "1"}})
        path.write_text(text)
    collect(tmp_path, f"app/{file}", f"app/{other.name}")
    assert any("zzz-public" in request for request in wire)
    assert not any("billing" in request or "corp" in request for request in wire), wire


@pytest.mark.parametrize("variables", [
    {"GOPRIVATE": "*.corp.example,go.uber.org/acme"}, {"GONOPROXY": "*.uber.org/ac*"},
    {"GOPROXY": "https://go.corp.example,direct"}, {},
])  # fmt: skip
def test_a_private_go_module_stays_at_home(wire, tmp_path, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    component = {"name": "billing", "purl": "pkg:golang/go.uber.org/acme/billing@v1"}
    (tmp_path / "bom.json").write_text(json.dumps({"bomFormat": "CycloneDX", "components": [component]}))
    result = collect(tmp_path, "bom.json", more=("--dry-run",))
    assert ("asks nobody" in result.output) is bool(variables), result.output


MAVEN = "<settings xmlns='http://maven.apache.org/SETTINGS/1.2.0'>{}</settings>"
MIRROR = MAVEN.format(
    "<mirrors><mirror><mirrorOf>*</mirrorOf><url>https://u:hunter2@mvn.corp.example/x</url></mirror></mirrors>"
)
PROFILE = MAVEN.format(
    "<profiles><profile><repositories><repository><url>${corp}</url></repository></repositories></profile></profiles>"
)
BLOCKER = MAVEN.format(
    "<mirrors><mirror><url>http://0.0.0.0/</url><blocked>true</blocked></mirror></mirrors>"
)
POM = "<project><repositories><repository><id>x</id><url>{}</url></repository></repositories></project>"
NUGET = '<?xml version="1.0"?><configuration><packageSources><clear /><add key="a" value="{}" /></packageSources></configuration>'
PROPS = "<Project><PropertyGroup><RestoreAdditionalProjectSources>$(RestoreAdditionalProjectSources);{}</RestoreAdditionalProjectSources></PropertyGroup></Project>"
CRATES = "[registries.crates-io]\nprotocol = 'sparse'\n[registry]\nindex = '{}'\n[source.crates-io]\nregistry = '{}'\n"
CRATES_IO = ("https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/")
SETTINGS_OF_BUILDS = [
    # kind, path of the file, content, whether a name may still leave
    ("maven", "home/.m2/settings.xml", MIRROR, False),
    ("maven", "home/.m2/settings.xml", PROFILE, False),
    ("maven", "home/.m2/settings.xml", BLOCKER, True),
    ("maven", "home/.m2/settings.xml", f"<!DOCTYPE x>{BLOCKER}", False),
    ("maven", "etc/maven/settings.xml", MIRROR, False),
    ("maven", "pom.xml", POM.format("https://mvn.corp.example"), False),
    ("maven", "pom.xml", POM.format("https://repo.maven.apache.org/maven2"), True),
    ("maven", "build.gradle", "repositories { mavenCentral()\n maven { url 'https://mvn.corp.example/a' } }", False),
    ("maven", "settings.gradle.kts", 'repositories { maven(url = "https://mvn.corp.example/a") }', False),
    ("maven", "build.gradle.kts", 'repositories { maven { name = "x"; url = uri(property(corp)) } }', False),
    ("maven", "home/.gradle/init.d/corp.gradle", "allprojects { repositories { maven { url 'https://mvn.corp.example' } } }", False),
    ("maven", "build.gradle", "plugins { id 'maven-publish' }\nrepositories { google(); maven { url 'https://plugins.gradle.org/m2' } }", True),
    ("nuget", "nuget.config", NUGET.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "NuGet.Config", NUGET.format("./packages"), False),
    ("nuget", "NuGet.config", NUGET.format("https://api.nuget.org/v3/index.json"), True),
    ("nuget", "nuget.config", NUGET.format("C:\\Program Files (x86)\\Microsoft SDKs\\NuGetPackages\\"), True),
    ("nuget", "nuget.config", "<configuration>", False),
    ("nuget", "home/.nuget/NuGet/NuGet.Config", NUGET.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "home/.nuget/config/corp.config", NUGET.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "Directory.Build.props", PROPS.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "Directory.Build.props", PROPS.format(""), True),
    ("cargo", ".cargo/config.toml", "[registries.corp]\nindex = 'sparse+https://cargo.corp.example/'\n", False),
    ("cargo", ".cargo/config.toml", "[source.crates-io]\nreplace-with = 'corp'\n[source.corp]\nregistry = 'https://cargo.corp.example'\n", False),
    ("cargo", ".cargo/config", "[source.crates-io]\nreplace-with = 'v'\n[source.v]\ndirectory = 'vendor'\n", False),
    ("cargo", "home/.cargo/config.toml", "registries.corp.index = 'ssh://git@cargo.corp.example/index'\n", False),
    ("cargo", "home/.cargo/config.toml", CRATES.format(*CRATES_IO), True),
    ("cargo", ".cargo/config.toml", "[build]\njobs = 2\n", True),
    ("gem", "Gemfile", "source 'https://rubygems.org'\nsource('https://gems.corp.example') do\n  gem 'x'\nend\n", False),
    ("gem", "Gemfile.lock", "GEM\n  remote: https://gems.corp.example/\n  specs:\n", False),
    ("gem", ".bundle/config", '---\nBUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/: "https://u:hunter2@gems.corp.example"\n', False),
    ("gem", "home/.gemrc", ":sources:\n- https://rubygems.org\n- https://gems.corp.example/\n", False),
    ("gem", "Gemfile", "source 'https://rubygems.org'\ngem 'zzz'\n", True),
]  # fmt: skip


@pytest.mark.parametrize(("ecosystem", "place", "content", "leaves"), SETTINGS_OF_BUILDS)
def test_a_name_in_an_sbom_follows_the_settings_of_the_build(
    wire, tmp_path, ecosystem, place, content, leaves
):
    """The SBOM lies below the settings, and the wire proves that another ecosystem is still asked."""
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(content)
    (tmp_path / "target").mkdir()
    purls = (f"pkg:{ecosystem}/com.acme/billing@1.0", "pkg:npm/zzz-public@1.0.0")
    components = [{"name": "x", "purl": purl} for purl in purls]
    (tmp_path / "target" / "bom.json").write_text(
        json.dumps({"bomFormat": "CycloneDX", "components": components})
    )
    plan = collect(tmp_path, "target/bom.json", more=("--dry-run",)).output
    assert ("billing: asks deps.dev" in plan) is leaves, plan
    assert ("billing: asks nobody: it may come from" in plan) is not leaves
    assert wire == []
    result = collect(tmp_path, "target/bom.json")
    assert any("registry.npmjs.org/zzz-public" in request for request in wire)
    assert any("billing" in request for request in wire) is leaves
    assert not any("corp" in request for request in wire)
    assert not [word for word in SECRETS if word in plan + result.output + str(result.exception)]


@pytest.mark.parametrize(("variables", "ecosystem"), [
    ({"CARGO_REGISTRIES_CORP_INDEX": "https://cargo.corp.example"}, "cargo"),
    ({"CARGO_HOME": "{home}/c"}, "cargo"), ({"MAVEN_ARGS": "-B -s {home}/c/config.toml"}, "maven"),
    ({"BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/": "https://gems.corp.example"}, "gem"),
])  # fmt: skip
def test_variables_of_build_tools_keep_names_at_home(wire, tmp_path, monkeypatch, variables, ecosystem):
    """What MAVEN_ARGS names is no XML, so nobody knows its mirrors."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("{home}", str(tmp_path / "home")))
    write(tmp_path / "home" / "c", config__toml="[registries.corp]\nindex = 'https://cargo.corp.example'\n")
    component = {"name": "x", "purl": f"pkg:{ecosystem}/billing@1.0"}
    (tmp_path / "bom.json").write_text(json.dumps({"bomFormat": "CycloneDX", "components": [component]}))
    plan = collect(tmp_path, "bom.json", more=("--dry-run",)).output
    collect(tmp_path, "bom.json")
    assert "billing: asks nobody: it may come from" in plan and wire == []


def test_a_public_entry_of_a_lock_file_still_goes_to_the_public_index(wire, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_INDEX_URL", CORP)
    entry = '[[package]]\nname = "{}"\nversion = "1"\nsource = {{ registry = "{}" }}\n'
    (tmp_path / "uv.lock").write_text(
        entry.format("zzz-public", "https://pypi.org/simple") + entry.format("acme-billing", CORP)
    )
    collect(tmp_path, "uv.lock")
    assert any("pypi.org/pypi/zzz-public" in request for request in wire)
    assert not any("acme" in request for request in wire)


def test_settings_that_cannot_be_read_have_no_effect(wire, tmp_path):
    (tmp_path / "pyproject.toml").write_text("tool = 1\n")
    (tmp_path / "uv.toml").write_text("[")
    (tmp_path / "home" / ".pip").mkdir()
    (tmp_path / "home" / ".pip" / "pip.conf").write_text("index-url without a section")
    (tmp_path / "requirements.txt").write_text("zzz-public\n")
    collect(tmp_path, "requirements.txt")
    assert any("pypi.org/pypi/zzz-public" in request for request in wire)


def test_a_source_of_uv_is_where_a_package_comes_from(tmp_path):
    (tmp_path / "pyproject.toml").write_text("""[project]
name = "mine"
dependencies = ["trl", "torch", "acme-core"]
[tool.uv.sources]
trl = { git = "https://user:pw@github.com/acme/trl-fork", branch = "main" }
torch = [{ index = "gpu", marker = "sys_platform == 'linux'" }, { marker = "sys_platform == 'darwin'" }]
acme_core = { workspace = true }
[[tool.uv.index]]
name = "gpu"
url = "https://download.pytorch.org/whl/cu121"
explicit = true
""")  # pragma: allowlist secret
    fork, torch, core = files.read_dependencies([tmp_path / "pyproject.toml"])
    assert (fork.repository, fork.local) == ("acme/trl-fork", "https://github.com/acme/trl-fork")
    assert torch.index == "download.pytorch.org" and indexes.is_public(torch)
    assert core.local == "the workspace of the project" and not indexes.is_public(core)
    assert find_origin(fork, read_origins([])).repository == "acme/trl-fork"


def test_a_scope_with_a_registry_of_its_own(wire, tmp_path):
    (tmp_path / ".npmrc").write_text("@acme:registry=https://npm.corp.example/\n")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "package.json").write_text(
        '{"dependencies": {"@acme/billing": "1", "zzz-public": "1"}}'
    )
    collect(tmp_path, "web/package.json")
    assert any("registry.npmjs.org/zzz-public" in request for request in wire)
    assert not any("acme" in request for request in wire)


@pytest.mark.parametrize("option", ["--dry-run", "--git-only"])
def test_a_dry_run_and_git_alone_ask_nothing(wire, tmp_path, option):
    (tmp_path / "requirements.txt").write_text("zzz-public\n./own\nacme-x @ git+https://github.com/acme/x\n")
    result = collect(tmp_path, "requirements.txt", more=(option, "--exclude", "acme-*"))
    assert wire == [] and not isinstance(result.exception, (OSError, AssertionError))


def test_the_plan_shows_each_name_and_where_it_goes(wire, tmp_path):
    (tmp_path / "requirements.txt").write_text(
        f"zzz-public\nacme-a\n./own\nacme-b @ {CORP}/b.whl?sig=SECRETSIG\n"
    )
    (tmp_path / "package.json").write_text('{"dependencies": {"zzz": "1", "@acme/c": "1"}}')
    (tmp_path / ".npmrc").write_text("@acme:registry=https://npm.corp.example/\n")
    options = ("--dry-run", "--exclude", "acme-a", "--ask", "pypi,npm")
    result = collect(tmp_path, "requirements.txt", "package.json", more=options)
    assert result.stdout.splitlines() == [
        "zzz-public: asks pypi",
        "acme-a: asks nobody: --exclude acme-a names it",
        "own: asks nobody: it is ./own",
        "acme-b: asks nobody: it is https://pypi.corp.example/simple/b.whl",
        "zzz: asks npm",
        "@acme/c: asks nobody: it may come from npm.corp.example, which is not a public index",
    ]
    assert wire == [] and result.exit_code == 0


def test_only_the_services_that_may_be_asked_are_asked(wire, tmp_path):
    (tmp_path / "requirements.txt").write_text("zzz-public\n")
    collect(tmp_path, "requirements.txt", more=("--ask", "deps.dev"))
    hosts = {request.split("/")[2] for request in wire}
    assert hosts == {"api.deps.dev"}
    wire.clear()
    collect(tmp_path, "requirements.txt", more=("--ask", "none"))
    assert wire == []
    result = collect(tmp_path, "requirements.txt", more=("--ask", "pypo"))
    assert "unknown service 'pypo'" in str(result.exception)


# Secrets and files that are none of our business


ADDRESSES = [
    (
        "https://alice:hunter2@pypi.corp.example/req.txt",
        "https://pypi.corp.example/req.txt",
    ),  # pragma: allowlist secret
    (
        "bar @ https://alice:hun/ter@2@pypi.corp.example/b.tar.gz",
        "bar @ https://pypi.corp.example/b.tar.gz",
    ),  # pragma: allowlist secret
    ("https://alice:12/3@files.example/x", "https://files.example/x"),  # pragma: allowlist secret
    ("https://u:p?w@files.example/x", "https://files.example/x"),  # pragma: allowlist secret
    ("https://u:p#w@files.example/x", "https://files.example/x"),  # pragma: allowlist secret
    ("https://files.example/b.tar.gz?sig=SECRETSIG#sha256=1", "https://files.example/b.tar.gz"),
    ("git+https://${GH_TOKEN}@github.com/a/s.git@v1#egg=s", "git+https://github.com/a/s.git@v1"),
    ("git+https://files.example/o/n.git@feature/x", "git+https://files.example/o/n.git@feature/x"),
    ("git@files.example:o/n.git", "files.example:o/n.git"),
    ("https://localhost:8080/o/n@v1", "https://localhost:8080/o/n@v1"),
    ("https://[::1]:8080/o/n@v1", "https://[::1]:8080/o/n@v1"),
    ("@scope/name@1.0.0", "@scope/name@1.0.0"),
]


@pytest.mark.parametrize(("address", "shown"), ADDRESSES)
def test_an_address_is_shown_without_secrets(address, shown):
    assert remove_credentials(address) == shown


def test_no_output_and_no_error_shows_a_secret(tmp_path):
    lines = ["--extra-index-url https://alice:hunter2@pypi.corp.example/simple",  # pragma: allowlist secret
             "foo @ https://alice:hunter2@pypi.corp.example/foo-1.0.tar.gz",  # pragma: allowlist secret
             "bar @ https://alice:hun/ter@2@pypi.corp.example/bar-1.0.tar.gz",  # pragma: allowlist secret
             "baz @ https://files.corp.example/baz-1.0.tar.gz?sig=SECRETSIG",
             "https://files.corp.example/qux-1.0.tar.gz?sig=SECRETSIG",
             "git+https://${GH_TOKEN}@github.com/acme/secret.git@v1#egg=secret",
             "-e git+https://oauth2:glpat-XYZ@gitlab.com/acme/gl.git#egg=gl"]  # fmt: skip
    path = tmp_path / "requirements.txt"
    path.write_text("\n".join(lines))
    for form in ("table", "json", "csv", "markdown", "sarif"):
        result = CliRunner().invoke(
            app, ["rank", "--from", str(path), "--store", "bundled", "--format", form]
        )
        assert result.exit_code == 0 and not [word for word in SECRETS if word in result.output], form
    bad = {
        "a.txt": "-r https://alice:hunter2@pypi.corp.example/req.txt",  # pragma: allowlist secret
        "b.txt": "x y @ https://alice:hunter2@h.example/x",  # pragma: allowlist secret
        "c.txt": "https://alice:hunter2@h.example/x.whl?sig=SECRETSIG",  # pragma: allowlist secret
        "d.yml": "dependencies: [{pip: ['x y @ https://alice:hunter2@h.example/x']}]",  # pragma: allowlist secret
        "e.yml": "a: 'https://alice:hunter2@h.example/x",  # pragma: allowlist secret
        "package.json": '{"dependencies": {"https://alice:hunter2@h.example/x": "1"}}',  # pragma: allowlist secret
        "bom.json": '{"bomFormat": "CycloneDX", "components": [{"name": "x", "purl": "https://alice:hunter2@h.example/x"}]}',  # pragma: allowlist secret
    }  # fmt: skip
    for name, content in bad.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError) as error_info:
            files.read_dependencies([tmp_path / name])
        assert not [word for word in SECRETS if word in str(error_info.value)], error_info.value


@pytest.fixture
def outside(tmp_path):
    """A folder for the files of a test, beside a file with a secret."""
    (tmp_path / "secret.txt").write_text("root:SECRETSIG:0:0\n")
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.mark.parametrize("line", [
    "-r ../secret.txt", "-c ../secret.txt", "-r /proc/self/environ", "-r sub/../../secret.txt", "-r link.txt",
    "-r /dev/zero", "-rpipe.txt", "-r self.txt", "-r /etc/passwd", "-r nul\0.txt", "-r " + "a" * 5000,
])  # fmt: skip
def test_a_file_outside_the_folder_is_not_read(outside, line):
    (outside / "sub").mkdir()
    (outside / "link.txt").symlink_to(outside.parent / "secret.txt")
    (outside / "self.txt").symlink_to(outside / "self.txt")
    os.mkfifo(outside / "pipe.txt")
    (outside / "requirements.txt").write_text(f"flask\n{line}\n")
    with pytest.raises(InputError) as error_info:
        files.read_dependencies([outside / "requirements.txt"])
    assert "SECRETSIG" not in str(error_info.value) and "root:" not in str(error_info.value)
    assert "\n" not in str(error_info.value)


def test_a_named_link_to_another_folder_is_not_read(outside):
    for name in ("requirements.txt", "uv.lock", "package.json"):
        (outside / name).symlink_to(outside.parent / "secret.txt")
        with pytest.raises(InputError, match="is a link to another folder") as error_info:
            files.read_dependencies([outside / name])
        assert "SECRETSIG" not in str(error_info.value)


def test_a_folder_may_be_allowed(outside):
    (outside.parent / "shared").mkdir()
    (outside.parent / "shared" / "base.txt").write_text("flask==3.0.0\n")
    (outside / "requirements.txt").write_text("-r ../shared/base.txt\n")
    command = ["rank", "--store", "bundled", "--format", "csv", "--from", str(outside / "requirements.txt")]
    refusal = CliRunner().invoke(app, command)
    assert "../shared/base.txt is outside the folder" in str(refusal.exception)
    result = CliRunner().invoke(app, [*command, "--include", str(outside.parent / "shared")])
    assert "pypi,flask,3.0.0" in result.output


@pytest.mark.parametrize(
    "name", ["../../x", "@a/../../x", "..", "/x", "a/b", "@a/b/c", "", "a\\b", "node_modules", "x" * 215]
)
def test_a_name_that_npm_forbids_reads_no_file(outside, name):
    (outside.parent / "x").mkdir()
    (outside.parent / "x" / "package.json").write_text('{"repository": "github:huggingface/trl"}')
    for file, content in (("package.json", {"dependencies": {name: "1.0.0"}}),
                          ("package-lock.json", {"packages": {"node_modules/a": {"name": name, "version": "1.0.0"}}})):  # fmt: skip
        if file == "package-lock.json" and not name:
            continue  # an empty name is no name: the folder names the package
        (outside / file).write_text(json.dumps(content))
        with pytest.raises(InputError, match="is not the name of an npm package"):
            files.read_dependencies([outside / file])


def test_an_installed_package_outside_the_folder_is_not_read(outside):
    (outside.parent / "x").mkdir()
    (outside.parent / "x" / "package.json").write_text('{"repository": "github:huggingface/trl"}')
    (outside / "node_modules").mkdir()
    (outside / "node_modules" / "evil").symlink_to(outside.parent / "x")
    (outside / "package.json").write_text('{"dependencies": {"evil": "1.0.0"}}')
    (package,) = files.read_dependencies([outside / "package.json"])
    assert package.repository is None


# Files that take for ever


def hostile(folder: Path) -> dict[str, str]:
    """Return hostile files: name → content."""
    for number in range(25):
        line = f"-r inc{number + 1}.txt\n"
        (folder / f"inc{number}.txt").write_text(line * 2)
    (folder / "inc25.txt").write_text("flask\n")
    for number in range(3000):
        (folder / f"deep{number}.txt").write_text(f"-r deep{number + 1}.txt\n")
    (folder / "deep3000.txt").write_text("flask\n")
    groups = "".join(
        f'g{n} = [{{include-group = "g{n + 1}"}}, {{include-group = "g{n + 1}"}}]\n' for n in range(25)
    )
    chain = "".join(f'g{n} = [{{include-group = "g{n + 1}"}}]\n' for n in range(3000))
    nested = "".join(f'g{n} = ["p{n}", {{include-group = "g{n + 1}"}}]\n' for n in range(500))
    many = "".join(f'g{n} = ["flask"]\n' for n in range(5000))
    return {
        "blanks.txt": "flask" + " " * 200_000 + "x",
        "tabs.txt": "flask ;" + "\t" * 200_000 + "x",
        "comments.txt": "flask" + " #" * 100_000,
        "options.txt": "flask" + " --hash" * 50_000,
        "backslashes.txt": "flask \\\n" + "\\\n" * 200_000 + "x",
        "one_line.txt": "flask" + "\\" * 200_000,
        "brackets.txt": "flask" + "[" * 100_000,
        "markers.txt": "flask ; " + "(" * 100_000,
        "version.txt": "flask==" + "1" * 100_000,
        "parts.txt": "flask==" + "1." * 50_000,
        "address.txt": "flask @ https://" + "a@" * 50_000,
        "includes.txt": "-r inc0.txt\n",
        "chain.txt": "-r deep0.txt\n",
        "pyproject.toml": f"[dependency-groups]\n{groups}g25 = ['flask']\n",
        "pyproject-chain.toml": f"[dependency-groups]\n{chain}g3000 = ['flask']\n",
        "pyproject-many.toml": f"[dependency-groups]\n{many}",
        "words.txt": "a." * 50_000,
        "uv.lock": "a" + ".a" * 20_000 + " = 1",
        "pylock.toml": f"[{'.'.join(['a'] * 20_000)}]",
        "quoted.txt": "flask " + '"' * 50_000,
        "pyproject-nested.toml": f"[dependency-groups]\n{nested}g500 = []\n",
        "channels.yml": "dependencies: ['" + "a:" * 50_000 + "']",
        "deep.yml": "dependencies: " + "[" * 10_000,
        "deep.json": '{"bomFormat": "CycloneDX", "components": ' + "[" * 100_000,
        "package-lock.json": '{"dependencies": ' + '{"a": {"dependencies": ' * 20_000,
    }  # fmt: skip


def test_a_hostile_file_ends_with_an_answer_or_one_message(tmp_path):
    """All of them in one process that may take a minute; each took minutes, or gigabytes, or a traceback."""
    names = list(contents := hostile(tmp_path))
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "device.txt").write_text("-r /dev/zero\n")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    names += ["device.txt", "zero.txt", "loop.txt"]
    code = (
        "import resource, sys; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))\n"
        "from advisor.answers.dependencies import files\n"
        "from advisor.errors import InputError\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n        print(name, len(files.read_dependencies([Path(name)])))\n"
        "    except InputError as error:\n"
        "        assert '\\n' not in str(error) and len(str(error)) < 2100, error\n        print(name, 'refused')\n"
    )
    result = subprocess.run([sys.executable, "-c", code, *names], cwd=tmp_path, capture_output=True, text=True,
                            check=False, timeout=300, env=bare_environment(OMP_NUM_THREADS="1"))  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    answers = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())
    assert list(answers) == names
    assert answers["includes.txt"] == answers["pyproject.toml"] == answers["comments.txt"] == "1"
    assert answers["pyproject-many.toml"] == "1" and answers["pyproject-nested.toml"] == "500"
    assert answers["uv.lock"] == answers["pylock.toml"] == "refused"
    assert {answers[n] for n in ("device.txt", "zero.txt", "loop.txt", "deep.yml", "deep.json")} == {
        "refused"
    }


def test_a_file_that_grows_while_it_is_read_has_a_limit(tmp_path, monkeypatch):
    """Files of /proc have size 0 and any content."""
    monkeypatch.setattr(text, "SIZE_LIMIT", 10)
    with pytest.raises(InputError, match="is larger than"):
        text.read_text(Path("/proc/self/status"))
    with pytest.raises(InputError, match="is not the name of a file"):
        text.read_text(Path("a\0.txt"))


# Whose package it is


@pytest.mark.parametrize(("url", "repository"), [
    ("https://notgithub.com/huggingface/trl/archive/main.zip", None),
    ("https://github.com.evil.example/huggingface/trl", None),
    ("https://mirror.example/github.com/pallets/flask", None),
    ("https://github.com@evil.example/huggingface/trl", None),
    ("https://evil.example#@github.com/huggingface/trl", None),
    ("https://evil.example?x=@github.com/huggingface/trl", None),
    ("https://evil.example\\@github.com/huggingface/trl", None),
    ("https://gist.github.com/someone/0123", None),
    ("https://github.com./huggingface/trl", None),
    ("https://api.github.com/users/psf", None),
    ("https://api.github.com/repos/psf/requests/zipball", "psf/requests"),
    ("https://www.github.com/psf/requests", "psf/requests"),
    ("https://codeload.github.com/psf/requests/tar.gz/main", "psf/requests"),
    ("https://raw.githubusercontent.com/psf/requests/main/x.txt", "psf/requests"),
    ("ssh://git@ssh.github.com:443/psf/requests.git", "psf/requests"),
    ("git+ssh://git@github.com:psf/requests.git#v1", "psf/requests"),
    ("github.com/psf/requests", "psf/requests"),
])  # fmt: skip
def test_only_github_is_github(url, repository):
    assert github_repository(url) == repository


def test_starjacking_is_marked(tmp_path):
    """A package that names somebody else's repository gets the score, and the mark that nobody confirms it."""
    package = tmp_path / "node_modules" / "evil" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"repository": "github:huggingface/trl"}')
    (tmp_path / "package.json").write_text('{"dependencies": {"evil": "1.0.0"}}')
    (tmp_path / "requirements.txt").write_text("trl\n")
    command = ["rank", "--store", "bundled"]
    for name in ("package.json", "requirements.txt"):
        command += ["--from", str(tmp_path / name)]
    table = CliRunner().invoke(app, command).output
    rows = {line.split()[0]: line for line in table.splitlines() if "huggingface/trl" in line}
    assert "huggingface/trl *" in rows["evil"] and "huggingface/trl *" not in rows["trl"]
    assert "*: only the package itself names this repository" in table
    content = json.loads(CliRunner().invoke(app, [*command, "--format", "json"]).output)
    assert {e["name"]: e["is_claim"] for e in content["known"]} == {"evil": True, "trl": False}
    assert "huggingface/trl) \\*" in CliRunner().invoke(app, [*command, "--format", "markdown"]).output


@pytest.mark.parametrize(("source", "is_claim"), [("pypi", True), ("depsdev", True), (ATTESTATION, False)])
def test_only_an_attestation_proves_the_word_of_an_index(tmp_path, source, is_claim):
    row = {"repository": "huggingface/trl", "ecosystem": "pypi", "package": "evil", "source": source,
           "retrieved_at": "2026-01-02"}  # fmt: skip
    rows = [row, {**row, "ecosystem": "conda", "package": "flask"}]  # an earlier version wrote the second
    writing.write_rows(tmp_path, "packages", "huggingface/trl", rows)
    origins = read_origins([reading.open_store(tmp_path, may_lack_days=True)])
    assert origins["pypi", "evil"].is_claim is is_claim
    assert ("conda", "flask") not in origins
    own_word = Dependency("pypi", "evil", "bom.json", repository="evil/other", is_claim=True)
    assert find_origin(own_word, origins).repository == ("evil/other" if is_claim else "huggingface/trl")
    fork = replace(own_word, local="git+https://github.com/evil/other", is_claim=False)
    assert find_origin(fork, origins).repository == "evil/other"


def test_every_public_host_is_a_host():
    assert all(
        indexes.index_host(f"https://{host}/x") == host for hosts in indexes.PUBLIC.values() for host in hosts
    )
