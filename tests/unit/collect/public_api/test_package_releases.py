"""The public API of each release, from the archives of a package index that the tests create."""

from __future__ import annotations

import tarfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from fake_index import FakeIndex, make_sdist, make_wheel
from repositories import Repo, put_release

from advisor.collect.public_api import archives, collect_api
from advisor.collect.public_api.package_releases import collect_package_api
from advisor.errors import CollectError, InputError, RepositoryNotFound
from advisor.facts import reading, writing

DAY = date(2025, 9, 1)
NAME = "own/er"
TABLES = ("api_releases", "api_names", "api_changes")
FIRST = {"er/__init__.py": "from er._core import Thing\n", "er/_core.py": "class Thing:\n    def run(self, job): ...\n",
         "er/tools.py": "raise SystemExit('imported!')\ndef old(a): ...\n", "tests/helper.py": "def helper(): ...\n"}  # fmt: skip
SECOND = {**FIRST, "er/tools.py": "def old(b): ...\n"}
THIRD = {**SECOND, "er/__init__.py": ""}


@pytest.fixture
def index():
    index = FakeIndex()
    index.put("er-1.0.tar.gz", make_sdist(FIRST), "2024-01-01")
    index.put("er-1.1-py3-none-any.whl", make_wheel(SECOND), "2024-02-01")
    index.put("er-1.1.tar.gz", b"never asked for", "2024-02-01")
    index.put("er-2.0rc1.tar.gz", b"never asked for", "2024-03-01")
    index.put(
        "er-2.0.zip", make_wheel({f"er-2.0/{path}": text for path, text in THIRD.items()}), "2024-04-01"
    )
    index.put("er-1.2.tar.gz", b"never asked for", "2024-05-01")  # a patch of an older series
    return index


def collect_in_thread(*words, **options):
    # Not in this thread: in the tests of one process, a browser may run an event loop in it.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(collect_package_api, *words, **options).result()


def collect(index, store, day=DAY, *, repository=NAME, warn=lambda _: None):
    index.requests.clear()
    name = collect_in_thread("er", store, retrieved_on=day, repository=repository, warn=warn, wire=index.wire)
    return {table: read(store, table, name) for table in TABLES}


def read(store, table, name=NAME):
    return reading.read_rows(reading.open_store(store), table, name)


def without_places(rows):
    """Leave out where a row comes from."""
    places = {"tag", "evidence_commit", "source", "retrieved_at"}
    return [{k: v for k, v in row.items() if k not in places} for row in rows]


def test_a_package_has_the_same_api_as_its_repository(index, tmp_path):
    repo = Repo(tmp_path / "clone")
    for files, day, tag in (
        (FIRST, "2024-01-01", "v1.0"),
        (SECOND, "2024-02-01", "v1.1"),
        (THIRD, "2024-04-01", "v2.0"),
    ):
        put_release(repo, files, day, tag)  # fmt: skip
    collect_api(
        str(repo.path), tmp_path / "git", tmp_path / "cache", retrieved_on=DAY, repository=NAME, package="er"
    )
    tables = collect(index, tmp_path / "s")
    for table in TABLES:
        assert without_places(tables[table]) == without_places(read(tmp_path / "git", table))
    changes = {(r["version"], r["name"], r["kind"], r["detail"]) for r in tables["api_changes"]}
    assert changes == {
        ("1.1", "er.tools.old", "parameter removed", "a@0"),
        ("2.0", "er.Thing", "removed", None),
    }
    assert {r["tag"] for r in tables["api_releases"]} == {
        "er-1.0.tar.gz",
        "er-1.1-py3-none-any.whl",
        "er-2.0.zip",
    }
    assert {r["evidence_commit"] for r in tables["api_releases"]} == {None}
    assert all(r["source"].startswith("pypi:er (griffe ") for rows in tables.values() for r in rows)


def test_a_second_run_reads_only_new_releases(index, tmp_path):
    collect(index, tmp_path / "s")
    index.put("er-2.1.tar.gz", make_sdist({"er/__init__.py": "def new(): ...\n"}), "2024-06-01")
    second = collect(index, tmp_path / "s")
    assert index.downloads == ["er-2.0.zip", "er-2.1.tar.gz"], "the last one is compared with the new one"
    assert second == collect(index, tmp_path / "whole")
    collect(index, tmp_path / "s")
    assert index.downloads == []


def test_a_run_goes_on_where_another_one_failed(index, tmp_path):
    whole = collect(index, tmp_path / "whole")
    index.failures.add("/er-2.0.zip")
    with pytest.raises(CollectError, match="403"):
        collect(index, tmp_path / "s")
    assert [r["version"] for r in read(tmp_path / "s", "api_releases")] == ["1.0", "1.1"]
    index.failures.clear()
    assert collect(index, tmp_path / "s") == whole
    assert index.downloads == ["er-1.1-py3-none-any.whl", "er-2.0.zip"]


def test_tables_that_two_runs_wrote_are_read_again(index, tmp_path):
    early = collect(index, tmp_path / "s", date(2024, 2, 15))
    assert {r["version"] for r in early["api_releases"]} == {"1.0", "1.1"}
    whole = collect(index, tmp_path / "whole")
    writing.write_rows(tmp_path / "s", "api_names", NAME, whole["api_names"], head="f" * 40)
    assert collect(index, tmp_path / "s") == whole


def test_releases_after_the_day_are_left_out_and_later_files_change_nothing(index, tmp_path):
    early = collect(index, tmp_path / "s", date(2024, 2, 15))
    index.put("er-1.0-py3-none-any.whl", make_wheel({"er/__init__.py": "def other(): ...\n"}), "2024-02-10")
    assert collect(index, tmp_path / "s", date(2024, 2, 15)) == early
    assert index.downloads == []


def test_yanked_releases_and_other_packages_are_left_out(index, tmp_path):
    index.put("er-3.0.tar.gz", make_sdist({}), "2024-07-01", yanked="wrong number")
    index.put("other-4.0.tar.gz", make_sdist({}), "2024-07-02")
    index.put("er-5.0.exe", b"", "2024-07-03")
    index.put("er-6.0.tar.gz", b"", "2024-07-04", **{"upload-time": None})
    assert {r["version"] for r in collect(index, tmp_path / "s")["api_releases"]} == {"1.0", "1.1", "2.0"}


def test_a_wheel_for_one_system_counts_only_without_a_source_archive(tmp_path):
    index = FakeIndex()
    wheel = "er-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    index.put(wheel, make_wheel({"er/__init__.py": "def f(): ...\n"}), "2024-01-01")
    index.put("er-2.0.tar.gz", make_sdist(FIRST, "er-2.0"), "2024-02-01")
    index.put(wheel.replace("1.0", "2.0"), make_wheel({"er/__init__.py": ""}), "2024-02-01")
    assert [r["names"] for r in collect(index, tmp_path / "s")["api_releases"]] == [1, 2]
    assert index.downloads == [wheel, "er-2.0.tar.gz"]


def test_the_repository_is_the_one_that_the_package_links_to(index, tmp_path):
    index.links = {"Source": "https://github.com/some/where"}
    collect(index, tmp_path / "s", repository=None)
    assert reading.open_store(tmp_path / "s").repositories() == ["some/where"]
    index.links = {"Source": "https://gitlab.com/some/where"}
    with pytest.raises(InputError, match="links to no GitHub repository: name it with --name OWNER/NAME"):
        collect(index, tmp_path / "s", repository=None)
    with pytest.raises(RepositoryNotFound):
        collect_in_thread("nobody", tmp_path / "s", retrieved_on=DAY, repository=NAME, wire=index.wire)


def link(path, target):
    info = tarfile.TarInfo(path)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


HOSTILE = {
    "/etc/er/__init__.py": "def absolute(): ...\n",
    "er-1.0/../../er/__init__.py": "def above(): ...\n",
    "er-1.0/er/__init__.py": "def f(): ...\n",
    "er-1.0/er/../evil/__init__.py": "def beside(): ...\n",
    "er-1.0/er/large.py": "x = 1\n" * 200_000,
    "er-1.0/er/link.py": link("er-1.0/er/link.py", "/etc/passwd"),
}


def test_paths_out_of_the_archive_links_and_large_files_are_left_out(tmp_path):
    index = FakeIndex()
    index.put("er-1.0.tar.gz", make_sdist(HOSTILE, top=""), "2024-01-01")
    files = {path: text for path, text in HOSTILE.items() if isinstance(text, str)}
    index.put("er-2.0.zip", make_wheel(files), "2024-02-01")
    tables = collect(index, tmp_path / "s")
    assert [r["names"] for r in tables["api_releases"]] == [1, 1]
    assert {r["name"] for r in tables["api_names"]} == {"er.f"}
    assert sorted(p.name for p in tmp_path.rglob("*.py")) == [], "nothing is unpacked"


@pytest.mark.parametrize(
    ("filename", "content", "reason"),
    [
        ("er-2.0.tar.gz", b"no archive", "cannot be read"),
        ("er-2.0.tar.gz", make_sdist(FIRST)[:-50], "cannot be read"),
        ("er-2.0.zip", make_wheel(FIRST)[:-30], "cannot be read"),
        ("er-2.0.tar.gz", make_sdist({"er/zeros.bin": b"\0" * 4_000_000}), "unpacks to more than 2 MiB"),
        ("er-2.0.tar.gz", make_sdist({f"er/a{n}.py": "" for n in range(60)}), "more than 50 files"),
        ("er-2.0.zip", make_wheel({f"er-2.0/er/a{n}.py": "x" * 900_000 for n in range(4)}), "unpacks to more than 2 MiB"),
        ("er-2.0.tar.gz", make_sdist({"README": "text"}), "the release has no Python package"),
    ],
)  # fmt: skip
def test_an_archive_that_cannot_be_read_is_unknown_with_its_reason(
    index, tmp_path, monkeypatch, filename, content, reason
):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2 * 2**20)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 50)
    index.files = [file for file in index.files if "2.0" not in file["filename"]]
    index.put(filename, content, "2024-04-01")
    index.put("er-2.1.tar.gz", make_sdist(SECOND), "2024-05-02")
    notes = []
    tables = collect(index, tmp_path / "s", warn=notes.append)
    reasons = {r["version"]: r["reason"] for r in tables["api_releases"]}
    assert reason in reasons.pop("2.0")
    assert reasons == {"1.0": None, "1.1": None, "2.1": None}
    assert reason in notes[-1]


def test_an_archive_that_is_too_large_is_not_asked_for(index, tmp_path):
    index.put("er-2.1.tar.gz", b"", "2024-06-01", size=317_000_000)
    tables = collect(index, tmp_path / "s")
    assert "er-2.1.tar.gz" not in index.downloads
    (row,) = [r for r in tables["api_releases"] if r["version"] == "2.1"]
    assert row["reason"] == "its archive has 302 MiB, more than the 32 that are read"
