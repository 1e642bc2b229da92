"""Every kind of file is read as the tool that writes it means it; real ones lie in files/."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.answers.dependencies import files
from advisor.errors import InputError

REAL = Path(__file__).parent / "files"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def by_name(*paths):
    return {d.name: d for d in files.read_dependencies(paths)}


def test_requirements_with_all_that_pip_knows(tmp_path):
    write(tmp_path, "more/base.txt", "-r ../requirements.txt\nTornado\n")
    write(tmp_path, "pins.txt", "flask==3.0.1\nnobody-asked==1\n")
    path = write(tmp_path, "requirements.txt", """# a comment
--index-url https://user:secret@index.example/simple  # pragma: allowlist secret
-r more/base.txt
--constraint=pins.txt
Flask[async]>=2   # why
numpy==2.4.6 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
ruamel.yaml ; python_version < "3.12"
trl @ git+https://user:secret@github.com/huggingface/trl.git@v1  # pragma: allowlist secret
-e git+ssh://git@github.com/huggingface/peft@main#egg=PEFT
git+https://gitlab.example/team/tool.git
./wheels/polars-1.2.0-py3-none-any.whl
--editable ./own
""")  # fmt: skip
    found = by_name(path)
    assert list(found) == ["tornado", "flask", "numpy", "ruamel-yaml", "trl", "peft", "tool", "polars", "own"]
    assert (found["flask"].version, found["flask"].line) == ("3.0.1", 5)
    assert (found["numpy"].version, found["numpy"].line) == ("2.4.6", 6)
    assert found["ruamel-yaml"].marker == 'python_version < "3.12"'
    assert found["tornado"].file == f"{tmp_path}/more/base.txt"
    assert (found["trl"].repository, found["peft"].repository) == ("huggingface/trl", "huggingface/peft")
    assert found["tool"].repository is None and found["tool"].local and found["own"].local == "./own"
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("flask==\n", r"r\.txt:1: 'flask==' is not a requirement"),
        ("-r missing.txt\n", r"missing\.txt cannot be read"),
        ("-r https://example.org/r.txt\n", "cannot read https://example.org/r.txt from the network"),
        ("# nothing\n", "no package in it"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, why):
    with pytest.raises(InputError, match=why):
        files.read_dependencies([write(tmp_path, "r.txt", text)])


def test_pyproject_has_extras_and_groups():
    found = by_name(REAL / "pyproject.toml")
    assert {n: d.groups for n, d in found.items()} == {
        "httpx": (), "bottle": ("web",), "pluggy": ("test", "dev"), "click": ("dev",),
    }  # fmt: skip
    lines = (REAL / "pyproject.toml").read_text().splitlines()
    assert all(name in lines[d.line - 1] for name, d in found.items())


def test_a_group_that_includes_itself_is_an_error(tmp_path):
    text = '[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]\n'
    with pytest.raises(InputError, match="includes itself"):
        files.read_dependencies([write(tmp_path, "pyproject.toml", text)])


def test_poetry_tables_and_lock(tmp_path):
    path = write(tmp_path, "pyproject.toml", """[tool.poetry.dependencies]
python = "^3.11"
httpx = "==0.28.1"
Sanic = { git = "https://github.com/sanic-org/sanic.git", rev = "main", optional = true }
dask = [{ version = "^1", python = "<3.12" }, { version = "^2", python = ">=3.12" }]
[tool.poetry.group.test.dependencies]
pytest = ">=8"
""")  # fmt: skip
    found = by_name(path)
    assert list(found) == ["httpx", "sanic", "dask", "pytest"]
    assert found["httpx"].version == "0.28.1" and found["dask"].version is None
    assert (found["sanic"].repository, found["sanic"].groups) == ("sanic-org/sanic", ("optional",))
    lock = write(tmp_path, "poetry.lock", """[[package]]
name = "sanic"
version = "25.3.0"
groups = ["main", "test"]
[package.source]
type = "git"
url = "https://github.com/sanic-org/sanic.git"
resolved_reference = "abc"
[[package]]
name = "pytest"
version = "8.1.0"
groups = ["test"]
[metadata]
lock-version = "2.1"
""")  # fmt: skip
    locked = by_name(lock)
    assert locked["sanic"].repository == "sanic-org/sanic" and locked["sanic"].groups == ()
    assert (locked["pytest"].version, locked["pytest"].groups, locked["pytest"].line) == (
        "8.1.0",
        ("test",),
        10,
    )


def test_the_locks_and_bills_of_one_project_agree():
    locked = by_name(REAL / "uv.lock")
    assert "harbour" not in locked and len(locked) >= 9
    versions = {n: d.version for n, d in locked.items()}
    assert {n: d.version for n, d in by_name(REAL / "bom.json").items()}.items() <= versions.items()
    for name in ("pylock.toml", "requirements.txt"):
        found = by_name(REAL / name)
        assert found and {n: d.version for n, d in found.items()}.items() <= versions.items()
    lines = (REAL / "uv.lock").read_text().splitlines()
    assert all(f'"{name}"' in lines[d.line - 1] for name, d in locked.items())


def test_conda_with_a_pip_part(tmp_path):
    path = write(tmp_path, "environment.yml", """name: sea
dependencies:
  - python=3.12
  - conda-forge::numpy>=1.26
  - dask==2024.1.0=py_0
  - pip
  - pip:
      - -r more.txt
      - trl==1.0  # the trainer
      - git+https://github.com/huggingface/peft.git
""")  # fmt: skip
    found = by_name(path)
    assert [(d.ecosystem, d.name, d.version) for d in found.values()] == [
        ("conda", "python", "3.12"), ("conda", "numpy", None), ("conda", "dask", "2024.1.0"),
        ("conda", "pip", None), ("pypi", "trl", "1.0"), ("pypi", "peft", None),
    ]  # fmt: skip
    assert found["trl"].line == 9


def test_package_json(tmp_path):
    path = write(tmp_path, "package.json", """{
  "dependencies": {"react": "^19.0.0", "left": "npm:left-pad@1.3.0", "@scope/pkg": "1.2.3"},
  "devDependencies": {"tool": "github:owner/tool#v1", "short": "owner/short", "own": "file:../own"}
}""")  # fmt: skip
    found = by_name(path)
    assert list(found) == ["react", "left-pad", "@scope/pkg", "tool", "short", "own"]
    assert (found["left-pad"].version, found["@scope/pkg"].line) == ("1.3.0", 2)
    assert (found["tool"].repository, found["short"].repository) == ("owner/tool", "owner/short")
    assert found["own"].local and found["own"].groups == ("dev",)


@pytest.mark.parametrize("name", ["package-lock.json", "pnpm-lock.yaml"])
def test_npm_s_and_pnpm_s_locks_hold_what_the_bill_holds(name):
    found, billed = by_name(REAL / name), by_name(REAL / "spdx.json")
    assert {n: d.version for n, d in found.items()} == {n: d.version for n, d in billed.items()}
    lines = (REAL / name).read_text().splitlines()
    assert all(n in lines[d.line - 1] for n, d in found.items())


def test_locks_of_every_version_say_the_same(tmp_path):
    """An alias, two versions of one package, an address, a workspace's own; each as its tool writes it."""
    of_npm_3 = """{"lockfileVersion": 3, "packages": {"": {"name": "ours"},
  "node_modules/left": {"name": "ms", "version": "2.1.3"},
  "node_modules/@s/p": {"version": "1.0.0", "dev": true},
  "node_modules/@s/p/node_modules/q": {"version": "2.0.0-rc.1", "devOptional": true},
  "node_modules/own": {"resolved": "packages/own", "link": true}, "packages/own": {"version": "0.1.0"},
  "node_modules/g": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/o/g.git#abc"}}}"""
    of_npm_1 = """{"lockfileVersion": 1, "dependencies": {"left": {"version": "npm:ms@2.1.3"},
  "@s/p": {"version": "1.0.0", "dev": true, "dependencies": {"q": {"version": "2.0.0-rc.1", "dev": true}}},
  "g": {"version": "git+ssh://git@github.com/o/g.git#abc", "from": "g@github:o/g"}}}"""
    of_pnpm_5 = """lockfileVersion: 5.4
packages:
  /ms/2.1.3: {resolution: {integrity: x}}
  /@s/p/1.0.0_react@18.2.0: {resolution: {integrity: x}, dev: true}
  /q/2.0.0-rc.1: {resolution: {integrity: x}, dev: true}
  github.com/o/g/abc: {resolution: {tarball: 'https://codeload.github.com/o/g/tar.gz/abc'}, name: g, version: 1.0.0}
"""
    of_pnpm_9 = """lockfileVersion: '9.0'
packages:
  ms@2.1.3: {resolution: {integrity: x}}
  '@s/p@1.0.0': {resolution: {integrity: x}}
  q@2.0.0-rc.1: {resolution: {integrity: x}}
  g@https://codeload.github.com/o/g/tar.gz/abc: {resolution: {tarball: 'https://codeload.github.com/o/g/tar.gz/abc'}, version: 1.0.0}
"""
    for name, text in (("package-lock.json", of_npm_3), ("npm-shrinkwrap.json", of_npm_1),
                       ("pnpm-lock.yaml", of_pnpm_5), ("sub/pnpm-lock.yaml", of_pnpm_9)):  # fmt: skip
        found = by_name(write(tmp_path, name, text))
        assert {n: (d.version, d.repository) for n, d in found.items()} == {
            "ms": ("2.1.3", None), "@s/p": ("1.0.0", None), "q": ("2.0.0-rc.1", None), "g": (None, "o/g"),
        }, name  # fmt: skip
        assert found["g"].local and found["ms"].groups == ()
        assert ("dev" in found["q"].groups) is ("9.0" not in text)  # since 9.0 a lock does not say it
    for name, text in (("package-lock.json", '{"packages": [1]}'), ("pnpm-lock.yaml", "lockfileVersion: x")):
        with pytest.raises(InputError, match="not a lock file of npm or pnpm"):
            files.read_dependencies([write(tmp_path, name, text)])


def test_what_npm_installed_says_whose_it_is(tmp_path):
    asked = write(
        tmp_path,
        "package.json",
        '{"dependencies": {"a": "1.0.0", "b": "^1", "@s/c": "1", "d": "1", "e": "1"}}',
    )
    for name, said in (("a", '{"repository": {"url": "git+https://github.com/o/a.git", "directory": "x"}}'),
                       ("b", '{"repository": "o/b"}'), ("@s/c", '{"repository": "https://gitlab.com/o/c"}'), ("d", "broken")):  # fmt: skip
        write(tmp_path, f"node_modules/{name}/package.json", said)
    found = by_name(asked)
    assert {n: d.repository for n, d in found.items()} == {
        "a": "o/a",
        "b": "o/b",
        "@s/c": None,
        "d": None,
        "e": None,
    }


def test_spdx_of_npm_leaves_its_own_project_out():
    found = by_name(REAL / "spdx.json")
    assert sorted(found) == ["ms", "nanoid", "picocolors"]
    assert {d.ecosystem for d in found.values()} == {"npm"}
    assert found["nanoid"].version == "5.1.5"


def test_spdx_3_and_package_urls_of_any_kind(tmp_path):
    path = write(tmp_path, "bill.spdx.json", """{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
{"type": "software_Sbom", "spdxId": "s", "rootElement": ["root"]},
{"type": "software_Package", "spdxId": "root", "name": "ours"},
{"type": "software_Package", "spdxId": "a", "name": "Flask", "software_packageUrl": "pkg:pypi/flask@3.0.0"},
{"type": "software_Package", "spdxId": "b", "name": "x", "externalIdentifier":
  [{"externalIdentifierType": "packageUrl", "identifier": "pkg:golang/github.com/spf13/cobra@v1.8.0"}]},
{"type": "software_Package", "spdxId": "c", "name": "bash", "software_packageVersion": "5.2"}]}""")  # fmt: skip
    found = by_name(path)
    assert [(d.ecosystem, d.name, d.version) for d in found.values()] == [
        ("pypi", "flask", "3.0.0"), ("golang", "github.com/spf13/cobra", "v1.8.0"), ("unknown", "bash", "5.2"),
    ]  # fmt: skip
    assert found["github.com/spf13/cobra"].repository == "spf13/cobra"


def test_one_package_of_two_files_is_one(tmp_path):
    first = write(tmp_path, "a/requirements.txt", "flask\n")
    second = write(tmp_path, "b/requirements.txt", "Flask==3.0\n")
    found = files.read_dependencies([first, second])
    assert [(d.name, d.version, d.file) for d in found] == [("flask", "3.0", first.as_posix())]


def test_a_file_of_no_known_kind(tmp_path):
    with pytest.raises(InputError, match="is not of a supported kind"):
        files.read_dependencies([write(tmp_path, "setup.cfg", "[metadata]\n")])
    with pytest.raises(InputError, match="is not of a supported kind"):
        files.read_dependencies([write(tmp_path, "some.json", "{}")])
