"""The line of a package, and a path or URL instead of an index."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.answers.dependencies import Dependency, files, text
from advisor.answers.dependencies.kinds import KINDS
from advisor.answers.dependencies.packages import Origin, find_origin, read_origins
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.facts import reading, writing


def test_a_package_url_gives_the_line_even_if_the_name_occurs_earlier(read):
    packages = read("bom.json", """{"bomFormat": "CycloneDX", "metadata": {"component": {"name": "flask"}}, "components": [
{"name": "flask", "purl": "pkg:pypi/flask@3"},
{"name": "late", "description": "better than click"},
{"name": "click", "purl":
  "pkg:pypi/click@8"}]}""")  # fmt: skip
    assert [(d.name, d.line) for d in packages] == [("flask", 2), ("late", 3), ("click", 5)]


def test_another_index_is_not_a_url_but_an_archive_is(read):
    (packages,) = read("poetry.lock", """[[package]]
name = "a"
version = "1.0"
[package.source]
type = "legacy"
url = "https://index.example/simple"
reference = "private"
""")  # fmt: skip
    assert packages == Dependency("pypi", "a", "poetry.lock", 2, "1.0", index="index.example")
    (packages,) = read("pylock.toml", """[[packages]]
name = "b"
archive = { url = "https://files.example/b.tar.gz" }
""")  # fmt: skip
    assert packages == Dependency("pypi", "b", "pylock.toml", 2, local="https://files.example/b.tar.gz")


@pytest.mark.parametrize(("text", "name", "local"), [
    (".[dev]", ".", "."), ("./own[dev,test]", "own", "./own"),
    ("git+https://git.example/o/n.git#egg=n[x]", "n", "git+https://git.example/o/n.git"),
])  # fmt: skip
def test_the_extras_of_a_url_are_not_part_of_its_name(text, name, local):
    assert parse_requirement(text, "r.txt", 1, is_address=True) == Dependency(
        "pypi", name, "r.txt", local=local
    )


def test_an_npm_lock_file_with_an_installed_package_and_a_url_with_a_user(read, tmp_path):
    (tmp_path / "node_modules" / "a").mkdir(parents=True)
    (tmp_path / "node_modules" / "a" / "package.json").write_text('{"repository": "github:o/a"}')
    (packages,) = read("package-lock.json", '{"packages": {"node_modules/a": {"version": "1.0.0"}}}')
    assert (packages.version, packages.repository) == ("1.0.0", "o/a")
    (packages,) = read("pnpm-lock.yaml", """lockfileVersion: '9.0'
packages:
  g@git+ssh://git@github.com/o/g.git#abc: {version: 1.0.0, resolution: {type: git, repo: 'git@github.com:o/g.git'}}
""")  # fmt: skip
    assert (packages.name, packages.repository, packages.version) == ("g", "o/g", None)


@pytest.mark.parametrize(("text", "name", "marker"), [
    ("x-1.0-py3-none-any.whl[extra]", "x", ""),
    ("y-1.0-py3-none-any.whl ; os_name == 'nt'", "y", "os_name == 'nt'"),
    ("git+https://git.example/o/n.git@v1#subdirectory=a/b", "n", ""),
    ("./BOX", "box", ""),
])  # fmt: skip
def test_a_url_or_path_is_recognised_by_its_form(text, name, marker):
    packages = parse_requirement(text, "r.txt", 1)
    assert (packages.name, packages.marker, bool(packages.local)) == (name, marker, True)


def test_the_error_of_a_requirement_is_one_line_without_a_password():
    with pytest.raises(InputError) as error_info:
        parse_requirement("a @ https://user:pw@x y", "r.txt", 3)  # pragma: allowlist secret
    assert str(error_info.value).startswith("r.txt:3: 'a @ https://x y' is not a requirement: Expected ")
    assert "\n" not in str(error_info.value)


def test_an_environment_that_is_a_list(read):
    with pytest.raises(InputError, match=r"^environment\.yml: expected a list `dependencies`$"):
        read("environment.yml", "- numpy\n")


def test_the_name_or_the_content_gives_the_kind_of_a_file(read):
    for name, content in (("Requirements.TXT", "a"), ("base.in", "a"), ("pyproject-old.toml", '[project]\ndependencies = ["a"]'),
                       ("pylock.dev.toml", '[[packages]]\nname = "a"'), ("env.YAML", "dependencies: [a]"),
                       ("x.json", '{"bomFormat": "CycloneDX", "components": [{"name": "a"}]}'),
                       ("y.json", '{"dependencies": {"a": "1"}}'), ("z.json", '{"devDependencies": {"a": "1"}}')):  # fmt: skip
        assert [d.name for d in read(name, content)] == ["a"], name
    with pytest.raises(InputError, match=r"^x\.json: Expecting"):
        read("x.json", "{")
    for name in ("package-lock.jsonx", "x.json"):
        with pytest.raises(InputError) as error_info:
            read(name, "{}")
        assert (
            str(error_info.value)
            == f"{name} is not of a supported kind: {KINDS} (CycloneDX, or SPDX as JSON)"
        )


def test_domains_replace_the_table_of_origins(tmp_path):
    (tmp_path / "domains").mkdir()
    (tmp_path / "packages.csv").write_text(
        "ecosystem,package,repository,source,read_on\nnpm,Left_pad,o/left,npm,2026-01-02\npypi,trl,o/old,a page,2026-01-01\n",
        encoding="utf-8",
    )  # fmt: skip
    shutil.copy(data_folder() / "domains" / "finetuning.toml", tmp_path / "domains")
    for name in ("criteria", "organisations.toml"):
        (tmp_path / name).symlink_to(data_folder() / name)
    origins = read_origins([], tmp_path)
    assert origins["npm", "Left_pad"] == Origin("o/left", "npm, 2026-01-02", is_claim=True)
    assert origins["pypi", "trl"] == Origin("huggingface/trl", "domain finetuning")
    package = Dependency("pypi", "trl", "r.txt")
    assert find_origin(package, origins) == origins["pypi", "trl"]
    assert find_origin(replace(package, repository="me/fork", local="x"), origins) == Origin(
        "me/fork", "r.txt"
    )
    assert find_origin(replace(package, ecosystem="npm"), origins) is None


def test_facts_replace_the_table_and_the_first_store_counts(tmp_path):
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
    origins = read_origins([first, other])
    assert origins["npm", "Some_Thing"] == Origin("o/first", "an index, 2026-01-02", is_claim=True)
    assert origins["pypi", "my-own"] == Origin("o/other", "an index, 2026-01-02", is_claim=True)
    assert origins["pypi", "accelerate"].repository == "huggingface/accelerate"


def test_every_syntax_of_a_line_of_requirements(read, tmp_path):
    (tmp_path / "sub").mkdir()
    for name, content in (("sub/more.txt", "--requirement=deep.in\nb>=1\n"), ("sub/deep.in", "c\n"),
                       ("pins.txt", "a==9\nb==2\n-c sub/pins.txt\nz\n"), ("sub/pins.txt", "c==3\n")):  # fmt: skip
        (tmp_path / name).write_text(content)
    packages = read("r.txt", """\ufeff# a comment is not joined \\
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
    assert [(d.name, d.version, d.file, d.line) for d in packages] == [
        ("c", "3", "sub/deep.in", 1), ("b", "2", "sub/more.txt", 2), ("a", "1", "r.txt", 5), ("d", None, "r.txt", 7),
        ("own", None, "r.txt", 11), ("other", None, "r.txt", 12), ("f", None, "r.txt", 13), ("g", None, "r.txt", 14),
        ("h", None, "r.txt", 15),
    ]  # fmt: skip
    with pytest.raises(InputError) as error_info:
        read("r.txt", "\n-c https://x.example/r.txt\n")
    assert (
        str(error_info.value)
        == "r.txt:2: cannot read https://x.example/r.txt from the network: save it as a file"
    )
    with pytest.raises(InputError, match=r"^sub/more\.txt:2: 'b!' is not a requirement"):
        (tmp_path / "sub" / "more.txt").write_text("a\nb!\n")
        read("r.txt", "-r  sub/more.txt\n")


def test_a_file_that_cannot_be_read(read, monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"^none\.txt cannot be read: no such file or directory$"):
        files.read_dependencies([Path("none.txt")])
    monkeypatch.setattr(text, "SIZE_LIMIT", 2**20)
    (tmp_path / "large.txt").write_bytes(b"a" + b"\n" * (2**20 - 1))
    assert len(files.read_dependencies([tmp_path / "large.txt"])) == 1
    with pytest.raises(InputError, match=r"^large\.txt is larger than 1 MiB$"):
        read("large.txt", "\n" * (2**20 + 1))
    (tmp_path / "odd.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"odd\.txt is not UTF-8 text$"):
        files.read_dependencies([tmp_path / "odd.txt"])


def test_the_line_of_a_name_is_that_of_the_whole_word():
    lines = text.Lines("flask-admin see flask.\n@s/p Flask\nflask")
    assert [lines.find(name) for name in ("FLASK", "flask-admin", "@s/p", "admin")] == [1, 1, 2, 1]
    assert text.Lines("\n\nx").find("x") == 3
