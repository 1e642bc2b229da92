"""Whether a word of `advisor collect-stability` is a package or a repository, and which repository a package has."""

from __future__ import annotations

from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.collect import public_api
from advisor.collect.public_api import package_releases

load("collect-stability")


def run(monkeypatch, *words):
    calls = []
    monkeypatch.setattr(
        package_releases,
        "collect_package_api",
        lambda name, *_, repository, **__: calls.append((name, repository)),
    )
    monkeypatch.setattr(public_api, "collect_api", lambda where, *_, **__: calls.append(where))
    result = CliRunner().invoke(app, ["collect-stability", *words])
    assert result.exit_code == 0, result.output
    return calls


def test_a_word_without_a_slash_is_a_package_unless_a_folder_has_the_name(monkeypatch, tmp_path):
    (tmp_path / "pandas").mkdir()
    monkeypatch.chdir(tmp_path)
    words = ("pyspark", "pandas", "pypi:pandas", "own/er", "https://github.com/own/er.git")
    assert run(monkeypatch, *words) == [
        ("pyspark", "apache/spark"),
        "pandas",
        ("pandas", "pandas-dev/pandas"),
        "own/er",
        "https://github.com/own/er.git",
    ]


def test_a_package_that_nobody_knows_is_asked_for_its_repository(monkeypatch):
    assert run(monkeypatch, "no-such-package-here") == [("no-such-package-here", None)]
    assert run(monkeypatch, "pandas", "--name", "own/er") == [("pandas", "own/er")]
