"""Where a package stands and comes from: its line, and what stands in for an index."""

from __future__ import annotations

import pytest

from advisor.dependencies import Dependency
from advisor.dependencies.python_requirement import requirement


def test_a_package_url_tells_the_line_though_the_name_stands_elsewhere_first(read):
    found = read("bom.json", """{"bomFormat": "CycloneDX", "metadata": {"component": {"name": "flask"}}, "components": [
{"name": "flask", "purl": "pkg:pypi/flask@3"},
{"name": "late", "description": "better than click"},
{"name": "click", "purl":
  "pkg:pypi/click@8"}]}""")  # fmt: skip
    assert [(d.name, d.line) for d in found] == [("flask", 2), ("late", 3), ("click", 5)]


def test_an_index_beside_pypi_is_no_place_and_an_archive_is(read):
    (found,) = read("poetry.lock", """[[package]]
name = "a"
version = "1.0"
[package.source]
type = "legacy"
url = "https://index.example/simple"
reference = "private"
""")  # fmt: skip
    assert found == Dependency("pypi", "a", "poetry.lock", 2, "1.0")
    (found,) = read("pylock.toml", """[[packages]]
name = "b"
archive = { url = "https://files.example/b.tar.gz" }
""")  # fmt: skip
    assert found == Dependency("pypi", "b", "pylock.toml", 2, local="https://files.example/b.tar.gz")


@pytest.mark.parametrize(("text", "name", "local"), [
    (".[dev]", ".", "."), ("./own[dev,test]", "own", "./own"),
    ("git+https://git.example/o/n.git#egg=n[x]", "n", "git+https://git.example/o/n.git#egg=n"),
])  # fmt: skip
def test_the_extras_of_an_address_are_no_part_of_its_name(text, name, local):
    assert requirement(text, "r.txt", 1, is_address=True) == Dependency("pypi", name, "r.txt", local=local)


def test_a_lock_of_npm_with_what_is_installed_beside_it_and_an_address_with_a_user(read, tmp_path):
    (tmp_path / "node_modules" / "a").mkdir(parents=True)
    (tmp_path / "node_modules" / "a" / "package.json").write_text('{"repository": "github:o/a"}')
    (found,) = read("package-lock.json", '{"packages": {"node_modules/a": {"version": "1.0.0"}}}')
    assert (found.version, found.repository) == ("1.0.0", "o/a")
    (found,) = read("pnpm-lock.yaml", """lockfileVersion: '9.0'
packages:
  g@git+ssh://git@github.com/o/g.git#abc: {version: 1.0.0, resolution: {type: git, repo: 'git@github.com:o/g.git'}}
""")  # fmt: skip
    assert (found.name, found.repository, found.version) == ("g", "o/g", None)
