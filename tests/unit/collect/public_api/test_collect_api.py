"""The public API of each release, from git histories that the tests create."""

from __future__ import annotations

from datetime import date

import pytest
from repositories import Repo, put_release

from advisor.collect.public_api import collect_api
from advisor.collect.public_api.package_files import find_package
from advisor.collect.public_api.releases import list_main_line, read_version
from advisor.facts import reading

READ_ON = date(2025, 9, 1)
NAME = "own/er"
FIRST = {
    "pyproject.toml": "[project]\nname = 'er'\n",
    "src/er/__init__.py": "from er._core import Thing, make\nfrom .tools import old\nLIMIT = 3\n_hidden = 1\n",
    "src/er/_core.py": """
raise SystemExit("imported!")
class Base:
    def run(self, job, *, fast=False): ...
class Thing(Base):
    colour = "red"
    def paint(self, colour, layers=1): ...
    def _inner(self): ...
def make(size, shape="round"): ...
""",
    "src/er/tools.py": "def old(): ...\ndef stay(a, b): ...\nclass _Private: ...\n",
    "src/er/tests/test_er.py": "def test_it(): ...\n",
    "tests/helper.py": "def helper(): ...\n",
}
SECOND = {
    "src/er/_core.py": """
class Base:
    def run(self, job, *, fast=False): ...
class Thing(Base):
    def paint(self, colour, layers=1):
        if layers:
            warnings.warn("'layers' is deprecated", DeprecationWarning)
    def _inner(self): ...
def make(size, shape="round", *, colour=None): ...
""",
    "src/er/tools.py": 'def old():\n    """Old.\n\n    .. deprecated:: 1.1\n    """\ndef stay(a, b=2): ...\n',
}
THIRD = {
    "src/er/__init__.py": """
from er._core import Thing as Thing
__all__ = ["Thing", "LIMIT"]
LIMIT = 4
def __getattr__(name):
    if name in {"make", "create"}:
        warnings.warn("deprecated", DeprecationWarning)
        return _make
    raise AttributeError(name)
""",
    "src/er/_core.py": """
class Base:
    def run(self, job, queue): ...
class Thing(Base):
    def paint(self, colour): ...
""",
    "src/er/tools.py": "def stay(b, a): ...\n",
}


@pytest.fixture
def repo(tmp_path):
    repo = Repo(tmp_path / "clone")
    put_release(repo, FIRST, "2024-01-01", "v1.0")
    put_release(repo, SECOND, "2024-02-01", "v1.1.0")
    put_release(repo, {}, "2024-03-01", "v2.0.0rc1")
    put_release(repo, THIRD, "2024-04-01", "v2.0.0")
    return repo


def collect(repo, store, read_on=READ_ON, progress=lambda _: None, warn=lambda _: None, where=None):
    collect_api(
        where or str(repo.path), store, store.parent / "cache", retrieved_on=read_on, repository=NAME,
        progress=progress, warn=warn,
    )  # fmt: skip
    return {t: read(store, t) for t in ("api_releases", "api_names", "api_changes")}


def read(store, table):
    return reading.read_rows(reading.open_store(store), table, NAME)


def test_names_of_releases_are_read_without_importing_them(repo, tmp_path):
    tables = collect(repo, tmp_path / "s")
    releases = sorted(tables["api_releases"], key=lambda r: r["released_on"])
    assert [(r["version"], r["step"], r["package"]) for r in releases] == [
        ("1.0", "first", "er"), ("1.1.0", "minor", "er"), ("2.0.0", "major", "er")]  # fmt: skip
    first = {r["name"]: r["kind"] for r in tables["api_names"] if r["added_in"] == "1.0"}
    assert first == {"er.Thing": "class", "er.make": "function", "er.old": "function", "er.LIMIT": "attribute",
                     "er.tools": "module", "er.tools.old": "function", "er.tools.stay": "function"}  # fmt: skip
    assert [r["name"] for r in tables["api_names"] if r["is_alias"]] == ["er.tools.old"]
    assert releases[0]["names"] == 5, "aliases and modules do not count"
    gone = {
        r["name"]: (r["removed_in"], str(r["removed_on"])) for r in tables["api_names"] if r["removed_on"]
    }
    assert gone["er.old"] == gone["er.tools.old"] == ("2.0.0", "2024-04-01")
    assert {str(r["deprecated_on"]) for r in tables["api_names"] if r["name"] == "er.old"} == {"2024-02-01"}


def test_incompatible_changes_with_their_announcements(repo, tmp_path):
    rows = collect(repo, tmp_path / "s")["api_changes"]
    changes = {
        (r["version"], r["name"], r["member"], r["kind"], r["detail"], r["was_deprecated"]) for r in rows
    }
    assert changes == {
        ("1.1.0", "er.Thing", "colour", "removed", None, False),
        ("2.0.0", "er.old", None, "removed", None, True),
        ("2.0.0", "er.tools.old", None, "removed", None, True),
        ("2.0.0", "er.Thing", "paint", "parameter removed", "layers@1", True),
        ("2.0.0", "er.Thing", "run", "parameter removed", "fast", False),
        ("2.0.0", "er.Thing", "run", "parameter required", "queue@1", False),
        ("2.0.0", "er.tools.stay", None, "parameter moved", "a@0", False),
        ("2.0.0", "er.tools.stay", None, "parameter required", "b@1", False),
    }, "make() is still there, by __getattr__; _inner and Base are private"


def test_new_releases_are_added_to_those_of_the_run_before(repo, tmp_path):
    collect(repo, tmp_path / "s")
    put_release(repo, {"src/er/tools.py": "def stay(b): ...\ndef new(): ...\n"}, "2024-05-01", "v2.1.0")
    put_release(repo, {"src/er/tools.py": "def other(): ...\n"}, "2024-05-02", "v1.1.1")  # of an older series
    lines = []
    second = collect(repo, tmp_path / "s", progress=lines.append)
    assert f"{NAME}: reading the public API of 1 releases" in lines
    whole = collect(repo, tmp_path / "whole")
    for table, rows in whole.items():
        assert second[table] == rows
    assert {r["kind"] for r in whole["api_changes"] if r["version"] == "2.1.0"} == {"parameter removed"}
    lines.clear()
    assert collect(repo, tmp_path / "s", progress=lines.append) == whole
    assert not [line for line in lines if "reading" in line]


def test_a_tag_that_moved_is_read_again(repo, tmp_path):
    collect(repo, tmp_path / "s")
    repo.git("tag", "-f", "v1.0", "v1.1.0^{commit}", day="2024-01-01")
    assert collect(repo, tmp_path / "s") == collect(repo, tmp_path / "whole")


def test_later_releases_are_left_out(repo, tmp_path):
    early = collect(repo, tmp_path / "s", date(2024, 2, 15))
    assert [r["version"] for r in early["api_releases"]] == ["1.0", "1.1.0"]
    assert not [r for r in early["api_names"] if r["removed_in"] == "2.0.0"]


def test_a_blobless_clone_fetches_only_python_files(repo, tmp_path):
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        repo.git("config", setting, "true")
    url = f"file://{repo.path}"
    assert collect(repo, tmp_path / "s", where=url) == collect(repo, tmp_path / "local")


def test_other_languages_and_broken_code_are_unknown_with_a_reason(tmp_path):
    repo = Repo(tmp_path / "clone")
    put_release(repo, {"main.go": "package main\n", "setup.py": "x\n"}, "2024-01-01", "v1.0.0")
    notes = []
    (row,) = collect(repo, tmp_path / "s", warn=notes.append)["api_releases"]
    assert (row["names"], row["reason"]) == (None, "the release has no Python package")
    assert notes == [f"{NAME}: the public API of 1 releases is unknown: the release has no Python package"]
    put_release(repo, {"er/__init__.py": "def f(: ...\n"}, "2024-02-01", "v1.1.0")
    put_release(repo, {"er/__init__.py": "def f(): ...\n", "er/broken.py": "print 'old'\n", "er/ü-x.py": "1", "er/deep.py":
               "(" * 5000}, "2024-03-01", "v1.2.0")  # fmt: skip
    rows = sorted(collect(repo, tmp_path / "s")["api_releases"], key=lambda r: r["version"])
    assert "griffe cannot read er" in rows[1]["reason"]
    assert (rows[2]["names"], rows[2]["reason"]) == (1, None)


def test_a_file_too_deep_to_keep_is_parsed_again(tmp_path):
    repo = Repo(tmp_path / "clone")
    deep = f"TEXT = {' + '.join(['1'] * 800)}\ndef make(size): ...\n"
    put_release(repo, {"er/__init__.py": deep, "er/other.py": "def f(): ...\n"}, "2024-01-01", "v1.0.0")
    put_release(repo, {"er/other.py": "def g(): ...\n"}, "2024-02-01", "v1.1.0")
    tables = collect(repo, tmp_path / "s")
    assert [r["name"] for r in tables["api_changes"]] == ["er.other.f"]
    assert "er.make" in {r["name"] for r in tables["api_names"] if r["removed_on"] is None}


def test_dataclasses_are_compared_by_the_names_of_their_fields(tmp_path):
    repo = Repo(tmp_path / "clone")
    text = "from dataclasses import dataclass\n@dataclass\nclass Config:\n    from elsewhere import Value\n"
    put_release(
        repo, {"er/__init__.py": text + "    steps: int = 1\n    rate: float = 0.1\n"}, "2024-01-01", "v1.0.0"
    )
    put_release(
        repo, {"er/__init__.py": text + "    new: int = 1\n    rate: float = 0.1\n"}, "2024-02-01", "v1.1.0"
    )
    rows = collect(repo, tmp_path / "s")["api_changes"]
    assert {(r["name"], r["member"], r["kind"], r["detail"]) for r in rows} == {
        ("er.Config", "steps", "removed", None), ("er.Config", "__init__", "parameter removed", "steps@0")}, (
        "rate has another place in the signature, but fields are given by name")  # fmt: skip


def test_a_dataclass_loses_the_fields_of_its_base_in_another_file(tmp_path):
    repo = Repo(tmp_path / "clone")
    head = "from dataclasses import dataclass\n"
    base = head + "@dataclass\nclass Base:\n    steps: int = 1\n"
    heir = head + "from er.base import Base\n@dataclass\nclass Heir(Base):\n    name: str = ''\n"
    put_release(repo, {"er/__init__.py": "", "er/base.py": base, "er/heir.py": heir}, "2024-01-01", "v1.0.0")
    put_release(repo, {"er/base.py": base.replace("steps", "other")}, "2024-02-01", "v1.1.0")
    rows = collect(repo, tmp_path / "s")["api_changes"]
    assert {(r["name"], r["member"], r["kind"], r["detail"]) for r in rows} == {
        ("er.base.Base", "steps", "removed", None), ("er.base.Base", "__init__", "parameter removed", "steps@0"),
        ("er.heir.Heir", "__init__", "parameter removed", "steps@0")}  # fmt: skip


def test_parameters_that_nobody_names_are_no_break(tmp_path):
    repo = Repo(tmp_path / "clone")
    old = "class Row:\n    def __getitem__(self, key): ...\n    def read(self, path): ...\n    def __call__(self, x): ...\n"
    new = "class Row:\n    def __getitem__(self, name): ...\n    def read(self, /, path): ...\n    def __call__(self, y): ...\n"
    put_release(repo, {"er/__init__.py": old}, "2024-01-01", "v1.0.0")
    put_release(repo, {"er/__init__.py": new}, "2024-02-01", "v1.1.0")
    rows = collect(repo, tmp_path / "s")["api_changes"]
    assert [(r["member"], r["kind"], r["detail"]) for r in rows] == [("__call__", "parameter removed", "x@0")]


def test_a_class_that_loses_its_base_takes_nothing_from_the_base(tmp_path):
    repo = Repo(tmp_path / "clone")
    base = "class Base:\n    __slots__ = ()\n    def run(self): ...\n"
    put_release(repo, {"er/__init__.py": base + "class Heir(Base): ...\n"}, "2024-01-01", "v1.0.0")
    put_release(repo, {"er/__init__.py": base.replace("    __slots__ = ()\n", "") + "class Heir: ...\n"},
                "2024-02-01", "v1.1.0")  # fmt: skip
    rows = collect(repo, tmp_path / "s")["api_changes"]
    assert [(r["name"], r["member"], r["kind"]) for r in rows] == [("er.Heir", None, "base class removed")]


OWN_IMPORTS = "from er.core import Array, mean, store, zeros\n"
BRANCHES = {
    "an else branch": "if FLAG:\n    from er.core import Array, mean, store, zeros\nelse:\n{}",
    "a branch after the imports": OWN_IMPORTS + "if FLAG:\n{}",
    "a try in a branch": OWN_IMPORTS + "if FLAG:\n    try:\n    {}\n    except ImportError:\n        pass\n",
    "a handler": "try:\n    from er.core import Array, mean, store, zeros\nexcept ImportError:\n{}",
    "the first branch": "try:\n{}\nexcept ImportError:\n    from er.core import Array, mean, store, zeros\n",
}


@pytest.mark.parametrize("text", BRANCHES.values(), ids=BRANCHES)
def test_a_name_that_one_branch_takes_from_another_package_stays_the_own_one(tmp_path, text):
    repo = Repo(tmp_path / "clone")
    core = "class Array:\n    def sum(self): ...\ndef mean(x): ...\ndef store(x): ...\ndef zeros(n): ...\n"
    put_release(repo, {"er/__init__.py": OWN_IMPORTS, "er/core.py": core}, "2024-01-01", "v1.0.0")
    outside = "    from other.array import Array, mean, zeros"
    put_release(repo, {"er/__init__.py": text.format(outside)}, "2024-02-01", "v1.1.0")
    put_release(repo, {"er/core.py": core.replace("sum(self)", "total(self)")}, "2024-03-01", "v1.2.0")
    put_release(
        repo, {"er/__init__.py": OWN_IMPORTS + "from other.array import mean\n"}, "2024-04-01", "v2.0.0"
    )
    rows = collect(repo, tmp_path / "s")["api_changes"]
    assert {(r["version"], r["name"], r["member"], r["kind"]) for r in rows if not r["is_alias"]} == {
        ("1.2.0", "er.Array", "sum", "removed"),
        ("2.0.0", "er.mean", None, "removed"),
    }, "the last import replaces mean() under any condition"


def test_a_stand_in_of_one_branch_does_not_replace_a_function(tmp_path):
    repo = Repo(tmp_path / "clone")
    text = "from er.core import store\ndef load(path): ...\n"
    put_release(repo, {"er/__init__.py": text, "er/core.py": "def store(x): ...\n"}, "2024-01-01", "v1.0.0")
    branch = "if FLAG:\n    try:\n        from other import load\n        store = refuse('store')\n    except ImportError:\n        pass\n"
    put_release(repo, {"er/__init__.py": text + branch}, "2024-02-01", "v1.1.0")
    tables = collect(repo, tmp_path / "s")
    assert tables["api_changes"] == []
    assert {r["name"]: r["kind"] for r in tables["api_names"] if not r["is_alias"]} == {
        "er.core": "module", "er.load": "function", "er.store": "function"}  # fmt: skip


def test_tags_of_another_project_whose_history_came_in_are_left_out(tmp_path):
    repo = Repo(tmp_path / "clone")
    put_release(repo, {"er/__init__.py": "def make(): ...\n"}, "2024-01-01", "v1.0.0")
    repo.git("checkout", "-q", "--orphan", "other")
    repo.git("rm", "-q", "-r", "-f", ".")
    put_release(repo, {"expr/__init__.py": "def plan(): ...\n"}, "2024-02-01", "v3.0.0")
    put_release(repo, {"expr/__init__.py": "def plan(x): ...\n"}, "2023-12-01", "v0.9.0")
    repo.git("checkout", "-q", "-f", "main")
    put_release(repo, {"er/__init__.py": "def make(): ...\ndef more(): ...\n"}, "2024-03-01", "v1.1.0")
    notes = []
    rows = collect(repo, tmp_path / "unmerged", warn=notes.append)["api_releases"]
    assert [r["version"] for r in rows] == ["0.9.0", "1.0.0", "1.1.0"], "an older tag can be of the project"
    assert notes == [f"{NAME}: 1 tags of another project, such as v3.0.0, are left out"]
    repo.git("merge", "-q", "--allow-unrelated-histories", "-m", "merge", "other", day="2024-04-01")
    put_release(repo, {}, "2024-05-01", "v1.2.0")
    rows = collect(repo, tmp_path / "merged")["api_releases"]
    assert [r["version"] for r in rows] == ["0.9.0", "1.0.0", "1.1.0", "1.2.0"]


def test_package_of_a_repository():
    paths = dict.fromkeys(
        ("lib/yaml/__init__.py", "lib/yaml/nodes.py", "examples/big/__init__.py", "tests/yaml/__init__.py"), "b")  # fmt: skip
    assert find_package(paths, ["PyYAML", "pyyaml"]).name == "yaml"
    many = {**paths, "libs/core/lang_core/__init__.py": "b", "libs/core/lang_core/x/__init__.py": "b"}
    package = find_package(many, ["lang-core"])
    assert (package.name, set(package.files)) == (
        "lang_core",
        {"lang_core/__init__.py", "lang_core/x/__init__.py"},
    )
    assert find_package({"six.py": "b", "setup.py": "b", "documentation/conf.py": "b"}, ["six"]).files == {
        "six.py": "b"
    }
    early = dict.fromkeys(("compare/__init__.py", "py-far/pyfar/__init__.py", "py-far/pyfar/b.py"), "b")
    assert find_package(early, ["far_", "pyfarther"]).name == "pyfar", "its name is in that of the repository"
    assert find_package(early, ["far"]).name == "compare", "three letters are in many names"
    source = dict.fromkeys(("src/__init__.py", "src/er/__init__.py", "src/er/b.py", "app/__init__.py"), "b")
    assert set(find_package(source, ["er"]).files) == {"er/__init__.py", "er/b.py"}, "nobody imports src"
    assert find_package({"src/__init__.py": "b", "src/a.py": "b"}, ["er"]).name == "src"
    strange = {"../er/__init__.py": "b", "../er/a b.py": "b", "../er/../x.py": "b", "docs/conf.py": "b"}
    assert find_package(strange, ["er"]).files == {"er/__init__.py": "b"}, "no path leads out of the folder"


@pytest.mark.parametrize(("tag", "version"), [
    ("v1.2", "1.2"), ("trl@v0.9.4", "0.9.4"), ("release_1_2", "1.2"), ("httpx2-1.0", "1.0"), ("nightly", None)])  # fmt: skip
def test_version_of_a_tag(tag, version):
    assert str(read_version(tag)) == str(version)


def test_steps_of_versions(tmp_path):
    repo = Repo(tmp_path / "clone")
    repo.commit("a.txt")
    tags = ("0.1.0", "0.1.1", "0.2.0", "1.0.0", "1.0.0.post1", "1.1.0", "2024.1.0", "2024.2.0")
    for number, tag in enumerate(tags):
        repo.commit("a.txt", day=f"2024-01-{number + 1:02}")
        repo.git("tag", tag)
    steps = [release.step for release in list_main_line(repo.path / ".git")]
    assert steps == ["first", "patch", "major", "major", "patch", "minor", None, None]
