"""Addresses come only from names that are names."""

from __future__ import annotations

import pytest

from advisor.answers.projects import Project
from advisor.model import Candidate
from advisor.report.dashboard.links import project_row, repository_url


@pytest.mark.parametrize("name", ["javascript:alert(1)", "a/b/c", "a/b?x", 'a/"onclick=', "-a/b", "a", "a/", "https://x/y", "a b/c", "a/b\n"])  # fmt: skip
def test_a_name_that_is_no_repository_has_no_address(name):
    assert repository_url(name) == ""
    row = project_row(
        Candidate(name, name, package="x", backer_source="https://example.org"),
        Project("MIT", "It is over.", "README.md", "abc"),
    )
    assert {row[key] for key in ("url", "package_url", "backer_url", "statement_url", "install")} == {""}


def test_the_addresses_of_a_project():
    candidate = Candidate(
        "pytorch/torchtune", "torchtune", package="torchtune", backer="Meta", backer_source="https://x.org"
    )
    row = project_row(candidate, Project("BSD", "It is over.", "docs/READ ME.md", "abc"))
    assert row["package_url"] == "https://pypi.org/project/torchtune/"
    assert row["install"] == "pip install torchtune"
    assert row["statement_url"] == "https://github.com/pytorch/torchtune/blob/abc/docs/READ%20ME.md"
    assert (row["licence"], row["backer_url"]) == ("BSD", "https://x.org")


@pytest.mark.parametrize("package", [None, "", "-r x", "a; rm -rf", "--index-url=x", "a b", "../x"])
def test_a_package_that_is_no_name_has_no_install_line(package):
    row = project_row(Candidate("a/b", "b", package=package), Project())
    assert (row["install"], row["package_url"], row["package"]) == ("", "", "")


def test_an_address_of_another_kind_is_no_link():
    row = project_row(Candidate("a/b", "b", backer="X", backer_source="javascript:alert(1)"), Project())
    assert (row["backer"], row["backer_url"]) == ("X", "")
