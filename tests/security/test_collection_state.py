"""The state of a collection has logins: it is not in the store, only its user reads it, and no copy takes it along."""

from __future__ import annotations

import shutil
import stat

import pytest

from advisor.collect.github.state import CollectionState
from advisor.collect.github.state_place import copy_to_part, keep_part, state_file
from advisor.collect.many.queue import Queue
from advisor.facts import reading, writing
from advisor.files import state_home

NAME, LOGIN = "own/lib", "octocat-the-login"
ROW = {
    "repository": NAME,
    "source": "test",
    "retrieved_at": "2024-06-01",
    "day": "2024-05-31",
    "metric": "stars",
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "store"
    writing.write_rows(path, "counts", NAME, [{**ROW, "value": 3.0}])
    collect(path)
    return path


def collect(path):
    """Leave a login in the state, as a collection does."""
    state = CollectionState(path)
    state._db.execute("INSERT OR REPLACE INTO answers VALUES (?, '', '', '')", [LOGIN])
    state.close()


def read_logins(path):
    state = CollectionState(path)
    logins = [url for (url,) in state._db.execute("SELECT url FROM answers")]
    state.close()
    return logins


def has_login(folder):
    return any(LOGIN.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_logins_are_in_the_users_state_and_not_in_the_store(store, home):
    assert not has_login(store) and has_login(home)
    for path in state_home().rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077 or path.name == "store", path
    assert stat.S_IMODE((state_home() / "collections").stat().st_mode) == 0o700
    assert read_logins(store) == [LOGIN]


def test_a_copy_starts_anew_and_a_moved_store_resumes(store, tmp_path):
    copy = shutil.copytree(store, tmp_path / "copy")
    assert (read_logins(copy), read_logins(store)) == ([], [LOGIN])
    assert state_file(copy) != state_file(store)
    store.rename(tmp_path / "moved")
    assert read_logins(tmp_path / "moved") == [LOGIN]


def test_a_new_store_in_the_place_of_a_deleted_one_starts_anew(store, tmp_path, home):
    shutil.rmtree(store)
    CollectionState(tmp_path / "other").close()
    assert not has_login(home), "the next collection deletes what nobody needs"
    collect(store)
    shutil.rmtree(store)
    assert read_logins(store) == []


@pytest.mark.parametrize("name", ["../../../evil", "", "0" * 31, "0" * 32 + "\n", "\x00" * 32, "0" * 10_000])
def test_the_name_in_a_store_of_a_stranger_leads_nowhere(store, tmp_path, home, name):
    """Attack: the store names a folder of the user. Defence: one form, else an error that says what to delete."""
    (store / ".collection").write_text(name)
    before = sorted(home.rglob("*"))
    with pytest.raises(OSError, match="delete the file"):
        state_file(store)
    assert sorted(home.rglob("*")) == before and not (tmp_path / "evil").exists()


def test_logins_of_earlier_versions_leave_the_store(store):
    for name in ("collect.sqlite", "collect.sqlite-wal"):
        (store / name).write_text(LOGIN)
    CollectionState(store).close()
    assert not has_login(store)


def test_the_state_of_a_queue_follows_its_repository(store, home):
    queue = Queue(store)
    part = store / ".queue" / "making" / "own__lib"
    writing.write_rows(part, "counts", NAME, [{**ROW, "value": 4.0}])
    collect(part)
    for kind in ("parts", "done"):
        (store / ".queue" / kind).mkdir()
    queue.finish(NAME)
    CollectionState(store).close()  # another process sweeps
    assert queue.merge_parts() == 1
    assert not has_login(store) and len(list(state_home().rglob("collect.sqlite"))) == 2
    assert reading.read_rows(reading.open_store(store), "counts", NAME)[0]["value"] == 4.0
    again = store / ".queue" / "making" / "own__lib"
    again.mkdir()
    copy_to_part(store, "own__lib", again)
    assert read_logins(again) == [LOGIN]
    keep_part(again, store, "own__lib")
    assert not list((home / "advisor" / "collections").glob("*/making")), "a part leaves nothing"
    assert len(list((home / "advisor" / "collections").iterdir())) == 1
