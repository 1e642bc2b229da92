"""Where a history comes from: local clones in any state, and the cache of remote ones."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date

import pytest

from advisor.collect.git import collect_history
from advisor.errors import GitFailed, InputError
from advisor.facts.reading import open_store, read_rows

DAY = date(2026, 1, 1)
ANN, AL = ("Ann Lee", "ann@x.example"), ("alee", "al@y.example")


def git(folder, *arguments, who=ANN, day="2025-06-01"):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        env |= {
            f"GIT_{role}_NAME": who[0],
            f"GIT_{role}_EMAIL": who[1],
            f"GIT_{role}_DATE": f"{day}T12:00:00 +0000",
        }
    run = subprocess.run(["git", "-C", str(folder), *arguments], env=env, check=True, capture_output=True)
    return run.stdout.decode().strip()


def commit(folder, count, who=ANN, day="2025-06-01"):
    for _ in range(count):
        with (folder / "a.py").open("a") as file:
            file.write("1\n")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "change", who=who, day=day)


@pytest.fixture
def upstream(tmp_path):
    folder = tmp_path / "upstream"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "config", "uploadpack.allowFilter", "true")
    (folder / "README.md").write_text("# Thing\n")
    commit(folder, 6)
    commit(folder, 6, AL)
    return folder


def collect(where, tmp_path, name="s", **options):
    store = tmp_path / name
    collect_history(str(where), store, tmp_path / "cache", retrieved_on=DAY, repository="o/n", **options)
    snapshot = open_store(store)
    tables = ("contributions", "releases", "threads", "repositories", "counts")
    return {table: read_rows(snapshot, table, "o/n") for table in tables}


def count_commits(tables):
    return sum(row["commits"] for row in tables["contributions"])


@pytest.mark.parametrize(("has_mailmap", "people"), [(True, 1), (False, 2)])
def test_an_address_and_a_path_give_the_same_figures(upstream, tmp_path, has_mailmap, people):
    if has_mailmap:
        (upstream / ".mailmap").write_text("Ann Lee <ann@x.example> <al@y.example>\n")
        commit(upstream, 1)
    by_address = collect(upstream.as_uri(), tmp_path, "address")
    assert by_address == collect(upstream, tmp_path, "path")
    assert len({row["author"] for row in by_address["contributions"]}) == people
    commit(upstream, 1, AL, "2025-07-01")
    (upstream / ".mailmap").write_text("# nobody\n")
    commit(upstream, 1, AL, "2025-07-01")
    assert collect(upstream.as_uri(), tmp_path, "again") == collect(upstream, tmp_path, "path again")


def test_a_mailmap_that_a_partial_clone_lacks_is_one_message(upstream, tmp_path):
    (upstream / ".mailmap").write_text("Ann Lee <ann@x.example> <al@y.example>\n")
    commit(upstream, 1)
    clone = tmp_path / "clone.git"
    git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", upstream.as_uri(), str(clone))
    with pytest.raises(GitFailed, match=r"clone.git lacks the content of \.mailmap: it is a partial clone"):
        collect(clone, tmp_path)
    git(clone, "cat-file", "-p", "HEAD:.mailmap")  # as the message says
    warnings = []
    assert count_commits(collect(clone, tmp_path, warn=warnings.append)) == 13
    assert warnings == ["o/n: 1 versions of the README are not in this clone: they are not read"]


def test_a_shallow_clone_is_refused_with_the_command_that_mends_it(upstream, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "3", upstream.as_uri(), str(clone))
    with pytest.raises(GitFailed, match="shallow clone") as refusal:
        collect(clone, tmp_path)
    with pytest.raises(GitFailed, match="git fetch --unshallow"):
        collect(clone.as_uri(), tmp_path)
    assert not (tmp_path / "s").exists()
    command = str(refusal.value).partition("complete it with git -C ")[2]
    assert command == f"{clone} fetch --unshallow"
    git(clone, "fetch", "-q", "--unshallow")
    assert collect(clone, tmp_path, "a") == collect(clone.as_uri(), tmp_path, "b")


def test_the_default_branch_counts_whatever_is_checked_out(upstream, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", upstream.as_uri(), str(clone))
    git(clone, "checkout", "-q", "-b", "wip", "HEAD~8")
    commit(clone, 3, ("Me Myself", "me@x.example"))
    assert count_commits(collect(clone, tmp_path, "a")) == 12
    git(clone, "remote", "set-head", "origin", "--delete")
    assert count_commits(collect(clone, tmp_path, "b")) == 7, "only HEAD says what to read"
    git(clone, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone")
    assert count_commits(collect(clone, tmp_path, "c")) == 7


def test_a_renamed_default_branch_is_followed(upstream, tmp_path):
    assert count_commits(collect(upstream.as_uri(), tmp_path)) == 12
    git(upstream, "branch", "-m", "main", "trunk")
    commit(upstream, 1)
    assert count_commits(collect(upstream.as_uri(), tmp_path)) == 13
    git(upstream, "checkout", "-q", "-b", "next")
    commit(upstream, 1)  # the old branch stays, the default is another one
    assert count_commits(collect(upstream.as_uri(), tmp_path)) == 14


def test_a_work_tree_a_folder_in_it_and_a_bare_clone_give_the_same_facts(upstream, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", str(upstream), str(tmp_path / "bare.git"))
    git(upstream, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    (upstream / "deep" / "er").mkdir(parents=True)
    odd = tmp_path / 'odd "\n\\ name'
    git(tmp_path, "clone", "-q", str(upstream), str(odd))
    facts = collect(upstream, tmp_path)
    for number, where in enumerate((tmp_path / "bare.git", tmp_path / "tree", upstream / "deep" / "er", odd)):
        assert collect(where, tmp_path, str(number)) == facts
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["o__n.changes"], "no clone stays"


def test_a_history_of_sha256_objects_is_read(tmp_path):
    folder = tmp_path / "new"
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", str(folder))
    commit(folder, 2)
    assert count_commits(collect(folder, tmp_path)) == 2


def test_a_clone_without_a_remote_needs_a_name(upstream, tmp_path):
    with pytest.raises(InputError, match="no remote named origin: name the repository with --name"):
        collect_history(str(upstream), tmp_path / "s", tmp_path / "c", retrieved_on=DAY)


def test_a_commit_with_an_odd_time_zone_counts(upstream, tmp_path):
    """boto has such a commit: git lists it, without the committer's date."""
    text = git(upstream, "cat-file", "commit", "HEAD")
    parts = [
        line.replace("+0000", "--700") if line.startswith("committer") else line for line in text.split("\n")
    ]
    odd = subprocess.run(
        ["git", "-C", str(upstream), "hash-object", "-w", "-t", "commit", "--literally", "--stdin"],
        input="\n".join(parts).encode(), check=True, capture_output=True,
    ).stdout.decode().strip()  # fmt: skip
    before = collect(upstream, tmp_path, "a")
    git(upstream, "update-ref", "refs/heads/main", odd)
    commit(upstream, 1)
    warnings = []
    after = collect(upstream, tmp_path, "b", warn=warnings.append)
    assert count_commits(after) == count_commits(before) + 1
    assert min(r["day"] for r in after["contributions"]) == min(r["day"] for r in before["contributions"])
    assert warnings == ["o/n: 1 commit has a date that git cannot read: the date of the author or of the commit before stands in"]  # fmt: skip


def test_the_command_tells_what_it_estimated_and_a_killed_run_leaves_nothing(upstream, tmp_path):
    text = git(upstream, "cat-file", "commit", "HEAD").replace("+0000", "--700")
    odd = subprocess.run(
        ["git", "-C", str(upstream), "hash-object", "-w", "-t", "commit", "--literally", "--stdin"],
        input=text.encode(), check=True, capture_output=True,
    ).stdout.decode().strip()  # fmt: skip
    git(upstream, "update-ref", "refs/heads/main", odd)
    cache = tmp_path / "data" / "advisor" / "git"
    code = (
        "import os, pathlib, signal, sys\nfrom advisor.collect.git.local_clone import open_local_clone\n"
        "with open_local_clone(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(upstream), str(cache)], check=False)
    assert killed.returncode < 0 and len(list(cache.iterdir())) == 1
    run = subprocess.run(
        [sys.executable, "-m", "advisor", "collect", str(upstream), "--name", "o/n", "--git-only", "--store", str(tmp_path / "s")],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "o/n: 1 commit has a date that git cannot read" in run.stderr
    assert [path.name for path in cache.iterdir()] == ["o__n.changes"], "no clone stays"


def test_the_only_branch_counts_if_head_names_none(upstream, tmp_path):
    git(upstream, "symbolic-ref", "HEAD", "refs/heads/gone")
    assert count_commits(collect(upstream, tmp_path)) == 12
    git(upstream, "branch", "other", "main~1")
    with pytest.raises(GitFailed, match="no default branch: HEAD names refs/heads/gone") as refusal:
        collect(upstream, tmp_path, "b")
    assert f"choose one of its 2 branches with git -C {upstream} symbolic-ref HEAD" in str(refusal.value)
    with pytest.raises(GitFailed, match="has no default branch: its HEAD names a branch that does not exist"):
        collect(upstream.as_uri(), tmp_path, "c")


def test_a_clone_without_trees_is_refused_with_the_command_that_completes_it(upstream, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--filter=tree:0", "--no-checkout", upstream.as_uri(), str(clone))
    with pytest.raises(GitFailed, match="is a clone without trees") as refusal:
        collect(clone, tmp_path)
    command = str(refusal.value).partition("complete it with git -C ")[2].removeprefix(f"{clone} ")
    git(clone, *command.split(), "--quiet")
    assert count_commits(collect(clone, tmp_path, "b")) == 12


def test_an_old_annotated_tag_has_the_day_of_its_commit(upstream, tmp_path):
    head = git(upstream, "rev-parse", "HEAD").strip()
    tag = subprocess.run(
        ["git", "-C", str(upstream), "hash-object", "-w", "-t", "tag", "--literally", "--stdin"],
        input=f"object {head}\ntype commit\ntag v0.99\n\nTest\n".encode(), check=True, capture_output=True,
    ).stdout.decode().strip()  # fmt: skip
    git(upstream, "update-ref", "refs/tags/v0.99", tag)
    (release,) = collect(upstream, tmp_path)["releases"]
    assert (release["tag"], str(release["released_on"])) == ("v0.99", "2025-06-01")
