"""The git collector on real repositories that the tests create."""

from __future__ import annotations

import os
import subprocess
from datetime import date

import pytest
from repositories import Repo

from advisor.collect.git import collect_history, readme
from advisor.collect.git.authors import find_organisation_domain, number_people
from advisor.collect.git.changes import open_changes, read_changes
from advisor.collect.git.commits import list_nonmerge_commits, read_log
from advisor.collect.git.declared_status import find_declared_status
from advisor.collect.git.quarters import read_final_figures
from advisor.collect.git.trees import list_file_changes
from advisor.collect.git.truck_factor import Authorship, compute_truck_factor, find_authors
from advisor.errors import GitFailed, InputError, RepositoryNotFound
from advisor.facts import reading
from advisor.facts.tables import TABLES

TODAY = date(2024, 6, 1)


@pytest.fixture
def repo(tmp_path):
    repo = Repo(tmp_path / "clone")
    repo.commit("README.md", text="# Thing\n\nA thing.", day="2024-01-01")
    repo.commit("a.py", who=("Ann Ash", "1+ann@users.noreply.github.com"), day="2024-01-02")
    repo.commit("b.py", who=("Bob Birch", "bob@corp.example"), day="2024-01-03")
    repo.commit("b.py", who=("Cy", "cy@own-domain.example"), day="2024-01-03")
    repo.commit("c.py", who=("dependabot[bot]", "d@users.noreply.github.com"), day="2024-01-04")
    repo.git("tag", "v1.0.0", day="2024-01-04")
    repo.git("tag", "v1.1.0rc1", day="2024-01-04")
    repo.git("tag", "nightly", day="2024-01-04")
    repo.git("checkout", "-q", "-b", "topic")
    head = repo.commit("d.py", day="2024-01-05")
    repo.git("update-ref", "refs/pull/7/head", head)
    repo.git("update-ref", "refs/pull/3/head", head + "~1")
    repo.git("checkout", "-q", "main")
    repo.commit("d.py", message="Add d (#7)", day="2024-01-06")
    other = repo.git("commit-tree", "HEAD^{tree}", "-m", "never merged", day="2024-01-07")
    repo.git("update-ref", "refs/pull/9/head", other)
    repo.git("update-ref", "refs/pull/9/merge", other)
    bot = repo.git("commit-tree", "HEAD^{tree}", "-m", "bump", who=("renovate[bot]", "r@x.example"))
    repo.git("update-ref", "refs/pull/11/head", bot)
    repo.git(
        "update-ref",
        "refs/pull/10/head",
        repo.git("commit-tree", "HEAD^{tree}", "-m", "n", day="2024-01-08"),
    )
    return repo


def read_tables(store):
    snapshot = reading.open_store(store)
    return {t: reading.read_rows(snapshot, t, "own/er") for t in TABLES}


def test_history_becomes_facts(repo, tmp_path):
    assert collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY) == "own/er"
    tables = read_tables(tmp_path / "s")
    people = {r["author"] for r in tables["contributions"] if not r["is_bot"]}
    assert people == {0, 1, 2}, "Ann's two addresses are one person"
    assert sum(r["commits"] for r in tables["contributions"] if r["is_bot"]) == 1
    assert {r["organisation"] for r in tables["contributions"]} == {"corp.example", None}
    assert {(r["tag"], r["is_prerelease"]) for r in tables["releases"]} == {
        ("v1.0.0", False),
        ("v1.1.0rc1", True),
    }
    threads = {r["number"]: r for r in tables["threads"]}
    assert str(threads[7]["merged_at"])[:10] == "2024-01-06"
    assert str(threads[7]["opened_at"])[:10] == "2024-01-05"
    assert threads[3]["merged_at"] is not None, "its head is an ancestor"
    assert threads[9]["closed_by"] is None and threads[9]["merged_at"] is None
    assert threads[10]["closed_by"] is not None
    assert sorted(n for n, r in threads.items() if r["is_bot"]) == [3, 11], "a bot wrote their last commits"
    assert all(r["source"].startswith("git:own/er@") for rows in tables.values() for r in rows)
    assert "@" not in str([r for rows in tables.values() for r in rows]).replace("git:own/er@", "")


@pytest.mark.parametrize(("mail", "domain"), [
    ("a@dev.corp.example", "corp.example"), ("a@lab.uni.ac.uk", "uni.ac.uk"), ("a@laptop", None), ("a@box.local", None),
    ("a@10.0.0.1", None), ("a@spaced out.example", None), ("1+a@users.noreply.github.com", None), ("a@gmail.com", None),
])  # fmt: skip
def test_address_gives_organisation_domain(mail, domain):
    assert find_organisation_domain(mail) == domain


def test_empty_history_is_a_clear_error(tmp_path):
    empty = Repo(tmp_path / "empty")
    with pytest.raises(GitFailed, match="empty: the history is empty"):
        collect_history(str(empty.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)


def test_mailmap_merges_people(repo, tmp_path):
    repo.commit(".mailmap", text="Bob Birch <bob@corp.example> Cy <cy@own-domain.example>", day="2024-01-09")
    collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)
    people = {r["author"] for r in read_tables(tmp_path / "s")["contributions"] if not r["is_bot"]}
    assert len(people) == 2


def test_merger_is_recorded_only_if_git_knows_it(repo, tmp_path):
    boss, github = ("Ben Birk", "ben@corp.example"), ("GitHub", "noreply@github.com")

    def on_main(number, message, committer, author=("Cy", "cy@own-domain.example"), day="2024-02-02"):
        repo.git("update-ref", f"refs/pull/{number}/head", repo.git("commit-tree", "HEAD^{tree}", "-m", "x"))
        repo.commit(f"{number}.py", message=message, who=author, day=day)
        repo.git("commit", "-q", "--amend", "--no-edit", who=committer, day=day)

    on_main(20, "Squashed by a button (#20)", github)
    on_main(21, "Applied by hand (#21)", boss)
    on_main(22, "By a machine (#22)", ("merge-bot[bot]", "m@x.example"))
    # GitHub makes the merger the author of a merge commit. The branch names a request that it does not merge.
    repo.git("checkout", "-q", "-b", "feature")
    head = repo.commit("f.py", message="feature", day="2024-02-03")
    repo.git("update-ref", "refs/pull/23/head", head)
    on_main(24, "not merged by Ann: on a branch (#24)", ("Ann Ash", "ann@corp.example"))
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "Merge pull request #23 from own/feature", "feature", who=boss)
    collect_history(str(repo.path), tmp_path / "store", tmp_path, retrieved_on=TODAY)
    tables = read_tables(tmp_path / "store")
    mergers = {
        t["number"]: (t["merged_by"], t["merged_by_organisation"])
        for t in tables["threads"]
        if t["merged_at"]
    }
    writers = {c["author"] for c in tables["contributions"]}
    merger = mergers[21][0]
    assert mergers[20] == mergers[22] == mergers[24] == (None, None)
    assert mergers[21] == mergers[23] == (merger, "corp.example")
    assert merger not in writers, "a merger without commits has a number of their own"
    assert merger == max(writers) + 1


def test_declared_status_has_its_day_and_sentence(repo, tmp_path):
    repo.commit("README.md", text="> **Thing is no longer actively maintained.** Bye.", day="2024-02-01")
    collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)
    rows = read_tables(tmp_path / "s")["repositories"]
    assert [(str(r["observed_on"]), r["declared_status"]) for r in rows] == [
        ("2024-01-01", "active"), ("2024-02-01", "unmaintained")]  # fmt: skip
    assert rows[1]["evidence"] == "Thing is no longer actively maintained."


def test_deleted_readme_or_submodule_declares_nothing(repo, tmp_path):
    repo.commit("README.md", text="This project is unmaintained.", day="2024-02-01")
    repo.git("rm", "-q", "README.md")
    repo.git("commit", "-q", "-m", "no readme", day="2024-03-01")
    for day, sha in (("2024-03-02", repo.git("rev-parse", "HEAD")), ("2024-03-03", "1" * 40)):
        repo.git(
            "update-index", "--add", "--cacheinfo", f"160000,{sha},README"
        )  # a submodule, whether its commit exists or not
        repo.git("commit", "-q", "-m", "odd", day=day)
    repo.git("rm", "-q", "--cached", "README")
    repo.commit("README.md", text="# Thing\n\nIt goes on.", day="2024-04-01")
    collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)
    assert [(str(r["observed_on"]), r["declared_status"]) for r in read_tables(tmp_path / "s")["repositories"]] == [
        ("2024-01-01", "active"), ("2024-02-01", "unmaintained"), ("2024-04-01", "active")]  # fmt: skip


def test_clone_that_disappears_while_reading_is_a_clear_error(repo, monkeypatch):
    versions = readme.list_versions(repo.git_folder, readme._NAMES)

    def move_clone(folder, _):
        folder.rename(folder.parent / "moved")
        return versions

    monkeypatch.setattr(readme, "list_versions", move_clone)
    with pytest.raises(GitFailed, match=r"git cat-file on .* failed: .*not a git repository"):
        readme.read_statuses(repo.git_folder)


def test_files_of_a_commit_and_their_changes(repo):
    head = repo.git("rev-parse", "HEAD")
    assert [f.path for f in list_file_changes(repo.git_folder, None, head)] == repo.git(
        "ls-files"
    ).splitlines()
    repo.git("rm", "-q", "a.py")
    new = repo.commit("b.py", text="more")
    blob = repo.git("rev-parse", "HEAD:b.py")
    assert list(list_file_changes(repo.git_folder, head, new)) == [("a.py", None), ("b.py", blob)]
    with pytest.raises(GitFailed, match="diff-tree"):
        list(list_file_changes(repo.git_folder, None, "1" * 40))


@pytest.mark.parametrize("text", [
    "Support for Python 3.8 is deprecated.", "The `foo` argument is deprecated and will go.",
    "This library is actively maintained.", "```\nThis project is deprecated\n```",
    "We replaced a package that was archived.",
    "Since the old backend is no longer maintained, the library moves to a new one.",
    "Use this if your framework is not maintained by anybody.", "It wraps a parser that is not maintained.",
])  # fmt: skip
def test_status_of_a_feature_is_not_the_projects_status(text):
    assert find_declared_status(text) == ("active", "")


@pytest.mark.parametrize(("text", "status"), [
    ("This repository has been archived.", "archived"), ("## DEPRECATED", "deprecated"),
    ("This project is unmaintained.", "unmaintained"), ("Foo is not maintained anymore.", "unmaintained"),
    ("Note: this library is in maintenance mode", "unmaintained"),
    ("As this project is no longer maintained, use Bar.", "unmaintained"),
    ("Because this library is archived, use Bar.", "archived"),
    ("Please note that Foo is no longer actively maintained.", "unmaintained"),
    ("We are sorry: since 2024, Foo is not maintained.", "unmaintained"),
])  # fmt: skip
def test_readme_declares_the_end_of_a_project(text, status):
    assert find_declared_status(text)[0] == status


def test_remote_clone_has_no_contents_and_a_fetch_updates_it(repo, tmp_path):
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    url = f"file://{repo.path}"
    args = (url, tmp_path / "s", tmp_path / "c")
    collect_history(*args, retrieved_on=TODAY, repository="own/er")
    (clone,) = (tmp_path / "c").glob("own__er@*.git")
    assert "?" in subprocess.run(
        ["git", "-C", str(clone), "rev-list", "--objects", "--missing=print", "main"],
        env={**os.environ, "GIT_ALLOW_PROTOCOL": "none"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    before = read_tables(tmp_path / "s")
    repo.commit("e.py", day="2024-03-01")
    collect_history(*args, retrieved_on=TODAY, repository="own/er")
    after = read_tables(tmp_path / "s")
    assert len(after["contributions"]) == len(before["contributions"]) + 1
    assert after["repositories"] and after["threads"]


@pytest.mark.parametrize("where", ["--upload-pack=x", "own", "own/er/x", "ext::sh -c x", "own/-\n"])
def test_hostile_names_are_wrong_input(where, tmp_path):
    with pytest.raises(InputError):
        collect_history(where, tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)


def test_missing_repository_is_a_clear_error(tmp_path):
    with pytest.raises(RepositoryNotFound):
        collect_history(f"file://{tmp_path}/own/er", tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)


def test_broken_history_writes_nothing(repo, tmp_path):
    sha = repo.git("rev-parse", "HEAD~2")
    (repo.path / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
    with pytest.raises(GitFailed):
        collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)
    assert not (tmp_path / "s").exists()


def authorship(*commits):
    authors = Authorship()
    for author, changes in commits:
        authors.record(author, [(*c, "")[:3] for c in changes])
    return authors


def test_hostile_names_paths_and_messages_cannot_forge_facts(repo, tmp_path):
    before = list_nonmerge_commits(read_log(repo.git_folder))
    hostile = "A\x1e\x1fcommit 0\x1d\x85\u2028B"
    sha = repo.commit(
        "commit x\x1e\nR.py",
        message="x\x1e\x1f (#7\n\x1e",
        who=(hostile, "a\x1f@x.example"),
        day="2024-05-01",
    )
    repo.git("update-ref", "refs/pull/12/head", sha)
    repo.git("update-ref", "refs/pull/13/head", f"{sha}^{{tree}}")
    commits = list_nonmerge_commits(read_log(repo.git_folder))
    assert len(commits) == len(before) + 1
    assert (commits[-1].sha, commits[-1].name) == (sha, hostile)
    with open_changes(tmp_path / "x.changes") as db:
        assert list(read_changes(db, repo.git_folder, [sha])) == [[("A", "commit x\x1e\nR.py", "")]]
    collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)
    numbers = {r["number"] for r in read_tables(tmp_path / "s")["threads"]}
    assert 12 in numbers and 13 not in numbers, "a ref that is not a commit is no change request"


def test_tag_with_odd_bytes_or_line_ends_is_one_tag(repo, tmp_path):
    for tag in (b"v2.0.0-\xff", "v2.1.0-\u2028v3.0.0".encode()):
        subprocess.run([b"git", b"-C", os.fsencode(repo.path), b"tag", tag], check=True)
    collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)
    assert {r["tag"] for r in read_tables(tmp_path / "s")["releases"]} == {
        "v1.0.0", "v1.1.0rc1", "v2.0.0-\N{REPLACEMENT CHARACTER}", "v2.1.0-\u2028v3.0.0"}  # fmt: skip


def test_truck_factor_by_hand():
    files = ["1.py", "2.py", "3.py", "4.py"]
    alone = authorship((0, [("A", "1.py"), ("A", "2.py"), ("A", "3.py")]), (1, [("A", "4.py")]))
    assert compute_truck_factor(alone, files) == 1
    two = authorship((0, [("A", "1.py"), ("A", "2.py")]), (1, [("A", "3.py"), ("A", "4.py")]))
    assert compute_truck_factor(two, files) == 2
    assert compute_truck_factor(two, ["unknown.py"]) is None


def test_final_truck_factor_is_the_last_collected_one(repo, tmp_path):
    collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=TODAY)
    commits = list_nonmerge_commits(read_log(repo.git_folder))
    factors = [r["value"] for r in read_tables(tmp_path / "s")["counts"] if r["metric"] == "truck_factor"]
    figures = read_final_figures(repo.git_folder, commits, number_people(commits), tmp_path / "x.changes")
    assert figures["truck_factor"] == factors[-1]


def test_degree_of_authorship_by_hand():
    # With nine changes the creator has 4.391 - 0.321·ln(1 + 9) = 3.652 and the other developer has
    # 3.293 + 0.164·9 = 4.769. 3.652 / 4.769 = 0.766 is above 0.75, so both are authors. With ten changes
    # 4.391 - 0.770 = 3.621 is 0.734 of 4.933, so only one is.
    for times, authors in ((9, [0, 1]), (10, [1])):
        history = authorship((0, [("A", "f.py")]), *[(1, [("M", "f.py")])] * times)
        assert sorted(find_authors(history.creators["f.py"], history.changes["f.py"])) == authors


def test_renamed_file_keeps_authors_and_file_added_twice_has_two():
    history = authorship(
        (0, [("A", "f.py")]), (1, [("R", "g.py", "f.py")]), (2, [("D", "g.py"), ("A", "g.py")])
    )
    assert history.creators["g.py"] == {0, 2}
    assert history.changes["g.py"] == {1: 1}


def test_leavers_with_few_files_do_not_count():
    # One person has 21 of 60 files and 39 others have one each. Eleven people must leave until less than half
    # of the files have an author. Ten of them have less than a tenth of the first one's files.
    many = [("A", f"{i}.py") for i in range(21)]
    few = [(n, [("A", f"x{n}.py")]) for n in range(1, 40)]
    history = authorship((0, many), *few)
    assert compute_truck_factor(history, list(history.creators)) == 1
