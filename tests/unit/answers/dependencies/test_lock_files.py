"""Lock files of bun, pipenv, pdm, uv, poetry and conda-lock: lines, groups and paths."""

from __future__ import annotations

import json
from pathlib import Path

from advisor.answers.dependencies import files, indexes


def test_bun_with_comments_and_commas_after_the_last_element(read):
    packages = {d.name: d for d in read("bun.lock", """{
  // https://bun.com
  "lockfileVersion": 1,
  "workspaces": {
    "": {"name": "ours", "dependencies": {"a": "^1.0.0",}, "devDependencies": {"t": "^5",},},
    "packages/b": {"name": "b", "dependencies": {"c": "github:o/c",},},
  },
  "packages": {
    "a": ["a@1.0.0", "", { "dependencies": { "d": "*" } }, "sha512-x//=="],
    "b": ["b@workspace:packages/b"],
    "c": ["c@github:o/c#abc", {}, "o-c-abc"],
    "d": ["@s/d@2.0.0", "https://npm.corp.example/d.tgz", {}, "sha512-y=="],
    "t": ["t@5.1.0", "", { "bin": { "t": "bin/t" } }, "sha512-z=="],
  }
}""")}  # fmt: skip
    assert {n: (d.version, d.groups, d.parents) for n, d in packages.items()} == {
        "a": ("1.0.0", (), ()), "c": (None, (), ()), "@s/d": ("2.0.0", (), None), "t": ("5.1.0", ("dev",), ()),
    }  # fmt: skip
    assert packages["c"].repository == "o/c" and packages["@s/d"].index == "npm.corp.example"
    assert packages["t"].line == 13


PIPFILE = """[[source]]
url = "https://pypi.org/simple"
name = "pypi"
[[source]]
url = "https://pypi.corp.example/simple"
name = "corp"
[packages]
Flask = "*"
billing = {version = "==1.0", index = "corp"}
trl = {git = "https://github.com/acme/trl.git", ref = "v1"}
[dev-packages]
pytest = {version = ">=8", markers = "os_name == 'nt'"}
[docs]
sphinx = "*"
[requires]
python_version = "3.11"
"""


def test_pipenv_and_its_lock(read, tmp_path):
    packages = {d.name: d for d in read("Pipfile", PIPFILE)}
    assert {n: (d.version, d.groups, d.line) for n, d in packages.items()} == {
        "flask": (None, (), 8), "billing": ("1.0", (), 9), "trl": (None, (), 10),
        "pytest": (None, ("dev",), 12), "sphinx": (None, ("docs",), 14),
    }  # fmt: skip
    assert packages["trl"].repository == "acme/trl" and packages["pytest"].marker == "os_name == 'nt'"
    # pipenv asks only the first index unless the entry names another
    assert packages["billing"].index == "pypi.corp.example" and not indexes.is_public(packages["billing"])
    lock = {"_meta": {"sources": [{"name": "pypi", "url": "https://pypi.org/simple"}]},
            "default": {"flask": {"version": "==3.0.0", "index": "pypi"}, "jinja2": {"version": "==3.1.4"}},
            "develop": {"pytest": {"version": "==8.1.0"}}}  # fmt: skip
    locked = {d.name: d for d in read("Pipfile.lock", json.dumps(lock, indent=4))}
    assert {n: (d.version, d.groups, d.parents) for n, d in locked.items()} == {
        "flask": ("3.0.0", (), ()), "jinja2": ("3.1.4", (), None), "pytest": ("8.1.0", ("dev",), ()),
    }  # fmt: skip
    assert locked["jinja2"].line == 15 and indexes.is_public(locked["jinja2"])


def test_pdm_lock_with_groups_and_the_path_to_each_package(read, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "m"\ndependencies = ["aiohttp"]\n')
    packages = {d.name: d for d in read("pdm.lock", """[metadata]
groups = ["default", "dev"]
[[package]]
name = "aiohttp"
version = "3.9.3"
groups = ["default"]
dependencies = ["yarl<2.0,>=1.0", "attrs"]
files = [{file = "aiohttp.whl", hash = "sha256:aa"}]
[[package]]
name = "yarl"
version = "1.0"
groups = ["default"]
marker = "python_version < '3.11'"
[[package]]
name = "trl"
version = "1.0"
git = "https://github.com/acme/trl.git"
revision = "abc"
groups = ["dev"]
""")}  # fmt: skip
    assert {n: (d.groups, d.parents, d.line) for n, d in packages.items()} == {
        "aiohttp": ((), (), 4), "yarl": ((), ("aiohttp",), 10), "trl": (("dev",), None, 15),
    }  # fmt: skip
    assert packages["trl"].repository == "acme/trl" and packages["yarl"].marker == "python_version < '3.11'"


def test_a_lock_of_uv_gives_lines_groups_and_paths(read):
    packages = {d.name: d for d in read("uv.lock", """version = 1
[[package]]
name = "ours"
source = { editable = "." }
dependencies = [
    { name = "flask" },
]
[package.dev-dependencies]
dev = [{ name = "tornado" }, { name = "werkzeug" }]
[[package]]
name = "werkzeug"
version = "3.0.0"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "flask"
version = "3.0.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "werkzeug" }]
[[package]]
name = "tornado"
version = "6.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "six" }]
[[package]]
name = "six"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
""")}  # fmt: skip
    assert {n: (d.line, d.groups, d.parents) for n, d in packages.items()} == {
        "werkzeug": (11, (), ()), "flask": (15, (), ()), "tornado": (20, ("dev",), ()),
        "six": (25, ("dev",), ("tornado",)),
    }  # fmt: skip


def test_conda_lock_with_both_managers_and_platforms(read):
    package = """- name: {name}
  version: '{version}'
  manager: {manager}
  platform: {platform}
  dependencies: {{zlib: '>=1'}}
  url: {url}
  category: {category}
"""
    parts = [package.format(name=n, version=v, manager=m, platform=p, url=u, category=c) for n, v, m, p, u, c in (
        ("zlib", "1.3", "conda", "linux-64", "https://conda.anaconda.org/x/zlib.conda", "main"),
        ("zlib", "1.3", "conda", "osx-64", "https://conda.anaconda.org/y/zlib.conda", "main"),
        ("Typing_Extensions", "4.0", "pip", "linux-64", "https://files.pythonhosted.org/t.whl", "dev"),
        ("billing", "1.0", "pip", "linux-64", "https://pypi.corp.example/b.whl", "main"),
    )]  # fmt: skip
    text = "version: 1\nmetadata:\n  sources:\n  - environment.yml\npackage:\n" + "".join(parts)
    packages = read("conda-lock.yml", text)
    assert [(d.ecosystem, d.name, d.version, d.groups, d.line) for d in packages] == [
        ("conda", "zlib", "1.3", (), 6), ("pypi", "typing-extensions", "4.0", ("dev",), 20),
        ("pypi", "billing", "1.0", (), 27),
    ]  # fmt: skip
    assert packages[2].index == "pypi.corp.example" and indexes.is_public(packages[1])
    assert [d.name for d in read("mine.yml", text)] == ["zlib", "typing-extensions", "billing"]


def test_of_two_documents_the_last_is_the_lock(read):
    packages = read("pnpm-lock.yaml", """---
lockfileVersion: '9.0'
packages:
  pnpm@11.0.3: {resolution: {integrity: x}}
---
lockfileVersion: '9.0'
importers:
  .: {dependencies: {left: {version: 1.3.0}}, devDependencies: {t: {version: 1.0.0}}}
packages:
  left@1.3.0: {resolution: {integrity: x}}
  t@1.0.0: {resolution: {integrity: x}}
  u@1.0.0: {resolution: {integrity: x}}
snapshots:
  t@1.0.0: {dependencies: {u: 1.0.0}}
""")  # fmt: skip
    assert [(d.name, d.groups, d.parents) for d in packages] == [
        ("left", (), ()), ("t", ("dev",), ()), ("u", ("dev",), ("t",)),
    ]  # fmt: skip


def test_old_categories_of_poetry_are_groups(read):
    entry = '[[package]]\nname = "{}"\nversion = "1"\ncategory = "{}"\noptional = {}\n'
    text = entry.format("flask", "main", "false") + entry.format("tornado", "dev", "true")
    assert [d.groups for d in read("poetry.lock", text)] == [(), ("dev", "optional")]


def test_a_deep_or_wide_lock_is_read_in_linear_time(tmp_path):
    """A chain of 20,000 packages, each in the next; paths keep their first names."""
    entries = "".join(
        f'[[package]]\nname = "p{n}"\nversion = "1"\ndependencies = [{{ name = "p{n + 1}" }}]\n'
        for n in range(20_000)
    )
    own = '[[package]]\nname = "m"\nsource = { virtual = "." }\ndependencies = [{ name = "p0" }]\n'
    path = tmp_path / "uv.lock"
    path.write_text(own + entries)
    packages = files.read_dependencies([path])
    assert packages[-1].parents == tuple(f"p{n}" for n in range(20))
    assert Path(packages[-1].file) == path
