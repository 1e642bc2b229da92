"""Each kind of file is read as its tool defines it; files/ has real ones."""

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


def test_requirements_with_every_syntax_of_pip(tmp_path):
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
    packages = by_name(path)
    assert list(packages) == [
        "tornado",
        "flask",
        "numpy",
        "ruamel-yaml",
        "trl",
        "peft",
        "tool",
        "polars",
        "own",
    ]
    assert (packages["flask"].version, packages["flask"].line) == ("3.0.1", 5)
    assert (packages["numpy"].version, packages["numpy"].line) == ("2.4.6", 6)
    assert packages["ruamel-yaml"].marker == 'python_version < "3.12"'
    assert packages["tornado"].file == f"{tmp_path}/more/base.txt"
    assert (packages["trl"].repository, packages["peft"].repository) == (
        "huggingface/trl",
        "huggingface/peft",
    )
    assert packages["tool"].repository is None and packages["tool"].local and packages["own"].local == "./own"
    assert "secret" not in str(packages)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("flask==\n", r"r\.txt:1: 'flask==' is not a requirement"),
        ("-r missing.txt\n", r"missing\.txt cannot be read"),
        ("-r https://example.org/r.txt\n", "cannot read https://example.org/r.txt from the network"),
    ],
)
def test_an_error_names_the_place(tmp_path, text, why):
    with pytest.raises(InputError, match=why):
        files.read_dependencies([write(tmp_path, "r.txt", text)])


def test_pyproject_has_extras_and_groups():
    packages = by_name(REAL / "pyproject.toml")
    assert {n: d.groups for n, d in packages.items()} == {
        "httpx": (), "bottle": ("web",), "pluggy": ("test", "dev"), "click": ("dev",),
    }  # fmt: skip
    lines = (REAL / "pyproject.toml").read_text().splitlines()
    assert all(name in lines[d.line - 1] for name, d in packages.items())


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
    packages = by_name(path)
    assert list(packages) == ["httpx", "sanic", "dask", "pytest"]
    assert packages["httpx"].version == "0.28.1" and packages["dask"].version is None
    assert (packages["sanic"].repository, packages["sanic"].groups) == ("sanic-org/sanic", ("optional",))
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
    locked_packages = by_name(lock)
    assert locked_packages["sanic"].repository == "sanic-org/sanic" and locked_packages["sanic"].groups == ()
    assert (
        locked_packages["pytest"].version,
        locked_packages["pytest"].groups,
        locked_packages["pytest"].line,
    ) == (
        "8.1.0",
        ("test",),
        10,
    )


def test_the_lock_files_and_sboms_of_one_project_agree():
    locked_packages = by_name(REAL / "uv.lock")
    assert "harbour" not in locked_packages and len(locked_packages) >= 9
    versions = {n: d.version for n, d in locked_packages.items()}
    assert {n: d.version for n, d in by_name(REAL / "bom.json").items()}.items() <= versions.items()
    for name in ("pylock.toml", "requirements.txt"):
        packages = by_name(REAL / name)
        assert packages and {n: d.version for n, d in packages.items()}.items() <= versions.items()
    lines = (REAL / "uv.lock").read_text().splitlines()
    assert all(f'"{name}"' in lines[d.line - 1] for name, d in locked_packages.items())


def test_conda_with_a_pip_section(tmp_path):
    write(tmp_path, "more.txt", "rich==14\n")
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
    packages = by_name(path)
    assert [(d.ecosystem, d.name, d.version) for d in packages.values()] == [
        ("conda", "python", "3.12"), ("conda", "numpy", None), ("conda", "dask", "2024.1.0"),
        ("conda", "pip", None), ("pypi", "rich", "14"), ("pypi", "trl", "1.0"), ("pypi", "peft", None),
    ]  # fmt: skip
    assert packages["trl"].line == 9


def test_package_json(tmp_path):
    path = write(tmp_path, "package.json", """{
  "dependencies": {"react": "^19.0.0", "left": "npm:left-pad@1.3.0", "@scope/pkg": "1.2.3"},
  "devDependencies": {"tool": "github:owner/tool#v1", "short": "owner/short", "own": "file:../own"}
}""")  # fmt: skip
    packages = by_name(path)
    assert list(packages) == ["react", "left-pad", "@scope/pkg", "tool", "short", "own"]
    assert (packages["left-pad"].version, packages["@scope/pkg"].line) == ("1.3.0", 2)
    assert (packages["tool"].repository, packages["short"].repository) == ("owner/tool", "owner/short")
    assert packages["own"].local and packages["own"].groups == ("dev",)


@pytest.mark.parametrize("name", ["package-lock.json", "pnpm-lock.yaml"])
def test_lock_files_of_npm_and_pnpm_have_the_packages_of_the_sbom(name):
    packages, sbom_packages = by_name(REAL / name), by_name(REAL / "spdx.json")
    assert {n: d.version for n, d in packages.items()} == {n: d.version for n, d in sbom_packages.items()}
    lines = (REAL / name).read_text().splitlines()
    assert all(n in lines[d.line - 1] for n, d in packages.items())


def test_lock_files_of_every_version_give_the_same_packages(tmp_path):
    """Each lock has an alias, two versions of a package, a URL and a package of the workspace."""
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
        packages = by_name(write(tmp_path, name, text))
        assert {n: (d.version, d.repository) for n, d in packages.items()} == {
            "ms": ("2.1.3", None), "@s/p": ("1.0.0", None), "q": ("2.0.0-rc.1", None), "g": (None, "o/g"),
        }, name  # fmt: skip
        assert packages["g"].local and packages["ms"].groups == ()
        assert ("dev" in packages["q"].groups) is ("9.0" not in text)  # version 9.0 no longer says it
    for name, text in (("package-lock.json", '{"packages": [1]}'), ("pnpm-lock.yaml", "lockfileVersion: x")):
        with pytest.raises(InputError, match="not a lock file of npm or pnpm"):
            files.read_dependencies([write(tmp_path, name, text)])


def test_an_installed_npm_package_names_its_repository(tmp_path):
    path = write(
        tmp_path,
        "package.json",
        '{"dependencies": {"a": "1.0.0", "b": "^1", "@s/c": "1", "d": "1", "e": "1"}}',
    )
    for name, content in (("a", '{"repository": {"url": "git+https://github.com/o/a.git", "directory": "x"}}'),
                       ("b", '{"repository": "o/b"}'), ("@s/c", '{"repository": "https://gitlab.com/o/c"}'), ("d", "broken")):  # fmt: skip
        write(tmp_path, f"node_modules/{name}/package.json", content)
    packages = by_name(path)
    assert {n: d.repository for n, d in packages.items()} == {
        "a": "o/a",
        "b": "o/b",
        "@s/c": None,
        "d": None,
        "e": None,
    }


def test_spdx_of_npm_has_no_entry_for_the_project_itself():
    packages = by_name(REAL / "spdx.json")
    assert sorted(packages) == ["ms", "nanoid", "picocolors"]
    assert {d.ecosystem for d in packages.values()} == {"npm"}
    assert packages["nanoid"].version == "5.1.5"


def test_spdx_3_and_package_urls_of_any_kind(tmp_path):
    path = write(tmp_path, "bill.spdx.json", """{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
{"type": "software_Sbom", "spdxId": "s", "rootElement": ["root"]},
{"type": "software_Package", "spdxId": "root", "name": "ours"},
{"type": "software_Package", "spdxId": "a", "name": "Flask", "software_packageUrl": "pkg:pypi/flask@3.0.0"},
{"type": "software_Package", "spdxId": "b", "name": "x", "externalIdentifier":
  [{"externalIdentifierType": "packageUrl", "identifier": "pkg:golang/github.com/spf13/cobra@v1.8.0"}]},
{"type": "software_Package", "spdxId": "c", "name": "bash", "software_packageVersion": "5.2"}]}""")  # fmt: skip
    packages = by_name(path)
    assert [(d.ecosystem, d.name, d.version) for d in packages.values()] == [
        ("pypi", "flask", "3.0.0"), ("golang", "github.com/spf13/cobra", "v1.8.0"), ("unknown", "bash", "5.2"),
    ]  # fmt: skip
    assert packages["github.com/spf13/cobra"].repository == "spf13/cobra"


def test_a_package_in_two_files_is_one_dependency(tmp_path):
    first = write(tmp_path, "a/requirements.txt", "flask\n")
    second = write(tmp_path, "b/requirements.txt", "Flask==3.0\n")
    packages = files.read_dependencies([first, second])
    assert [(d.name, d.version, d.file) for d in packages] == [("flask", "3.0", first.as_posix())]


def test_an_unsupported_file_gives_an_error(tmp_path):
    with pytest.raises(InputError, match="is not of a supported kind"):
        files.read_dependencies([write(tmp_path, "Gemfile.lock2", "GEM\n")])
    with pytest.raises(InputError, match="is not of a supported kind"):
        files.read_dependencies([write(tmp_path, "some.json", "{}")])
