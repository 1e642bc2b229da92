"""Whose package it is: only GitHub is GitHub, and a claim is marked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from advisor.addresses import github_repository
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.packages import ATTESTATION, find_origin, read_origins
from advisor.cli import app, load
from advisor.facts import reading, writing

load(None)


load(None)


@pytest.mark.parametrize(("url", "repository"), [
    ("https://notgithub.com/huggingface/trl/archive/main.zip", None),
    ("https://github.com.evil.example/huggingface/trl", None),
    ("https://mirror.example/github.com/pallets/flask", None),
    ("https://github.com@evil.example/huggingface/trl", None),
    ("https://evil.example#@github.com/huggingface/trl", None),
    ("https://evil.example?x=@github.com/huggingface/trl", None),
    ("https://evil.example\\@github.com/huggingface/trl", None),
    ("https://gist.github.com/someone/0123", None),
    ("https://github.com./huggingface/trl", None),
    ("https://api.github.com/users/psf", None),
    ("https://api.github.com/repos/psf/requests/zipball", "psf/requests"),
    ("https://www.github.com/psf/requests", "psf/requests"),
    ("https://codeload.github.com/psf/requests/tar.gz/main", "psf/requests"),
    ("https://raw.githubusercontent.com/psf/requests/main/x.txt", "psf/requests"),
    ("ssh://git@ssh.github.com:443/psf/requests.git", "psf/requests"),
    ("git+ssh://git@github.com:psf/requests.git#v1", "psf/requests"),
    ("github.com/psf/requests", "psf/requests"),
])  # fmt: skip
def test_only_github_is_github(url, repository):
    assert github_repository(url) == repository


def test_starjacking_is_marked(tmp_path):
    """A package that names somebody else's repository gets the score, and the mark that nobody confirms it."""
    package = tmp_path / "node_modules" / "evil" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"repository": "github:huggingface/trl"}')
    (tmp_path / "package.json").write_text('{"dependencies": {"evil": "1.0.0"}}')
    (tmp_path / "requirements.txt").write_text("trl\n")
    command = ["rank", "--store", "bundled"]
    for name in ("package.json", "requirements.txt"):
        command += ["--from", str(tmp_path / name)]
    table = CliRunner().invoke(app, command).output
    rows = {line.split()[0]: line for line in table.splitlines() if "huggingface/trl" in line}
    assert "huggingface/trl *" in rows["evil"] and "huggingface/trl *" not in rows["trl"]
    assert "*: only the package itself names this repository" in table
    content = json.loads(CliRunner().invoke(app, [*command, "--format", "json"]).output)
    assert {e["name"]: e["is_claim"] for e in content["known"]} == {"evil": True, "trl": False}
    assert "huggingface/trl) \\*" in CliRunner().invoke(app, [*command, "--format", "markdown"]).output


@pytest.mark.parametrize(("source", "is_claim"), [("pypi", True), ("depsdev", True), (ATTESTATION, False)])
def test_only_an_attestation_proves_the_word_of_an_index(tmp_path, source, is_claim):
    row = {"repository": "huggingface/trl", "ecosystem": "pypi", "package": "evil", "source": source,
           "retrieved_at": "2026-01-02"}  # fmt: skip
    rows = [row, {**row, "ecosystem": "conda", "package": "flask"}]  # an earlier version wrote the second
    writing.write_rows(tmp_path, "packages", "huggingface/trl", rows)
    origins = read_origins([reading.open_store(tmp_path, may_lack_days=True)])
    assert origins["pypi", "evil"].is_claim is is_claim
    assert ("conda", "flask") not in origins
    own_word = Dependency("pypi", "evil", "bom.json", repository="evil/other", is_claim=True)
    assert find_origin(own_word, origins).repository == ("evil/other" if is_claim else "huggingface/trl")
    fork = replace(own_word, local="git+https://github.com/evil/other", is_claim=False)
    assert find_origin(fork, origins).repository == "evil/other"
