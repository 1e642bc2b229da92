"""Change requests that were merged by a button, by a script, and by hand."""

from __future__ import annotations

import os
import subprocess
import tracemalloc
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from advisor.collect.git import collect_history
from advisor.collect.git.merge_evidence import find_merges
from advisor.collect.git.merge_patterns import (
    list_writers,
    load_merge_patterns,
    parse_closed_numbers,
    parse_mentioned_numbers,
    parse_merged_numbers,
)
from advisor.collect.git.patches import list_changes
from advisor.collect.git.request_refs import read_refs
from advisor.domain.identities import load_identities
from advisor.errors import ConfigError, GitFailed
from advisor.facts.reading import open_store, read_rows

ANN, BOB, CY = ("Ann Ash", "ann@x.example"), ("Bob Ray", "bob@y.example"), ("Cy Oz", "cy@z.example")
GITHUB = ("GitHub", "noreply@github.com")
DAY = 86400
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())


class History:
    """A repository with change requests; times are days after the start of 2024."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("start", CY, 0, "# start")

    def git(self, *arguments, author=CY, committer=None, day=0, wrote=None):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for role, who, at in (
            ("AUTHOR", author, day if wrote is None else wrote),
            ("COMMITTER", committer or author, day),
        ):
            env |= {f"GIT_{role}_NAME": who[0], f"GIT_{role}_EMAIL": who[1]}
            env |= {f"GIT_{role}_DATE": f"@{int(START + at * DAY)} +0000"}
        run = subprocess.run(
            ["git", "-C", str(self.path), *arguments], env=env, check=True, capture_output=True
        )
        return run.stdout.decode().strip()

    def commit(self, file, author, day, message="change", text=None, **when):
        with (self.path / file).open("a") as out:
            out.write(f"{text or file}\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", message, author=author, day=day, **when)
        return self.git("rev-parse", "HEAD")

    def propose(self, number, author, day, files=("f",), base="main", is_open=False):
        """Make a change request with a commit for each file; return to the default branch."""
        self.git("checkout", "-q", "-b", f"topic-{number}", base)
        for place, file in enumerate(files):
            self.commit(f"{file}{number}", author, day + place / 10)
        for kind in ("head", *(["merge"] if is_open else [])):
            self.git("update-ref", f"refs/pull/{number}/{kind}", "HEAD")
        self.git("checkout", "-q", "main")
        self.git("update-ref", "-d", f"refs/heads/topic-{number}")
        return f"refs/pull/{number}/head"

    def read(self):
        refs = read_refs(self.path / ".git", load_identities())
        return find_merges(self.path / ".git", "o/n", refs)


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "repository")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(p, text) for p in load_merge_patterns().pattern for text in p.examples],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_pattern_reads_its_examples(pattern, text):
    is_subject = pattern.where == "subject"
    assert parse_merged_numbers(text, "o/n", is_subject=is_subject) == list(pattern.examples[text])
    if not is_subject:
        assert parse_merged_numbers(text, "o/n", is_subject=True) == [], "a subject says nothing of this"


def test_closing_words_are_githubs_list():
    text = "Fix x #1\n\nCloses #2, fixes: O/N#3 and RESOLVED https://github.com/o/n/pull/4; closes other/one#5\ncloses gh-6"
    assert parse_closed_numbers(text, "o/n") == [2, 3, 4, 6]
    assert parse_closed_numbers("discloses #7, closing #8, prefix #9, close#10", "o/n") == []
    assert parse_mentioned_numbers(text, "o/n") == [1, 2, 3, 4, 6]
    assert list_writers("Ann", "A@x.example", "x\n\nCo-authored-by: Bob  Ray <b@y.example>\n") == {
        "a@x.example", "bob ray", "b@y.example"}  # fmt: skip


def test_a_wrong_file_of_patterns_is_a_clear_error(tmp_path):
    (tmp_path / "merges.toml").write_text("pattern = []\n")
    with pytest.raises(ConfigError, match=r"merges\.toml: closing: the key is missing"):
        load_merge_patterns(tmp_path)


def test_requests_closed_by_a_commit_of_their_author_are_merged(history):
    for number in (1, 2, 3):
        history.propose(number, ANN, number)
    history.commit("a", ANN, 10, "feature\n\nCloses #1", committer=CY)
    history.commit("b", CY, 11, "feature\n\nFixes #2\n\nCo-authored-by: A. Ash <ann@x.example>")
    history.commit("c", BOB, 12, "the same, but shorter\n\nCloses #3")
    found = history.read()
    assert set(found.times) == set(found.by_hand) == {1, 2}
    assert found.times[1] == START + 10 * DAY
    assert set(found.closures) == set(found.possible) == {3}, "Bob may have taken it, or replaced it"


def test_a_number_of_another_tracker_or_repository_closes_nothing(history):
    history.commit("a", ANN, 1, "Fixes #1, a ticket of the tracker before")
    history.commit("b", ANN, 60, "Fixes other/one#1")
    history.propose(1, ANN, 50)
    found = history.read()
    assert not found.times and not found.closures


def test_rebased_and_amended_requests_are_merged(history):
    history.propose(1, ANN, 1, files=("a", "b"))
    history.propose(2, BOB, 2, files=("a", "b", "c"))
    history.commit("other", CY, 3)
    for commit in ("refs/pull/1/head~1", "refs/pull/1/head"):
        history.git("cherry-pick", commit, committer=CY, day=4)
    history.commit("squashed", BOB, 5, "all in one", wrote=2)  # the time of the first commit of three
    found = history.read()
    assert found.times == {1: START + 4 * DAY, 2: START + 5 * DAY}


def test_a_branch_on_top_of_a_merged_one_and_a_backport_are_not_merged(history):
    history.propose(1, ANN, 1, files=("a", "b"))
    history.propose(2, ANN, 2, base="refs/pull/1/head")
    for commit in ("refs/pull/1/head~1", "refs/pull/1/head"):
        history.git("cherry-pick", commit, committer=CY, day=4)
    history.git("checkout", "-q", "-b", "v1", "main~2")
    history.git("cherry-pick", "main", committer=CY, day=9)
    history.git("update-ref", "refs/pull/3/head", "HEAD")
    history.git("checkout", "-q", "main")
    assert set(history.read().times) == {1}


@pytest.mark.parametrize("has_contents", [True, False])
def test_a_squash_is_known_by_its_changes(history, tmp_path, has_contents):
    (history.path / "shared").write_text("".join(f"{i}\n" for i in range(40)))
    history.commit("more", CY, 0)
    history.propose(1, ANN, 1, files=("a", "b"))
    history.git("merge", "-q", "--squash", "refs/pull/1/head")
    history.git("commit", "-q", "-m", "two files", author=ANN, committer=CY, day=5)
    history.git("checkout", "-q", "-b", "topic", "main")
    lines = [f"{i}\n" for i in range(40)]
    for line, day in ((30, 6), (31, 7)):
        lines[line] = "changed\n"
        (history.path / "shared").write_text("".join(lines))
        history.git("commit", "-qam", "part", author=BOB, day=day)
    history.git("update-ref", "refs/pull/2/head", "HEAD")
    history.git("checkout", "-q", "main")
    history.git("branch", "-qD", "topic")
    others = [f"{i}\n" for i in range(40)]
    others[2] = "meanwhile\n"  # the file has other contents before and after, and the patch is the same
    (history.path / "shared").write_text("".join(others))
    history.git("commit", "-qam", "meanwhile", day=8)
    history.git("merge", "-q", "--squash", "refs/pull/2/head")
    history.git("commit", "-q", "-m", "one file", author=BOB, committer=CY, day=9)
    folder = history.path / ".git"
    if not has_contents:
        history.git("config", "uploadpack.allowFilter", "true")
        folder = tmp_path / "blobless.git"
        subprocess.run(
            ["git", "clone", "-q", "--mirror", "--filter=blob:none", history.path.as_uri(), str(folder)],
            check=True,
        )
    found = find_merges(folder, "o/n", read_refs(folder, load_identities()))
    assert found.times == {1: START + 5 * DAY} | ({2: START + 9 * DAY} if has_contents else {})
    assert set(found.possible) == (set() if has_contents else {2})


def test_scripts_and_other_branches_name_what_they_merge(history):
    for number in range(1, 8):
        history.propose(number, ANN, number)
    history.commit("a", CY, 10, "Merge #1 #2\n\nr=cy")
    history.commit("b", CY, 11, "topic\n\nPR-URL: https://github.com/o/n/pull/3")
    history.commit("c", CY, 12, "topic (#4)\n\nsquashed by the merge queue", committer=GITHUB)
    history.git("checkout", "-q", "-b", "v1", "main~2")
    history.commit("d", CY, 13, "topic (#5)", committer=GITHUB)
    history.commit("e", CY, 14, "a branch of somebody says (#6)")
    history.git("checkout", "-q", "main")
    history.commit("f", CY, 15, "topic\n\nPR-URL: https://github.com/old/n/pull/7")
    assert set(history.read().times) == {1, 2, 3, 4, 5}


def test_only_a_later_commit_without_a_request_can_be_a_hidden_merge(history):
    history.propose(1, ANN, 1)
    history.propose(2, ANN, 2)
    history.propose(3, BOB, 3)
    history.propose(4, ANN, 4, is_open=True)
    history.propose(5, BOB, 5)
    for number in range(20, 30):  # the project shows its merges
        history.propose(number, CY, 6)
        history.commit(f"m{number}", CY, 7, f"Merge #{number}")
    history.commit("a", ANN, 8, "pushed without a word")
    history.commit("b", CY, 9, "an idea of #5")
    found = history.read()
    assert found.possible == {1: START + 8 * DAY, 5: START + 9 * DAY}, "one commit is at most one request"


def test_where_nothing_is_visible_any_commit_can_be_a_merge(history):
    for number in range(1, 4):
        history.propose(number, ANN, number)
    history.propose(4, ANN, 400)
    history.commit("a", ("Company", "export@corp.example"), 5, "Export of the internal repository")
    history.commit("b", ("Company", "export@corp.example"), 6, "Export of the internal repository")
    assert history.read().possible == {1: START + 5 * DAY, 2: START + 6 * DAY}, "there are two commits"


def test_merges_by_hand_become_facts(history, tmp_path):
    history.propose(1, ANN, 1)
    history.propose(2, ANN, 2)
    history.propose(3, ANN, 3)
    history.commit("a", ANN, 10, "feature\n\nCloses #1", committer=CY)
    history.commit("b", BOB, 12, "instead\n\nCloses #3")
    history.commit("c", ANN, 13)
    collect_history(
        str(history.path), tmp_path / "s", tmp_path / "c", retrieved_on=date(2024, 6, 1), repository="o/n"
    )
    rows = {
        r["number"]: SimpleNamespace(
            **{k: v if v is None or isinstance(v, int) else str(v) for k, v in r.items()}
        )
        for r in read_rows(open_store(tmp_path / "s"), "threads", "o/n")
    }
    people = {r["author"]: r for r in read_rows(open_store(tmp_path / "s"), "contributions", "o/n")}
    assert (rows[1].merged_at, rows[1].possibly_merged_at) == ("2024-01-11 00:00:00", None)
    assert rows[1].merged_by == 0 and 0 in people, "Cy committed it"
    assert (rows[2].merged_at, rows[2].possibly_merged_at) == (None, "2024-01-14 00:00:00")
    assert rows[2].closed_at is None and rows[2].closed_by is not None
    assert (rows[3].closed_at, rows[3].possibly_merged_at) == ("2024-01-13 00:00:00", "2024-01-13 00:00:00")
    assert rows[3].merged_at is None and rows[3].closed_by is None


def test_a_head_whose_commits_are_missing_is_an_error(history):
    sha = history.git("rev-parse", history.propose(1, ANN, 1, files=("a", "b")) + "~1")
    (history.path / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
    with pytest.raises(GitFailed, match="the messages of its commits cannot be read"):
        history.read()


def test_the_listing_of_a_large_change_is_not_held_in_memory(tmp_path):
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    stream = [b"blob\nmark :1\ndata 1\na\nblob\nmark :2\ndata 1\nb\n"]
    for mark in (b"1", b"2"):
        stream.append(b"commit refs/heads/main\ncommitter Ann <a@x.org> 1700000000 +0000\ndata 1\nm\n")
        stream += [
            b"M 100644 :%s folder-of-a-long-name/%d/%d.py\n" % (mark, n % 100, n) for n in range(20_000)
        ]
    command = ["git", "-C", str(tmp_path), "fast-import", "--quiet"]
    subprocess.run(command, input=b"".join(stream), check=True)
    command = ["git", "-C", str(tmp_path), "rev-list", "main"]
    new, old = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    tracemalloc.start()
    try:
        changes = list_changes(tmp_path / ".git", {new: old})
        assert tracemalloc.get_traced_memory()[1] < 10e6, "20,000 lines have 3 MB, and more as separate texts"
    finally:
        tracemalloc.stop()
    assert set(changes) == {new}
