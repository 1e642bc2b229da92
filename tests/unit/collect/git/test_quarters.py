"""Truck factors and files by quarter: what counts as own code, and what a second reading reads."""

from __future__ import annotations

from datetime import date

import pytest
from repositories import Repo

from advisor.collect.git import changes, collect_history, tables
from advisor.collect.git.vendored_files import is_vendored
from advisor.facts import reading

TODAY = date(2024, 6, 1)
ANN, BOB, CY = ("Ann Ash", "ann@a.example"), ("Bob Birch", "bob@b.example"), ("Cy Cedar", "cy@c.example")


@pytest.fixture
def repo(tmp_path):
    repo = Repo(tmp_path / "clone")
    repo.commit(*(f"src/{number}.py" for number in range(3)), who=ANN, day="2024-01-02")
    repo.commit(*(f"node_modules/lib/{number}.js" for number in range(4)), who=BOB, day="2024-01-03")
    repo.commit(*(f"copied/{number}.py" for number in range(4)), who=CY, day="2024-01-03")
    return repo


def collect(repo, folder, day=TODAY):
    collect_history(str(repo.path), folder / "s", folder / "c", retrieved_on=day)
    return reading.open_store(folder / "s")


def read_figure(repo, folder, name="truck_factor"):
    rows = reading.read_rows(collect(repo, folder), "counts", "own/er")
    return [(str(r["day"]), r["value"]) for r in rows if r["metric"] == name]


@pytest.mark.parametrize(("path", "is_of_others"), [
    ("vendor/a.go", True), ("pkg/third_party/a.c", True), ("src/node_modules/a/b.js", True), ("web/jquery.min.js", True),
    ("types/index.d.ts", True), ("tests/fixtures/a.py", True), ("src/vendored_names.py", False), ("src/main.py", False),
    ("vendor.py", False),
])  # fmt: skip
def test_vendored_paths_are_those_of_linguist(path, is_of_others):
    assert is_vendored(path) is is_of_others


def test_gitattributes_say_what_is_vendored(repo, tmp_path):
    assert read_figure(repo, tmp_path)[-1][1] == 1, "Cy has four of seven files that count; Bob's never do"
    repo.commit(".gitattributes", text="src/1.py linguist-vendored=true", who=ANN, day="2024-01-04")
    repo.commit("node_modules/.gitattributes", text="lib/* -linguist-vendored", who=ANN, day="2024-01-04")
    assert read_figure(repo, tmp_path)[-1][1] == 2, "Bob and Cy have four files each, and Ann has two"
    repo.commit("copied/.gitattributes", text="* linguist-vendored", who=ANN, day="2024-01-05")
    repo.commit("node_modules/.gitattributes", text="lib/* !linguist-vendored", who=ANN, day="2024-01-05")
    assert read_figure(repo, tmp_path)[-1] == ("2024-01-05", 1), "only Ann's files are left"


def test_a_blobless_clone_fetches_the_gitattributes(repo, tmp_path):
    repo.commit(
        ".gitattributes", text="copied/** linguist-vendored\nsrc/0.py linguist-vendored", day="2024-01-04"
    )
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        repo.git("config", setting, "true")
    url = f"file://{repo.path}"
    collect_history(url, tmp_path / "u", tmp_path / "c", retrieved_on=TODAY, repository="own/er")
    facts = reading.open_store(tmp_path / "u")
    rows = [r for r in reading.read_rows(facts, "counts", "own/er") if r["metric"] == "truck_factor"]
    assert [r["value"] for r in rows] == [v for _, v in read_figure(repo, tmp_path)] == [1]


def test_a_pure_rename_keeps_authors(repo, tmp_path):
    for number in range(4):
        repo.git("rm", "-q", f"copied/{number}.py")
    repo.commit("src/long.py", text="\n".join(map(str, range(50))), who=ANN, day="2024-01-04")
    repo.git("mv", "src", "own")
    repo.git("commit", "-qm", "move", who=BOB, day="2024-01-05")
    with changes.open_changes(tmp_path / "x.changes") as db:
        (moved,) = changes.read_changes(db, repo.git_folder, [repo.git("rev-parse", "HEAD")])
    assert ("R", "own/long.py", "src/long.py") in moved
    assert read_figure(repo, tmp_path)[-1][1] == 2, "Ann stays an author beside Bob, who moved her files"


def test_practices_are_counted_at_the_end_of_each_quarter(repo, tmp_path):
    names = ("test_files", "ci_files", "funding_files", "governance_files")
    assert [read_figure(repo, tmp_path, name)[-1][1] for name in names] == [0, 0, 0, 0]
    files = (
        "tests/test_a.py", "tests/data/x.json", "src/a_test.go", "vendor/tests/test_b.py", ".github/workflows/ci.yml",
        ".gitlab-ci.yml", "deep/er/still/.travis.yml", ".github/FUNDING.yml", "GOVERNANCE.md", "docs/CODE_OF_CONDUCT.md",
        "CONTRIBUTING.rst", ".github/CODEOWNERS", "MAINTAINERS.md",
    )  # fmt: skip
    repo.commit(*files, day="2024-05-01")
    latest = [read_figure(repo, tmp_path, name) for name in names]
    assert [rows[-1] for rows in latest] == [("2024-05-01", n) for n in (2, 2, 1, 4)]
    assert [rows[0][1] for rows in latest] == [0, 0, 0, 0], "a quarter before them has none"
    repo.commit("src/0.py", day="2024-05-02")
    assert len(read_figure(repo, tmp_path, "ci_files")) == len(latest[1]), (
        "a figure that stays has no new row"
    )


def test_an_unchanged_history_is_left_alone(repo, tmp_path, monkeypatch):
    first = collect(repo, tmp_path)

    def fail(*_):
        raise AssertionError("it was read again")

    with monkeypatch.context() as patch:
        patch.setattr(tables, "read_log", fail)
        assert collect(repo, tmp_path).manifest == first.manifest
        later = collect(repo, tmp_path, date(2024, 8, 1))
        rows = reading.read_rows(later, "contributions", "own/er")
        assert {r["retrieved_at"] for r in rows} == {date(2024, 8, 1)}, "it is as fresh as a new reading"
        assert collect(repo, tmp_path, TODAY).manifest == later.manifest, "an earlier day changes nothing"
        repo.git("tag", "v1.0.0")
        with pytest.raises(AssertionError, match="read again"):
            collect(repo, tmp_path)
    next((tmp_path / "s" / "contributions").iterdir()).write_bytes(b"damaged")
    after = collect(repo, tmp_path)
    assert not reading.verify_files(after, ["own/er"])
    assert len(reading.read_rows(after, "releases", "own/er")) == 1


def test_new_commits_cost_their_own_reading_only(repo, tmp_path, monkeypatch):
    collect(repo, tmp_path)
    seen = []

    def spy(folder, commits):
        seen.extend(commits)
        return original(folder, commits)

    original = changes._list_changes
    monkeypatch.setattr(changes, "_list_changes", spy)
    new = [repo.commit("src/1.py", day="2024-05-01"), repo.commit("src/2.py", who=BOB, day="2023-12-31")]
    again = collect(repo, tmp_path)
    assert sorted(seen) == sorted(new)
    fresh = tmp_path / "fresh"
    fresh_facts = collect(repo, fresh)
    tables = ("contributions", "counts", "repositories")
    assert [reading.read_rows(again, t, "own/er") for t in tables] == [
        reading.read_rows(fresh_facts, t, "own/er") for t in tables
    ], "a commit with an older date changes the quarters after it"


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_of_changes_is_made_again(repo, tmp_path, content):
    expected = read_figure(repo, tmp_path)
    (tmp_path / "s" / "manifest.json").unlink()
    (tmp_path / "c" / "own__er.changes").write_bytes(content)
    assert read_figure(repo, tmp_path) == expected
