"""The GitHub repository in a URL, and the choice between the links of a package."""

from __future__ import annotations

import pytest

from advisor.addresses import check_place, github_repository, repository_of_links
from advisor.errors import InputError

A, B = "https://github.com/o/a", "https://github.com/o/b"


@pytest.mark.parametrize(("url", "repository"), [
    ("https://github.com/Own-er/n.a_m-e/issues?q=1#top", "Own-er/n.a_m-e"),
    ("git+ssh://git@github.com/o/n.git@v1", "o/n"),
    ("git@GitHub.com:o/n.git", "o/n"),
    ("github:o/n", "o/n"),
    ("https://github.com/o/.git", None),
    ("https://github.com/o/..", None),
    ("https://github.com/o/.", None),
    ("https://github.com/Sponsors/o", None),
    ("https://github.com/o", None),
    ("https://gitlab.com/o/n", None),
    ("", None),
])  # fmt: skip
def test_repository_of_a_url(url, repository):
    assert github_repository(url) == repository


@pytest.mark.parametrize(("links", "repository"), [
    ([], None),
    ([("Homepage", "https://example.org"), ("Docs", A)], None),
    ([("Homepage", A), ("Source Code", B)], "o/b"),
    ([("Code", A), ("GitHub", B)], "o/b"),
    ([("Docs", A), ("Homepage", B)], "o/b"),
    ([("Tracker", A), ("Docs", B)], "o/a"),
    ([("Homepage", f"{A}/issues/12"), ("Bug Tracker", f"{B}/issues")], "o/b"),
    # one label with one repository in two spellings counts; a label with two repositories does not
    ([("Source", A), ("source:", "https://GitHub.com/O/A/tree/main")], "O/A"),
    ([("Source", A), ("Source", B), ("Homepage", B)], "o/b"),
    ([("Source", A), ("Source", B)], None),
])  # fmt: skip
def test_the_most_reliable_label_wins(links, repository):
    assert repository_of_links(links) == repository


def test_what_can_only_be_a_path_is_said_to_be_missing(tmp_path):
    assert check_place("o/n") == "o/n"
    (tmp_path / "file").touch()
    for place, problem in (
        ("/nonexist", "'/nonexist' does not exist"),
        ("./o/n", "'./o/n' does not exist"),
        ("~/o", "'~/o' does not exist"),
        ("a/b/c", "'a/b/c' does not exist"),
        (str(tmp_path / "file"), "/file' is a file"),
    ):
        with pytest.raises(
            InputError, match=f"{problem}: expected the folder of a clone, a URL, or owner/name"
        ):
            check_place(place)
    with pytest.raises(InputError, match="invalid repository name 'n': expected owner/name"):
        check_place("n")
