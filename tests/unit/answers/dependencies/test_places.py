"""Where a package stands and comes from: its line, and what stands in for an index."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.answers.dependencies import Dependency, files, text
from advisor.answers.dependencies.packages import Origin, find_origin, read_origins
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.facts import reading, writing


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
    assert parse_requirement(text, "r.txt", 1, is_address=True) == Dependency("pypi", name, "r.txt", local=local)


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


@pytest.mark.parametrize(("text", "name", "marker"), [
    ("x-1.0-py3-none-any.whl[extra]", "x", ""),
    ("y-1.0-py3-none-any.whl ; os_name == 'nt'", "y", "os_name == 'nt'"),
    ("git+https://git.example/o/n.git@v1#subdirectory=a/b", "n", ""),
    ("./BOX", "box", ""),
])  # fmt: skip
def test_an_address_is_known_by_its_look(text, name, marker):
    found = parse_requirement(text, "r.txt", 1)
    assert (found.name, found.marker, bool(found.local)) == (name, marker, True)


def test_why_it_is_no_requirement_in_one_line_without_a_password():
    with pytest.raises(InputError) as told:
        parse_requirement("a @ https://user:pw@x y", "r.txt", 3)  # pragma: allowlist secret
    assert str(told.value).startswith("r.txt:3: 'a @ https://x y' is not a requirement: Expected ")
    assert "\n" not in str(told.value)


def test_an_environment_that_is_a_list(read):
    with pytest.raises(InputError, match=r"^environment\.yml: expected a list `dependencies`$"):
        read("environment.yml", "- numpy\n")


def test_a_file_is_known_by_its_name_in_any_case_or_by_what_is_in_it(read):
    for name, content in (("Requirements.TXT", "a"), ("base.in", "a"), ("pyproject-old.toml", '[project]\ndependencies = ["a"]'),
                       ("pylock.dev.toml", '[[packages]]\nname = "a"'), ("env.YAML", "dependencies: [a]"),
                       ("x.json", '{"bomFormat": "CycloneDX", "components": [{"name": "a"}]}'),
                       ("y.json", '{"dependencies": {"a": "1"}}'), ("z.json", '{"devDependencies": {"a": "1"}}')):  # fmt: skip
        assert [d.name for d in read(name, content)] == ["a"], name
    with pytest.raises(InputError, match=r"^x\.json: Expecting"):
        read("x.json", "{")
    for name in ("package-lock.jsonx", "x.json"):
        with pytest.raises(InputError) as told:
            read(name, "{}")
        assert (
            str(told.value)
            == f"{name} is not of a supported kind: {files.KINDS} (CycloneDX or SPDX, as JSON)"
        )


def test_whose_package_it_is_by_the_table_under_the_domains(tmp_path):
    (tmp_path / "domains").mkdir()
    (tmp_path / "packages.csv").write_text(
        "ecosystem,package,repository,source,read_on\nnpm,Left_pad,o/left,npm,2026-01-02\npypi,trl,o/old,a page,2026-01-01\n",
        encoding="utf-8",
    )  # fmt: skip
    shutil.copy(data_folder() / "domains" / "finetuning.toml", tmp_path / "domains")
    for shared in ("criteria", "organisations.toml"):
        (tmp_path / shared).symlink_to(data_folder() / shared)
    known = read_origins([], tmp_path)
    assert known["npm", "Left_pad"] == Origin("o/left", "npm, 2026-01-02")
    assert known["pypi", "trl"] == Origin("huggingface/trl", "domain finetuning")
    asked = Dependency("pypi", "trl", "r.txt")
    assert find_origin(asked, known) == known["pypi", "trl"]
    assert find_origin(replace(asked, repository="me/fork", local="x"), known) == Origin("me/fork", "r.txt")
    assert find_origin(replace(asked, ecosystem="npm"), known) is None


def test_the_facts_speak_over_the_table_and_the_first_store_over_the_others(tmp_path):
    def store(name, *rows):
        for table, row in rows:
            about = {"repository": f"o/{name}", "source": "an index", "retrieved_at": "2026-01-02"}
            writing.write_rows(tmp_path / name, table, f"o/{name}", [{**about, **row}])
        return reading.open_store(tmp_path / name, may_lack_days=True)

    package = {"ecosystem": "npm", "package": "Some_Thing"}
    first = store("first", ("packages", package))
    release = {
        "package": "My_Own",
        "version": "1",
        "released_on": "2026-01-01",
        "is_prerelease": False,
        "is_yanked": False,
    }
    other = store("other", ("packages", package), ("package_releases", release))
    known = read_origins([first, other])
    assert known["npm", "Some_Thing"] == Origin("o/first", "an index, 2026-01-02")
    assert known["pypi", "my-own"] == Origin("o/other", "an index, 2026-01-02")
    assert known["pypi", "accelerate"].repository == "huggingface/accelerate"


def test_every_way_to_write_a_line_of_requirements(read, tmp_path):
    (tmp_path / "sub").mkdir()
    for name, content in (("sub/more.txt", "--requirement=deep.in\nb>=1\n"), ("sub/deep.in", "c\n"),
                       ("pins.txt", "a==9\nb==2\n-c sub/pins.txt\nz\n"), ("sub/pins.txt", "c==3\n")):  # fmt: skip
        (tmp_path / name).write_text(content)
    found = read("r.txt", """\ufeff# a comment is not joined \\
-rsub/more.txt
   # indented
--constraint pins.txt
a==1 --hash=sha256:x --global-option=y

d \\
  >=1 \\
    -C k=v  # why
--extra-index-url https://user:pw@index.example/x  # pragma: allowlist secret
--editable=./own
-e\t../other
f --config-settings=k=v
g\t#tight
h \\""")  # fmt: skip
    assert [(d.name, d.version, d.file, d.line) for d in found] == [
        ("c", "3", "sub/deep.in", 1), ("b", "2", "sub/more.txt", 2), ("a", "1", "r.txt", 5), ("d", None, "r.txt", 7),
        ("own", None, "r.txt", 11), ("other", None, "r.txt", 12), ("f", None, "r.txt", 13), ("g", None, "r.txt", 14),
        ("h", None, "r.txt", 15),
    ]  # fmt: skip
    with pytest.raises(InputError) as told:
        read("r.txt", "\n-c https://x.example/r.txt\n")
    assert str(told.value) == "r.txt:2: cannot read https://x.example/r.txt from the network: save it as a file"
    with pytest.raises(InputError, match=r"^sub/more\.txt:2: 'b!' is not a requirement"):
        (tmp_path / "sub" / "more.txt").write_text("a\nb!\n")
        read("r.txt", "-r  sub/more.txt\n")


def test_a_file_that_cannot_be_read(read, monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"^none\.txt cannot be read: No such file or directory$"):
        files.read_dependencies([Path("none.txt")])
    monkeypatch.setattr(text, "SIZE_LIMIT", 2**20)
    (tmp_path / "large.txt").write_bytes(b"a" + b"\n" * (2**20 - 1))
    assert len(files.read_dependencies([tmp_path / "large.txt"])) == 1
    with pytest.raises(InputError, match=r"^large\.txt is larger than 1 MiB$"):
        read("large.txt", "\n" * (2**20 + 1))
    (tmp_path / "odd.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"odd\.txt is not UTF-8 text$"):
        files.read_dependencies([tmp_path / "odd.txt"])


def test_the_line_of_a_name_is_where_it_stands_by_itself():
    lines = text.Lines("flask-admin see flask.\n@s/p Flask\nflask")
    assert [lines.find(name) for name in ("FLASK", "flask-admin", "@s/p", "admin")] == [1, 1, 2, 1]
    assert text.Lines("\n\nx").find("x") == 3
