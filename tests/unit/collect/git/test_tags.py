"""Tags of every scheme: which are releases, of which package, and which are final."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import date

import pytest
from repositories import Repo

from advisor.collect.git import collect_history
from advisor.collect.git.releases import is_package, read_releases
from advisor.collect.git.tag_schemes import load_tag_schemes, parse_tag
from advisor.errors import ConfigError
from advisor.facts.reading import open_store, read_rows

SCHEMES = load_tag_schemes().scheme


@pytest.mark.parametrize(("name", "tag"), [(s.name, tag) for s in SCHEMES for tag in s.examples])
def test_each_scheme_reads_its_examples(name, tag):
    flags = re.IGNORECASE | re.ASCII
    assert next(s.name for s in SCHEMES if re.fullmatch(s.pattern, tag, flags)) == name
    assert parse_tag(tag) is not None


@pytest.mark.parametrize("tag", [
    "v1.2.3", "1.2", "curl-8_20_0", "rel/commons-io-2.18.0", "r5.11.0", "@vue/shared@3.5.0", "langgraph==0.2.1", "v255",
    "2025b", "release-20250102", "2025-01-02", "REL_17_2", "OpenSSL_1_1_1w", "openssl-3.0.0b", "go1.22.3", "n7.0",
    "v1.2.0-cuda12", "v1.3.0-alpine3.18", "v1.4.0-arm64", "33.0-jre", "6.0.0.Final", "7.1.1-21", "1.0.post1",
    "2.0.0-incubating", "v3", "core-8-6-13", "v1.0.0+b12", "next@15.0.0", "test-utils@1.0.0", "mobile-2.1.0",
])  # fmt: skip
def test_final_releases(tag):
    version = parse_tag(tag)
    assert version is not None and not version.is_prerelease


@pytest.mark.parametrize("tag", [
    "v2.0.0-M1", "v2.0.0-SNAPSHOT", "v2.0.0-next.1", "v2.0.0-canary.2", "v2.0.0-insiders", "v2.0.0-milestone-1",
    "v2.0.0-test1", "1.0rc1", "1.0a2", "1.0.dev3", "v1.0-beta", "CSV_1.0_RC3", "curl-7_6_1-pre1", "REL_17_BETA1.0",
    "nightly-2025-01-02", "canary/v1.2.3", "v3-rc1", "3.0.0.CR2", "v1.0.0-pr.12", "next/core@1.0.0-alpha.1",
])  # fmt: skip
def test_pre_releases(tag):
    version = parse_tag(tag)
    assert version is not None and version.is_prerelease


@pytest.mark.parametrize("tag", [
    "nightly", "latest", "stable", "v8-perf", "backup-2025-01-02", "backup/1.2", "before-merge-20250102", "pr/1.2",
    "linux-x86_64", "fix-2-x", "py3", "release", "", "v", "start", "weekend-2025-01-02", "1" * 300 + ".0",
])  # fmt: skip
def test_tags_that_name_no_version(tag):
    assert parse_tag(tag) is None


@pytest.mark.parametrize(("tag", "package"), [
    ("@scope/name@1.2.3", "@scope/name"), ("name==1.2.3", "name"), ("pkg/v1.2.3", "pkg"), ("pkg-v1.2.3", "pkg"),
    ("rel/commons-io-2.18.0", "commons-io"), ("releases/lucene/9.9.0", "lucene"), ("curl-8_20_0", "curl"),
    ("v1.2.3", None), ("release-1.2.3", None), ("REL_16_1", None), ("nightly-1.2.3", None), ("2024a", None),
])  # fmt: skip
def test_the_package_of_a_tag(tag, package):
    assert parse_tag(tag).package == package


def test_names_of_packages_are_compared_as_an_index_does():
    assert is_package("Lang_Chain.core", "lang-chain-core") and is_package("@scope/core", "core")
    assert not is_package(None, "core") and not is_package("core-js", "core")


def test_a_wrong_file_is_a_clear_error(tmp_path):
    (tmp_path / "tags.toml").write_text("[prefix]\nwords = []\nno_release = []\n")
    with pytest.raises(ConfigError, match=r"tags\.toml: scheme: the key is missing"):
        load_tag_schemes(tmp_path)


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tags") / "repository"

    def git(*arguments, day="2024-05-01"):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "Ann", f"GIT_{role}_EMAIL": "ann@x.example"}
            env |= {f"GIT_{role}_DATE": f"{day}T12:00:00 +0000"}
        subprocess.run(["git", "-C", str(folder), *arguments], env=env, check=True, capture_output=True)

    folder.mkdir()
    git("init", "-q", "-b", "main")
    for number, day in enumerate(("2024-04-01", "2024-05-01")):
        git("commit", "-q", "--allow-empty", "-m", "release", day=day)
        for package in ("@o/core", "@o/web", "tools"):
            git("tag", f"{package}@1.{number}.0")
    git("commit", "-q", "--allow-empty", "-m", "release", day="2024-05-20")
    git("tag", "tools@1.2.0")
    git("tag", "stable")
    return folder


def test_names_that_a_project_gave_up_do_not_hide_its_releases(tmp_path):
    repo = Repo(tmp_path / "clone")
    for day, tag in (
        ("2018-07-07", "Modin-v0.1.0"),
        ("2024-01-01", "0.30.0"),
        ("2024-05-01", "0.31.0"),
        ("2024-05-01", "x@1.0.0"),
    ):
        repo.commit("a.py", day=day)
        repo.git("tag", tag)
    collect_history(
        str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=date(2024, 6, 1), package="modin"
    )
    rows = read_rows(open_store(tmp_path / "s"), "releases", "own/er")
    assert {row["tag"] for row in rows} == {"Modin-v0.1.0", "0.30.0", "0.31.0"}


@pytest.mark.parametrize(("package", "tags"), [
    (None, {f"{p}@1.{i}.0" for p in ("@o/core", "@o/web", "tools") for i in (0, 1)} | {"tools@1.2.0"}),
    ("@o/core", {"@o/core@1.0.0", "@o/core@1.1.0"}),
    ("Tools", {"tools@1.0.0", "tools@1.1.0", "tools@1.2.0"}),
    ("never-tagged", {f"{p}@1.{i}.0" for p in ("@o/core", "@o/web", "tools") for i in (0, 1)} | {"tools@1.2.0"}),
])  # fmt: skip
def test_a_package_has_its_own_tags(monorepo, tmp_path, package, tags):
    day = date(2024, 6, 1)
    collect_history(
        str(monorepo), tmp_path / "s", tmp_path / "c", retrieved_on=day, repository="o/n", package=package
    )
    assert {row["tag"] for row in read_rows(open_store(tmp_path / "s"), "releases", "o/n")} == tags


def test_tags_for_python_are_the_package_in_a_repository_of_several_languages(tmp_path):
    repo = Repo(tmp_path / "clone")
    repo.commit("a.txt", day="2024-01-01")
    for tag in ("py-1.0.0", "python-lang-1.1.0", "rs-0.9.0", "node-2.0.0"):
        repo.git("tag", tag)
    tags = {
        package: {r["tag"] for r in read_releases(repo.path / ".git", package)} for package in ("lang", None)
    }
    assert tags["lang"] == {"py-1.0.0", "python-lang-1.1.0"}
    assert len(tags[None]) == 4
