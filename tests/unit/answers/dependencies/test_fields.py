"""Every field of every kind of file: value, source and line."""

from __future__ import annotations

import json

import pytest

from advisor.answers.dependencies import Dependency, files
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.errors import InputError


def test_cyclonedx_of_components_with_and_without_a_package_url(read):
    packages = read("bom.json", """{"bomFormat": "CycloneDX", "metadata": {"component": {"name": "flask"}}, "components": [
{"name": "plain", "version": "1", "scope": "required", "externalReferences": [{"type": "chat"}]},
{"group": "org/team", "name": "lib", "version": "2", "scope": "optional", "externalReferences": [
  {"type": "website", "url": "https://github.com/no/no"}, {"type": "vcs", "url": "https://github.com/o/lib"}]},
{"name": "Ruamel.Yaml", "version": "3", "purl": "pkg:pypi/ruamel.yaml@3.1"},
{"name": "h", "version": "4",
  "purl": "pkg:npm/%40s/h?arch=any"},
{"name": "gin", "purl": "pkg:golang/github.com/gin-gonic/gin@v1", "externalReferences":
  [{"type": "vcs", "url": "https://github.com/own/gin"}]}]}""")  # fmt: skip
    assert packages == [
        Dependency("unknown", "plain", "bom.json", 2, "1"),
        Dependency(
            "unknown", "org/team/lib", "bom.json", 3, "2", ("optional",), repository="o/lib", is_claim=True
        ),
        Dependency("pypi", "ruamel-yaml", "bom.json", 5, "3.1"),
        Dependency("npm", "@s/h", "bom.json", 6, "4"),
        Dependency("golang", "github.com/gin-gonic/gin", "bom.json", 8, "v1", repository="gin-gonic/gin"),
    ]


def test_spdx_2_leaves_out_the_product_and_reads_each_package(read):
    def package(name, **more):
        return {"SPDXID": f"id-{name}", "name": name, **more}

    sbom = {"spdxVersion": "SPDX-2.3", "documentDescribes": ["id-ours"], "packages": [
        package("ours"), package("too"), package("bash", versionInfo="5.2", downloadLocation="https://github.com/o/bash"),
        package("a", versionInfo="1", externalRefs=[
            {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a"},
            {"referenceType": "purl", "referenceLocator": "pkg:pypi/a@1.5"}]),
    ], "relationships": [{"relationshipType": "DESCRIBES", "relatedSpdxElement": "id-too"},
                         {"relationshipType": "DEPENDS_ON", "relatedSpdxElement": "id-a"}]}  # fmt: skip
    assert read("bill.json", json.dumps(sbom)) == [
        Dependency("unknown", "bash", "bill.json", 1, "5.2", repository="o/bash", is_claim=True),
        Dependency("pypi", "a", "bill.json", 1, "1.5"),
    ]
    del sbom["relationships"]
    assert [d.name for d in read("bill.json", json.dumps(sbom))] == ["too", "bash", "a"]
    del sbom["documentDescribes"]
    assert [d.name for d in read("bill.json", json.dumps(sbom))] == ["ours", "too", "bash", "a"]


@pytest.mark.parametrize("empty", [{"bomFormat": "CycloneDX"}, {"spdxVersion": "SPDX-2.3"}, {"@graph": []}])
def test_an_empty_sbom_has_no_packages(read, empty):
    assert read("bill.json", json.dumps(empty)) == []


def test_spdx_3_with_a_download_location(read):
    graph = [{"type": "software_Sbom"}, {"type": "software_Package", "name": "bash", "spdxId": "b",
             "software_downloadLocation": "https://github.com/o/bash"}]  # fmt: skip
    assert read("bill.json", json.dumps({"@graph": graph})) == [
        Dependency("unknown", "bash", "bill.json", 1, repository="o/bash", is_claim=True)
    ]


def test_npm_lock_files_with_kinds_urls_and_lines(read):
    packages = read("package-lock.json", """{"packages": {"": {"name": "ours"},
"node_modules/a": {"version": "1.0.0", "optional": true, "peer": true},
"node_modules/b": {"version": "2.0.0", "devOptional": true, "resolved": "https://registry.example/b.tgz"},
"node_modules/c": {"version": "0.1.0", "resolved": "file:../c"},
"node_modules/d": {"resolved": "git+https://user@github.com/o/d.git"},
"node_modules/e": {}}}""")  # fmt: skip
    assert packages == [
        Dependency("npm", "a", "package-lock.json", 2, "1.0.0", ("optional", "peer")),
        Dependency(
            "npm", "b", "package-lock.json", 3, "2.0.0", ("dev", "optional"), index="registry.example"
        ),
        Dependency("npm", "c", "package-lock.json", 4, local="file:../c"),
        Dependency(
            "npm", "d", "package-lock.json", 5, repository="o/d", local="git+https://github.com/o/d.git"
        ),
        Dependency("npm", "e", "package-lock.json", 6),
    ]
    old = read("npm-shrinkwrap.json", '{"dependencies": {"a": {"version": "npm:@s/p@1.0.0"}, "b": {}}}')
    assert [(d.name, d.version, d.line) for d in old] == [("@s/p", "1.0.0", 1), ("b", None, 1)]


def test_pnpm_lock_files_with_peers_urls_and_similar_versions(read):
    packages = read("pnpm-lock.yaml", """lockfileVersion: '6.0'
packages:
  /@s/p@1.0.0(react@18.2.0)(x@1.0.0): {resolution: {integrity: x, tarball: 'https://registry.example/p.tgz'}}
  /q@2.0.0-b_1: {resolution: {integrity: x}}
  git.example/g/abc: {name: g, version: 1.0.0, resolution: {type: git, repo: 'https://github.com/o/g'}}
  r@3.0.0: {}
""")  # fmt: skip
    assert packages == [
        Dependency("npm", "@s/p", "pnpm-lock.yaml", 3, "1.0.0", index="registry.example"),
        Dependency("npm", "q", "pnpm-lock.yaml", 4, "2.0.0-b_1"),
        Dependency("npm", "g", "pnpm-lock.yaml", 5, repository="o/g", local="https://github.com/o/g"),
        Dependency("npm", "r", "pnpm-lock.yaml", 6, "3.0.0"),
    ]
    assert read("pnpm-lock.yaml", "lockfileVersion: '9.0'\n") == []


def test_package_json_of_every_kind_of_entry(read):
    packages = read("package.json", """{"dependencies": {"a": "npm:@s/p@^1.0.0", "b": "npm:@s/q", "c": "npm:r",
"d": "git+ssh://git@github.com/o/d.git#v1", "e": "workspace:*", "f": "~2.0.0"},
"optionalDependencies": {"g": "3.0.0-rc.1"}, "peerDependencies": {"h": ">=18"}}""")  # fmt: skip
    place = "git+ssh://github.com/o/d.git"
    assert packages == [
        Dependency("npm", "@s/p", "package.json", 1),
        Dependency("npm", "@s/q", "package.json", 1),
        Dependency("npm", "r", "package.json", 1),
        Dependency("npm", "d", "package.json", 2, repository="o/d", local=place),
        Dependency("npm", "e", "package.json", 2, local="workspace:*"),
        Dependency("npm", "f", "package.json", 2),
        Dependency("npm", "g", "package.json", 3, "3.0.0-rc.1", ("optional",)),
        Dependency("npm", "h", "package.json", 3, groups=("peer",)),
    ]


def test_python_lock_files_with_markers_groups_and_urls(read):
    uv = read("uv.lock", """[[package]]
name = "A_b"
version = "1.0"
source = { url = "https://user:pw@files.example/a.whl" }  # pragma: allowlist secret
[[package]]
name = "own"
source = { virtual = "." }
[[package]]
name = "c"
source = { directory = "../c" }
""")  # fmt: skip
    assert uv == [
        Dependency("pypi", "a-b", "uv.lock", 2, "1.0", local="https://files.example/a.whl"),
        Dependency("pypi", "c", "uv.lock", 9, local="../c"),
    ]
    poetry = read("poetry.lock", "".join(f"""[[package]]
name = "{kind}"
version = "1.0"
groups = ["dev", "docs"]
source = {{ type = "{kind}", url = "../{kind}" }}
""" for kind in ("url", "file", "directory")))  # fmt: skip
    assert [(d.name, d.local, d.groups, d.marker) for d in poetry] == [
        (kind, f"../{kind}", ("dev", "docs"), "") for kind in ("url", "file", "directory")
    ]
    pylock = read("pylock.toml", """[[packages]]
name = "v"
marker = "sys_platform == 'win32'"
vcs = { type = "git", url = "https://github.com/o/v", commit-id = "a" }
[[packages]]
name = "w"
directory = { path = "../w" }
""")  # fmt: skip
    assert pylock == [
        Dependency("pypi", "v", "pylock.toml", 2, marker="sys_platform == 'win32'", repository="o/v",
                   local="https://github.com/o/v"),
        Dependency("pypi", "w", "pylock.toml", 6, local="../w"),
    ]  # fmt: skip


def test_poetry_tables_of_every_kind_of_entry(read):
    packages = read("pyproject.toml", """[tool.poetry.dependencies]
Python = "^3.11"
a_b = { version = "== 1.2", markers = "os_name == 'nt'" }
c = { url = "https://user:pw@files.example/c.whl" }  # pragma: allowlist secret
d = { path = "../d", optional = true }
e = [{ git = "https://github.com/o/e" }, { version = "^2" }]
f = ["^1", "^2"]
[tool.poetry.dev-dependencies]
g = "*"
[tool.poetry.group.empty]
[tool.poetry.group.docs.dependencies]
h = { path = "../h", optional = true }
""")  # fmt: skip
    assert packages == [
        Dependency("pypi", "a-b", "pyproject.toml", 3, "1.2", marker="os_name == 'nt'"),
        Dependency("pypi", "c", "pyproject.toml", 4, local="https://files.example/c.whl"),
        Dependency("pypi", "d", "pyproject.toml", 5, groups=("optional",), local="../d"),
        Dependency("pypi", "e", "pyproject.toml", 6, repository="o/e", local="https://github.com/o/e"),
        Dependency("pypi", "f", "pyproject.toml", 7),
        Dependency("pypi", "g", "pyproject.toml", 9, groups=("dev",)),
        Dependency("pypi", "h", "pyproject.toml", 12, groups=("docs", "optional"), local="../h"),
    ]


def test_names_with_other_separators_have_their_line_and_groups_merge(read):
    packages = read("pyproject.toml", """[project]
name = "Our_own"
dependencies = [
  "ruamel.yaml; os_name == 'nt'",
  "typing_extensions>=4",
]
optional-dependencies.all = ["our-own[x]"]
[dependency-groups]
Lint = ["ruff"]
dev = ["mypy", {include-group = "lint"}, "pytest"]
""")  # fmt: skip
    assert [(d.name, d.line, d.groups, d.marker) for d in packages] == [
        ("ruamel-yaml", 4, (), 'os_name == "nt"'), ("typing-extensions", 5, (), ""),
        ("ruff", 9, ("Lint", "dev"), ""), ("mypy", 10, ("dev",), ""), ("pytest", 10, ("dev",), ""),
    ]  # fmt: skip


@pytest.mark.parametrize(("group", "why"), [
    ('[{include-group = "b"}]', "'b' does not exist"), ('[{include-group = "A"}]', "'A' includes itself"),
])  # fmt: skip
def test_an_error_names_the_group(read, group, why):
    with pytest.raises(InputError, match=rf"^pyproject\.toml: dependency-groups: {why}$"):
        read("pyproject.toml", f"[dependency-groups]\na = {group}\n")


@pytest.mark.parametrize(("text", "name", "more"), [
    ("git+https://user:pw@github.com/o/n.git@v1#egg=My_Name", "my-name",  # pragma: allowlist secret
     {"repository": "o/n", "local": "git+https://github.com/o/n.git@v1"}),
    ("https://git.example/o/n.git@main#subdirectory=x", "n",
     {"local": "https://git.example/o/n.git@main"}),
    ("./own/ ; os_name == 'nt'", "own", {"local": "./own/", "marker": "os_name == 'nt'"}),
    ("a==1.0.*", "a", {}),
    ("a===1.0+x", "a", {"version": "1.0+x"}),
    ("a>=1,==1.5", "a", {"version": "1.5"}),
    ("a @ https://user:pw@files.example/a.zip", "a", {"local": "https://files.example/a.zip"}),  # pragma: allowlist secret
    (".", ".", {"local": "."}), ("../", "..", {"local": "../"}), ("/", ".", {"local": "/"}),
])  # fmt: skip
def test_a_requirement_or_a_url(text, name, more):
    assert parse_requirement(text, "r.txt", 7, groups=("g",)) == Dependency(
        "pypi", name, "r.txt", 7, groups=("g",), **more
    )


def test_conda_names_in_small_letters_with_their_line(read):
    packages = read("environment.yml", """dependencies:
  - conda-forge/label/dev::PyYAML==6.0.1
  - pip: null
  - {pip: [git+https://github.com/o/x.git, "Typing_Extensions==4  # why", -e ./own, "y[z]~=1.0 ; os_name == 'nt'"]}
""")  # fmt: skip
    assert packages == [
        Dependency("conda", "pyyaml", "environment.yml", 2, "6.0.1"),
        Dependency("pypi", "x", "environment.yml", 4, repository="o/x", local="git+https://github.com/o/x.git"),
        Dependency("pypi", "typing-extensions", "environment.yml", 4, "4"),
        Dependency("pypi", "y", "environment.yml", 4, marker='os_name == "nt"'),
    ]  # fmt: skip


def test_entries_of_one_package_in_several_files_merge(read, tmp_path):
    (tmp_path / "a.txt").write_text(
        "x; os_name == 'nt'\ny; os_name == 'nt'\nz @ git+https://github.com/o/z\n"
    )
    (tmp_path / "b.txt").write_text("x==1 ; os_name == 'nt'\ny ; os_name == 'posix'\nz\n")
    (tmp_path / "pyproject.toml").write_text(
        '[dependency-groups]\ndev = ["only", "both", "z"]\ntest = ["both", "only"]\n'
    )
    (tmp_path / "c.txt").write_text("both\n")
    paths = [(tmp_path / n).relative_to(tmp_path) for n in ("a.txt", "b.txt", "pyproject.toml", "c.txt")]
    place = "git+https://github.com/o/z"
    assert files.read_dependencies(paths) == [
        Dependency("pypi", "x", "a.txt", 1, "1", marker='os_name == "nt"'),
        Dependency("pypi", "y", "a.txt", 2),
        Dependency("pypi", "z", "a.txt", 3, repository="o/z", local=place),
        Dependency("pypi", "only", "pyproject.toml", 2, groups=("dev", "test")),
        Dependency("pypi", "both", "pyproject.toml", 2),
    ]
    assert {d.name: d.repository for d in files.read_dependencies(reversed(paths))}["z"] == "o/z"


def test_files_without_packages_are_no_error(read, tmp_path):
    for name in ("a.txt", "b.in"):
        (tmp_path / name).write_text("")
    assert files.read_dependencies([(tmp_path / n).relative_to(tmp_path) for n in ("a.txt", "b.in")]) == []
