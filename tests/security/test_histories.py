"""Git histories of strangers: they start no program, forge nothing, and exhaust nothing.

`docs/explanation/security.md` links to these tests. The clone of a stranger has every setting that starts a
program, as `git help config` and `git help hooks` list them; each would leave a file behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from advisor.collect.git import collect_history
from advisor.collect.git.commits import parse_log
from advisor.collect.git.local_clone import open_local_clone
from advisor.collect.git.merge_patterns import parse_closed_numbers, parse_merged_numbers
from advisor.errors import CollectError, GitFailed, InputError
from advisor.facts.reading import open_store, read_rows

DAY = date(2026, 1, 1)
WHO = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
       for what, value in (("NAME", "Ann Ash"), ("EMAIL", "ann@corp.example"), ("DATE", "1700000000 +0000"))}  # fmt: skip
HOOKS = """applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg
commit-msg post-commit pre-rebase post-checkout post-merge pre-push pre-receive update proc-receive
post-receive post-update reference-transaction push-to-checkout pre-auto-gc post-rewrite sendemail-validate
fsmonitor-watchman post-index-change"""
PROGRAM_SETTINGS = """core.fsmonitor core.sshCommand core.pager core.editor core.askPass core.gitProxy
core.alternateRefsCommand credential.helper diff.external diff.evil.command diff.evil.textconv
filter.evil.clean filter.evil.smudge filter.evil.process merge.evil.driver gpg.program gpg.ssh.program
gpg.x509.program gpg.openpgp.program gpg.ssh.defaultKeyCommand remote.origin.uploadpack
remote.origin.receivepack remote.origin.vcs uploadpack.packObjectsHook sequence.editor pager.log pager.show
pager.config pager.for-each-ref interactive.diffFilter trailer.evil.command trailer.evil.cmd
mergetool.evil.cmd difftool.evil.cmd browser.evil.cmd man.evil.cmd tar.evil.command web.browser
sendemail.toCmd imap.tunnel"""
OTHER_SETTINGS = {
    "log.showSignature": "true", "protocol.allow": "always", "protocol.ext.allow": "always", "core.bare": "false",
    "remote.origin.promisor": "true", "remote.origin.partialclonefilter": "blob:none", "core.repositoryformatversion": "1",
    "extensions.partialClone": "origin", "pager.status": "true", "diff.evil.cachetextconv": "true",
    "filter.evil.required": "true", "gpg.format": "openpgp", "submodule.recurse": "true", "gc.auto": "1",
}  # fmt: skip


def git(folder, *arguments, **options):
    env = {
        **os.environ,
        **WHO,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "file",
    }
    run = subprocess.run(["git", "-C", str(folder), *arguments], env=env, check=True, capture_output=True, **options)  # fmt: skip
    return run.stdout.decode().strip()


def make_clone(folder):
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    (folder / "README.md").write_text("# Thing\n\nThis project is unmaintained.\n")
    (folder / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (folder / "a.py").write_text("1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    git(folder, "tag", "v1.0.0")
    git(folder, "update-ref", "refs/pull/7/head", "HEAD")
    return folder


def make_canary(folder):
    """Return a program that leaves a file behind, and the folder of these files."""
    canaries = folder / "canaries"
    canaries.mkdir()
    program = folder / "evil.sh"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> "{canaries}/$$"\nexit 1\n')
    program.chmod(0o755)
    return program, canaries


def sign_head(folder):
    """Put a signature on the last commit: git asks gpg.program about it."""
    commit = git(folder, "cat-file", "commit", "HEAD")
    head, _, message = commit.partition("\n\n")
    signature = (
        "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEzBAABCAAdFiEE\n =abcd\n -----END PGP SIGNATURE-----"
    )
    new = git(folder, "hash-object", "-w", "-t", "commit", "--stdin", input=f"{head}\n{signature}\n\n{message}\n".encode())  # fmt: skip
    git(folder, "update-ref", "refs/heads/main", new)


def arm(folder, program):
    sign_head(folder)
    git_folder = folder / ".git"
    evil = git_folder / "evil.config"
    for name in PROGRAM_SETTINGS.split():
        git(folder, "config", "--file", str(evil), name, str(program))
    with (git_folder / "config").open("a") as config:
        config.write(f'[include]\n\tpath = {evil}\n[includeIf "gitdir:/"]\n\tpath = {evil}\n')
        config.write(
            f'[remote "origin"]\n\turl = ext::{program} own/er\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
        )
        config.write(f'[url "ext::{program} "]\n\tinsteadOf = https://\n\tinsteadOf = file://\n')
        for name in PROGRAM_SETTINGS.split():
            section, _, key = name.rpartition(".")
            first, _, second = section.partition(".")
            config.write(f'[{first} "{second}"]\n' if second else f"[{first}]\n")
            config.write(f"\t{key} = {program}\n")
        config.write(f"[core]\n\thooksPath = {git_folder / 'hooks'}\n")
        config.write(
            "".join(f'[alias]\n\t{name} = "!{program}"\n' for name in ("log", "ls-tree", "cat-file"))
        )
    for name, value in OTHER_SETTINGS.items():
        with (git_folder / "config").open("a") as config:
            section, _, key = name.rpartition(".")
            first, _, second = section.partition(".")
            config.write(f'[{first} "{second}"]\n' if second else f"[{first}]\n")
            config.write(f"\t{key} = {value}\n")
    (git_folder / "hooks").mkdir(exist_ok=True)
    for hook in HOOKS.split():
        (git_folder / "hooks" / hook).unlink(missing_ok=True)
        (git_folder / "hooks" / hook).symlink_to(program)


def list_files(folder):
    return {str(p): p.lstat().st_mtime_ns for p in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("missing", ["nothing", "README.md", "a.py"])
@pytest.mark.parametrize("start", ["elsewhere", "in the clone"])
def test_a_strangers_clone_starts_no_program(tmp_path, monkeypatch, missing, start):
    clone = make_clone(tmp_path / "clone")
    blob = "" if missing == "nothing" else git(clone, "rev-parse", f"HEAD:{missing}")
    program, canaries = make_canary(tmp_path)
    arm(clone, program)
    if blob:  # git would fetch it with the stranger's programs
        (clone / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    before = list_files(clone)
    monkeypatch.chdir(clone if start == "in the clone" else tmp_path)
    warnings = []
    collect_history(str(clone), tmp_path / "store", tmp_path / "cache", retrieved_on=DAY, repository="own/er",
                    warn=warnings.append)  # fmt: skip
    assert list(canaries.iterdir()) == []
    assert list_files(clone) == before, "nothing was fetched or written"
    assert (
        sum(r["commits"] for r in read_rows(open_store(tmp_path / "store"), "contributions", "own/er")) == 1
    )
    assert len(warnings) == (missing == "README.md")
    subprocess.run(["git", "-C", str(clone), "log", "-1"], check=False, capture_output=True)
    assert list(canaries.iterdir()), "the settings do start programs"


def test_the_address_of_a_strangers_clone_starts_no_program(tmp_path):
    clone = make_clone(tmp_path / "clone")
    program, canaries = make_canary(tmp_path)
    arm(clone, program)
    for _ in range(2):  # the second one fetches
        collect_history(clone.as_uri(), tmp_path / "store", tmp_path / "cache", retrieved_on=DAY,
                        repository="own/er")  # fmt: skip
    assert list(canaries.iterdir()) == []


def test_the_protection_of_git_stays_on():
    sources = Path(collect_history.__code__.co_filename).parent.rglob("*.py")
    assert [p.name for p in sources if "safe.directory" in p.read_text()] == []


def test_a_clone_may_borrow_objects_and_its_commands_for_them_do_not_run(tmp_path):
    make_clone(tmp_path / "lender")
    git(tmp_path, "clone", "-q", "--shared", str(tmp_path / "lender"), str(tmp_path / "clone"))
    program, canaries = make_canary(tmp_path)
    arm(tmp_path / "clone", program)
    collect_history(str(tmp_path / "clone"), tmp_path / "store", tmp_path / "cache", retrieved_on=DAY,
                    repository="own/er")  # fmt: skip
    assert list(canaries.iterdir()) == []
    assert read_rows(open_store(tmp_path / "store"), "contributions", "own/er")


def test_replaced_objects_and_false_indexes_forge_nothing(tmp_path):
    clone = make_clone(tmp_path / "clone")
    tree = git(clone, "rev-parse", "HEAD^{tree}")
    forged = git(clone, "commit-tree", tree, "-m", "Merge pull request #7 from a/b")
    git(clone, "replace", git(clone, "rev-parse", "HEAD"), forged)
    with open_local_clone(clone, tmp_path / "cache") as view:
        assert git(view, "log", "--format=%s") == "first"


@pytest.mark.parametrize("place", ["HEAD", "packed-refs", "config", "refs/heads/x", "objects/info/alternates", "objects/pack/x.idx", "shallow"])  # fmt: skip
def test_a_pipe_in_a_clone_does_not_hang(tmp_path, place):
    clone = make_clone(tmp_path / "clone")
    path = clone / ".git" / place
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(CollectError, match=f"plain file|{path}|shallow"):
        collect_history(
            str(clone), tmp_path / "store", tmp_path / "cache", retrieved_on=DAY, repository="o/n"
        )
    assert not (tmp_path / "store").exists()


def test_a_folder_without_a_history_is_one_message(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not a git repository"):
        collect_history(
            str(tmp_path / "empty"), tmp_path / "s", tmp_path / "c", retrieved_on=DAY, repository="o/n"
        )


def put_commit(folder, committed, *, authored="1700000000 +0000", message="odd"):
    tree, parent = git(folder, "rev-parse", "HEAD^{tree}", "HEAD").split()
    text = (f"tree {tree}\nparent {parent}\nauthor Bo <bo@x.example> {authored}\n"
            f"committer Bo <bo@x.example> {committed}\n\n{message}\n")  # fmt: skip
    return git(folder, "hash-object", "-w", "-t", "commit", "--literally", "--stdin", input=text.encode())


def test_impossible_dates_refs_and_numbers_are_counted_and_told(tmp_path):
    clone = make_clone(tmp_path / "clone")
    for n, when in enumerate(
        ("99999999999999 +0000", "1700000000 --700", "18446744073709551615 +0000", "-5 +0000", "x")
    ):
        git(
            clone,
            "update-ref",
            "refs/heads/main",
            put_commit(clone, when, authored=when, message=f"(#{'9' * 6000})"),
        )
        git(clone, "update-ref", f"refs/tags/v2.{n}.0", "refs/heads/main")
    git(clone, "update-ref", "refs/pull/8/head", put_commit(clone, "99999999999999 +0000"))
    for ref in ("abc/head", "9" * 200 + "/head", "4294967296/head", "7/head/x", "\u0663/head"):
        git(clone, "update-ref", f"refs/pull/{ref}" if ref != "7/head/x" else "refs/pull/7x/head/x", "HEAD~1")
    git(clone, "update-ref", "refs/heads/main", put_commit(clone, "1700000000 +0000", message="Fix (#7)"))
    warnings = []
    collect_history(str(clone), tmp_path / "store", tmp_path / "cache", retrieved_on=DAY, repository="own/er",
                    warn=warnings.append)  # fmt: skip
    store = open_store(tmp_path / "store")
    assert sum(r["commits"] for r in read_rows(store, "contributions", "own/er")) == 7
    assert {str(r["day"]) for r in read_rows(store, "contributions", "own/er")} == {"2023-11-14"}
    assert [r["number"] for r in read_rows(store, "threads", "own/er")] == [7]
    assert "v1.0.0" in {r["tag"] for r in read_rows(store, "releases", "own/er")}
    told = "\n".join(warnings)
    assert "commits have a date that git cannot read" in told
    assert "1 change requests have a date that no calendar has" in told
    assert "tags have a date that no calendar has" in told


def test_long_numbers_name_no_change_request():
    assert parse_merged_numbers(f"x (#{'9' * 6000})", "o/n") == []
    assert parse_merged_numbers(f"Merge pull request #{'9' * 6000} from a/b", "o/n") == []
    assert parse_closed_numbers(f"closes #{'9' * 6000}", "o/n") == []
    assert parse_merged_numbers(f"x\n\nPR-URL: {'9' * 6000}", "o/n") == []
    assert parse_merged_numbers("x (#999999999)", "o/n") == [999_999_999]


def test_a_history_without_any_date_is_one_message():
    fields = "\0".join(["commit " + "a" * 40, "", "", "", "A", "a@x", "C", "c@x", "", "", "s"])
    with pytest.raises(GitFailed, match="no commit of the history has a date"):
        parse_log(fields + "\0")


def measure_peak(clone, folder):
    """Return the peak memory in MB of collecting, with that of its git processes.

    Linux counts the memory of the process that starts another one in ru_maxrss; VmHWM begins at exec.
    """
    code = (
        "import sys, resource, datetime, pathlib\nfrom advisor.collect.git import collect_history\n"
        "p = pathlib.Path(sys.argv[2])\n"
        "collect_history(sys.argv[1], p / 'store', p / 'cache', retrieved_on=datetime.date(2026, 1, 1),\n"
        "                repository='own/er', warn=print)\n"
        "own = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(max(int(own.split()[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(clone), str(folder)], check=True, capture_output=True, text=True)  # fmt: skip
    *lines, peak = run.stdout.splitlines()
    return lines, int(peak) / 1000


def test_huge_readmes_are_reported_and_not_read(tmp_path):
    clone = make_clone(tmp_path / "clone")
    block = b"a" * 2**20
    for n in range(3):
        with (clone / "README.md").open("wb") as file:
            file.write(b"%d" % n)
            file.writelines(block for _ in range(300))
        git(clone, "-c", "core.compression=1", "add", "README.md")
        git(clone, "commit", "-qm", "more")
    lines, peak = measure_peak(clone, tmp_path)
    assert lines == ["own/er: 3 versions of the README have more than 5,000,000 bytes: they are not read"]
    assert peak < 300


def test_the_address_of_a_huge_readme_downloads_little(tmp_path, monkeypatch):
    """Attack: a blob that does not compress, behind an address. Defence: git may write only so many bytes."""
    monkeypatch.setattr("advisor.collect.git.clone.MAX_FETCH_BYTES", 2**20)
    clone, warnings = make_clone(tmp_path / "clone"), []
    git(clone, "config", "uploadpack.allowFilter", "true")
    git(clone, "config", "uploadpack.allowAnySHA1InWant", "true")
    (clone / "README.md").write_bytes(os.urandom(4 * 2**20))
    git(clone, "add", "README.md")
    git(clone, "commit", "-qm", "huge")
    cache = tmp_path / "cache"
    collect_history(
        clone.as_uri(), tmp_path / "store", cache, retrieved_on=DAY, repository="own/er", warn=warnings.append
    )
    assert warnings[0].startswith("own/er: the contents of the README cannot be fetched: ")
    assert sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) < 2 * 2**20
    assert read_rows(open_store(tmp_path / "store"), "contributions", "own/er")


def test_an_address_that_a_cached_clone_does_not_come_from_is_cloned_anew(tmp_path):
    one, two = make_clone(tmp_path / "one"), make_clone(tmp_path / "two")
    (two / "b.py").write_text("2\n")
    git(two, "add", "b.py")
    git(two, "commit", "-qm", "second")
    cache, heads = tmp_path / "cache", []
    for clone in (one, two, one):
        collect_history(clone.as_uri(), tmp_path / "store", cache, retrieved_on=DAY, repository="own/er")
        (source,) = {
            r["source"] for r in read_rows(open_store(tmp_path / "store"), "contributions", "own/er")
        }
        heads.append(source == f"git:own/er@{git(clone, 'rev-parse', 'HEAD')[:12]}")
    assert heads == [True, True, True]
    first, second = sorted(cache.glob("own__er@*.git"))
    for folder, other in ((first, second), (second, first)):  # an older version shared one clone
        address = git(other, "config", "remote.origin.url")
        git(folder, "config", "remote.origin.url", address)
    collect_history(one.as_uri(), tmp_path / "store", cache, retrieved_on=DAY, repository="own/er")
    (source,) = {r["source"] for r in read_rows(open_store(tmp_path / "store"), "contributions", "own/er")}
    assert source == f"git:own/er@{git(one, 'rev-parse', 'HEAD')[:12]}"
