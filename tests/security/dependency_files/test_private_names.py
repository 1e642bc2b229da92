"""No private name leaves the machine, whatever file or setting marks it as private."""

from __future__ import annotations

import json

import pytest
from private_names import CORP, SECRETS, collect

from advisor.answers.dependencies import files, indexes
from advisor.answers.dependencies.packages import find_origin, read_origins
from advisor.cli import load

load(None)


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
