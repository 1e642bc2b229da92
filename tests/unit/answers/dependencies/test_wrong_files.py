"""A malformed file gives one message that names it; an unusual but valid file is read."""

from __future__ import annotations

import json

import pytest

from advisor.answers.dependencies import Dependency, files, text
from advisor.answers.dependencies.packages import Origin, find_origin, read_origins
from advisor.errors import ConfigError, InputError

CYCLONE = {"bomFormat": "CycloneDX"}


@pytest.mark.parametrize(("name", "content", "message"), [
    ("environment.yml", "a: [", "while parsing"),
    ("environment.yml", "name: sea\n", "expected a list"),
    ("environment.yml", "dependencies: ['==1']\n", "'==1' is not a conda package"),
    ("uv.lock", "package = [1]", "not a lock file of uv, poetry, pdm or PEP 751"),
    ("uv.lock", "package = [", "Invalid value"),
    ("package.json", '{"dependencies": []}', "dependencies must be an object"),
    ("package.json", "[]", "expected a JSON object"),
    ("package.json", "{", "Expecting property name"),
    ("package-lock.json", '{"packages": [1]}', "not a lock file of npm or pnpm"),
    ("pnpm-lock.yaml", "a: [", "while parsing"),
    ("pnpm-lock.yaml", "[]", "expected a mapping"),
    ("pnpm-lock.yaml", "lockfileVersion: x", "not a lock file of npm or pnpm"),
    ("pyproject.toml", "project = 1", "not a pyproject.toml of PEP 621"),
    ("requirements.txt", "./wheels/polars.whl\n", "'polars.whl' is not the name of a wheel"),
    ("bom.json", json.dumps({**CYCLONE, "components": [1]}), "not an SBOM of CycloneDX or SPDX"),
    ("bom.json", json.dumps({**CYCLONE, "components": [{"name": "x", "purl": "pypi/x"}]}), "is not a package URL"),
])  # fmt: skip
def test_one_message_with_the_file_and_the_problem(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        files.read_dependencies([tmp_path / name])


def test_a_file_that_is_not_text_or_too_large_gives_an_error(tmp_path, monkeypatch):
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"flask\xff\n")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        files.read_dependencies([path])
    monkeypatch.setattr(text, "SIZE_LIMIT", 3)
    with pytest.raises(InputError, match=r"requirements\.txt is larger than"):
        files.read_dependencies([path])


def test_conda_entries_that_are_not_packages_have_no_effect(tmp_path):
    path = tmp_path / "environment.yml"
    path.write_text("dependencies: [numpy, 3, {other: [x]}]\n")
    assert [d.name for d in files.read_dependencies([path])] == ["numpy"]


def test_uv_names_a_repository_with_git(tmp_path):
    path = tmp_path / "uv.lock"
    path.write_text(
        '[[package]]\nname = "trl"\nsource = { git = "https://github.com/huggingface/trl?rev=v1" }\n'
    )
    (package,) = files.read_dependencies([path])
    assert package.repository == "huggingface/trl"


def test_json_of_npm_under_another_name(tmp_path):
    path = tmp_path / "web.json"
    path.write_text('{"devDependencies": {"react": "19"}}')
    assert [(d.ecosystem, d.name) for d in files.read_dependencies([path])] == [("npm", "react")]


def test_an_sbom_with_files_and_packages_of_github(tmp_path):
    path = tmp_path / "bom.json"
    inner = {"name": "action", "purl": "pkg:github/actions/checkout@v4"}
    path.write_text(
        json.dumps({**CYCLONE, "components": [{"type": "file", "name": "f.so", "components": [inner]}]})
    )
    (package,) = files.read_dependencies([path])
    assert (package.ecosystem, package.repository) == ("github", "actions/checkout")


def test_spdx_that_describes_all_its_packages_is_a_plain_list(tmp_path):
    path = tmp_path / "bill.json"
    package = {"SPDXID": "a", "name": "flask"}
    path.write_text(
        json.dumps({"spdxVersion": "SPDX-2.3", "documentDescribes": ["a"], "packages": [package]})
    )
    assert [d.name for d in files.read_dependencies([path])] == ["flask"]


def test_the_origin_of_a_conda_package():
    origins = {("pypi", "ruamel-yaml"): Origin("o/ruamel", "a table")}
    fields = {"ecosystem": "conda", "name": "ruamel.yaml", "file": "environment.yml", "line": 1}
    # conda's graphviz is the program, PyPI's is a binding to it: the same name is not the same package
    assert find_origin(Dependency(**fields), origins) is None
    origins["conda", "ruamel.yaml"] = Origin("o/feedstock", "a table")
    assert find_origin(Dependency(**fields), origins) == Origin("o/feedstock", "a table")
    assert find_origin(Dependency(**{**fields, "name": "gcc"}), origins) is None
    assert find_origin(Dependency(**fields, local="../ruamel"), origins) is None


def test_a_damaged_table_of_packages_gives_an_error(tmp_path):
    (tmp_path / "packages.csv").write_text("name\nflask\n")
    with pytest.raises(ConfigError, match=r"packages\.csv: expected a table with the columns ecosystem, "):
        read_origins([], tmp_path)
