"""GH Archive: events of a small world become facts, except in months that miss events."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.cli.commands import import_gharchive
from advisor.collect.gharchive import capture, find_folder, stage_events
from advisor.errors import AdvisorError, FactsError
from advisor.facts import reading, writing

load(None)

OURS = ("own/lib", "own/tool")
FEBRUARY, MARCH, APRIL = (datetime(2025, m, 1, tzinfo=UTC) for m in (2, 3, 4))


class World:
    """A small GitHub; every action is an event in the form of the Events API before October 2025."""

    def __init__(self, seed=1):
        self.random, self.id, self.events = random.Random(seed), 40_000_000_000, []
        self.threads, self.comments, self.heads = {}, defaultdict(int), {}
        self.number = defaultdict(lambda: 100)
        self.stars = defaultdict(lambda: 500)
        self.stars_on = {}

    def add_event(self, kind, repo, actor, at, payload):
        self.id += 1
        self.events.append((at, {
            "id": str(self.id), "type": kind,
            "actor": {"id": 7, "login": actor, "display_login": actor, "gravatar_id": "", "url": f"https://api.github.com/users/{actor}"},
            "repo": {"id": OURS.index(repo) + 1 if repo in OURS else 99, "name": repo, "url": f"https://api.github.com/repos/{repo}"},
            "payload": payload, "public": True, "created_at": stamp(at)}))  # fmt: skip

    def thread(self, repo, number):
        t = self.threads[repo, number]
        shape = {"number": number, "created_at": stamp(t["opened_at"]), "closed_at": t["closed_at"] and stamp(t["closed_at"]),
                 "comments": self.comments[repo, number], "user": {"login": t["author"], "type": "User"}, "author_association": "CONTRIBUTOR", "state": "closed" if t["closed_at"] else "open"}  # fmt: skip
        if t["pull"]:
            shape |= {
                "merged": bool(t["merged_at"]),
                "merged_at": t["merged_at"] and stamp(t["merged_at"]),
                "url": "https://x",
            }
        return shape

    def open(self, repo, at, pull):
        self.number[repo] += 1
        number = self.number[repo]
        author = self.random.choice(["ada", "bo", "cy", "dependabot[bot]"])
        self.threads[repo, number] = {
            "opened_at": at,
            "closed_at": None,
            "merged_at": None,
            "author": author,
            "pull": pull,
            "first_response_at": None,
        }
        self._add_thread_event(repo, number, author, at, "opened")
        return number

    def _add_thread_event(self, repo, number, actor, at, action):
        pull = self.threads[repo, number]["pull"]
        key, kind = ("pull_request", "PullRequestEvent") if pull else ("issue", "IssuesEvent")
        number_field = {"number": number} if pull else {}
        self.add_event(
            kind, repo, actor, at, {"action": action, key: self.thread(repo, number), **number_field}
        )

    def close(self, repo, number, at, is_merge):
        self.threads[repo, number] |= {"closed_at": at, "merged_at": at if is_merge else None}
        self._add_thread_event(repo, number, "keeper", at, "closed")

    def reopen(self, repo, number, at):
        self.threads[repo, number] |= {"closed_at": None}
        self._add_thread_event(repo, number, "keeper", at, "reopened")

    def comment(self, repo, number, actor, at):
        t = self.threads[repo, number]
        issue = self.thread(repo, number)
        if t["pull"]:
            issue["pull_request"] = {"url": "https://x"}
        self.comments[repo, number] += 1
        if actor != t["author"] and "[bot]" not in actor and t["first_response_at"] is None:
            t["first_response_at"] = at
        self.add_event(
            "IssueCommentEvent",
            repo,
            actor,
            at,
            {
                "action": "created",
                "issue": issue,
                "comment": {"id": 1, "created_at": stamp(at), "user": {"login": actor}},
            },
        )

    def push(self, repo, at):
        before = self.heads.get(repo, "0" * 40)
        self.heads[repo] = f"{self.random.getrandbits(160):040x}"
        self.add_event(
            "PushEvent",
            repo,
            "keeper",
            at,
            {
                "ref": "refs/heads/main",
                "before": before,
                "head": self.heads[repo],
                "size": 1,
                "distinct_size": 1,
                "commits": [],
            },
        )

    def star(self, repo, at):
        self.stars[repo] += 1
        self.add_event("WatchEvent", repo, "fan", at, {"action": "started"})

    def live(self, start, end):
        """Add the events of two repositories of ours, and of one that is not collected."""
        at = start
        while at < end:
            for repo in OURS:
                self.stars_on[repo, at.date()] = self.stars[repo]
                hour = at + timedelta(hours=self.random.randrange(20), minutes=self.random.randrange(60))
                number = self.open(repo, hour, pull=self.random.random() < 0.5)
                for n in range(self.random.randrange(4)):
                    self.comment(
                        repo,
                        number,
                        self.random.choice(["keeper", "ada", "ci[bot]"]),
                        hour + timedelta(minutes=n + 1),
                    )
                old = self.random.choice([k for k in self.threads if k[0] == repo])
                if self.threads[old]["closed_at"] is None:
                    self.close(
                        *old,
                        hour + timedelta(hours=1),
                        is_merge=self.threads[old]["pull"] and self.random.random() < 0.7,
                    )
                elif self.random.random() < 0.2 and not self.threads[old]["merged_at"]:
                    self.reopen(*old, hour + timedelta(hours=2))
                for n in range(2):
                    self.star(repo, hour + timedelta(minutes=30 + n))
                self.push(repo, hour)
                if at.day == 10:
                    self.add_event("ReleaseEvent", repo, "keeper", hour, {"action": "published", "release": {
                        "tag_name": f"v{at.month}", "published_at": stamp(hour), "prerelease": at.month == 3}})  # fmt: skip
            self.add_event("WatchEvent", "else/where", "fan", at, {"action": "started"})
            self.add_event("GollumEvent", "own/lib", "fan", at, {"pages": []})
            at += timedelta(days=1)


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def write(folder, events, start, end, keep=lambda _: True):
    """Write one gz file per hour, also for hours without events."""
    by_hour = defaultdict(list)
    for at, event in events:
        if keep(event):
            by_hour[at.replace(minute=0, second=0)].append(json.dumps(event) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    paths, at = [], start
    while at < end:
        path = folder / f"{at:%Y-%m-%d}-{at.hour}.json.gz"
        path.write_bytes(gzip.compress("".join(by_hour[at]).encode(), 1))
        paths.append(path)
        at += timedelta(hours=1)
    return paths


@pytest.fixture(scope="module")
def world():
    world = World()
    world.live(FEBRUARY, APRIL)
    return world


@pytest.fixture(scope="module")
def add_stars(world):
    """Return a function that writes stars from another source to a store."""

    def add(folder):
        for repo in OURS:
            about = {
                "repository": repo,
                "source": "another source",
                "retrieved_at": "2025-04-01",
                "definition": "test data",
            }
            rows = [{**about, "day": d.isoformat(), "metric": "stars", "value": n}
                    for (r, at), n in world.stars_on.items() for d in [at - timedelta(days=1)] if r == repo]  # fmt: skip
            writing.write_rows(folder, "counts", repo, rows)
        return folder

    return add


@pytest.fixture(scope="module")
def archive(world, tmp_path_factory):
    """All events of February; March misses most events except pushes, as since May 2025."""
    rng, folder = random.Random(9), tmp_path_factory.mktemp("archive")
    february = write(folder, world.events, FEBRUARY, MARCH)
    march = write(
        folder, world.events, MARCH, APRIL, lambda e: e["type"] == "PushEvent" or rng.random() < 0.4
    )
    return [*february, *march]


@pytest.fixture(scope="module")
def repository_list(tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "list.txt"
    path.write_text("Own/Lib\nown/tool\n".replace("Own/Lib", "own/lib"))
    return path


def run(*args):
    result = CliRunner().invoke(app, ["import-gharchive", *map(str, args)])
    if isinstance(result.exception, AdvisorError):
        return result.exception.exit_code, str(result.exception)
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def import_result(archive, add_stars, repository_list, tmp_path_factory):
    store = add_stars(tmp_path_factory.mktemp("import_result"))
    code, text = run(*archive, "--repos", repository_list, "--store", store)
    assert code == 3, text  # March is refused
    return store, text


def read_captures(store):
    rows = json.loads((store / "gharchive.json").read_text())
    return {(r["month"], r["type"]): r for r in rows}


def test_a_month_with_missing_events_is_refused(import_result):
    store, _ = import_result
    captures = read_captures(store)
    for kind in ("IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "WatchEvent", "PushEvent"):
        assert captures["2025-02", kind]["is_enough"] and captures["2025-02", kind]["rate"] == 1.0, kind
    for kind in ("IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "WatchEvent"):
        assert not captures["2025-03", kind]["is_enough"], kind
        assert 0.1 < captures["2025-03", kind]["rate"] < 0.75, captures["2025-03", kind]
        assert "were captured" in captures["2025-03", kind]["why"]
    assert captures["2025-03", "PushEvent"]["is_enough"]
    assert captures["2025-02", "ReleaseEvent"]["why"] == "there is nothing to compare it with"


def test_threads_have_their_state_at_the_end_of_the_last_good_month(world, import_result):
    snapshot = reading.open_store(import_result[0])
    state = World()
    state.live(FEBRUARY, MARCH)  # the same seed: the world at that time
    for repo in OURS:
        rows = {r["number"]: r for r in reading.read_rows(snapshot, "threads", repo, "gharchive")}
        expected = {n: t for (r, n), t in state.threads.items() if r == repo}
        assert rows.keys() == expected.keys()
        for number, t in expected.items():
            row = rows[number]
            assert row["kind"] == ("change_request" if t["pull"] else "issue")
            for column in ("opened_at", "closed_at", "merged_at", "first_response_at"):
                at = t[column].replace(tzinfo=None) if t[column] and t[column] < MARCH else None
                assert row[column] == at, (number, column)
            assert row["is_bot"] is ("[bot]" in t["author"]) and row["responses_seen"] is True
            assert row["retrieved_at"] == date(2025, 2, 28) and row["source"] > "github"


def test_stars_and_pushes_of_our_repositories_only(world, import_result):
    snapshot = reading.open_store(import_result[0])
    assert snapshot.repositories() == list(OURS)
    rows = reading.read_rows(snapshot, "counts", "own/lib", "gharchive-stars")
    assert [r["day"] for r in rows] == [date(2025, 2, d) for d in (7, 14, 21, 28)]
    for row in rows:
        assert row["value"] == world.stars_on["own/lib", row["day"] + timedelta(days=1)]
    pushes = reading.read_rows(snapshot, "counts", "own/lib", "gharchive-pushes")
    assert {r["day"]: r["value"] for r in pushes} == {date(2025, 2, 28): 28, date(2025, 3, 31): 31}
    assert "releases/own__lib@gharchive.parquet" not in snapshot.manifest["files"]


def test_months_that_cannot_be_checked_need_the_option(
    archive, add_stars, repository_list, tmp_path, import_result
):
    store = add_stars(tmp_path / "store")
    shutil.copytree(find_folder(import_result[0]), find_folder(store))  # the hours are read already
    assert run(*archive, "--repos", repository_list, "--store", store, "--unchecked")[0] == 3
    rows = reading.read_rows(reading.open_store(store), "releases", "own/lib", "gharchive")
    assert [(r["tag"], r["is_prerelease"]) for r in rows] == [("v2", False), ("v3", True)]


def test_an_import_resumes_and_a_second_one_changes_nothing(import_result, archive, repository_list):
    store = import_result[0]
    times = {p: p.stat().st_mtime_ns for p in find_folder(store).rglob("*.parquet")}
    assert len(times) == 59
    first = min(times)
    first.unlink()
    before = {p: p.read_bytes() for p in store.rglob("*@gharchive*.parquet")}
    assert before
    assert run(*reversed(archive), "--repos", repository_list, "--store", store)[0] == 3
    assert {p: p.read_bytes() for p in before} == before
    times_after = {p: p.stat().st_mtime_ns for p in times}
    assert [p for p in times if times_after[p] != times[p]] == [first]


def test_logins_are_not_in_the_store(import_result, archive, repository_list):
    """People share stores: no file in it may name a person, not even in compressed pages."""
    store = import_result[0]
    (store / ".gharchive" / "old").mkdir(parents=True)  # as earlier versions left it
    assert run(*archive, "--repos", repository_list, "--store", store)[0] == 3
    assert not (store / ".gharchive").exists()
    with duckdb.connect() as db:
        for path in store.rglob("*.parquet"):
            texts = {value for row in db.execute(f"FROM '{path}'").fetchall() for value in row}
            assert not texts & {"ada", "bo", "cy"}, path
    assert find_folder(store).stat().st_mode & 0o77 == 0
    assert store not in find_folder(store).parents


def test_a_truncated_file_is_named_and_the_others_are_stored(tmp_path, world):
    good, bad = write(tmp_path, world.events, FEBRUARY, FEBRUARY + timedelta(hours=2))
    bad.write_bytes(good.read_bytes()[:-20] if good.stat().st_size > 60 else b"\x1f\x8bnonsense")
    with pytest.raises(FactsError, match=r"2025-02-01-1\.json\.gz is damaged"):
        stage_events([good, bad], tmp_path / "store", {"own/lib": "own/lib"}, lambda *_: None)
    assert [p.name for p in (tmp_path / "store").rglob("*.parquet")] == ["2025-02-01-000001.parquet"]
    assert not list((tmp_path / "store").rglob("*.making"))


def test_without_a_list_the_candidates_are_imported(tmp_path, world):
    paths = write(tmp_path, world.events, FEBRUARY, FEBRUARY + timedelta(hours=1))
    code, text = run(*paths, "--store", tmp_path / "store")
    assert code in {0, 3} and "written: nothing" in text, text
    repositories = import_gharchive._read_repositories(None, "finetuning")
    assert repositories["meta-pytorch/torchtune"] == repositories["pytorch/torchtune"] == "pytorch/torchtune"


def test_a_former_name_is_the_same_repository(tmp_path):
    world = World()
    world.live(FEBRUARY, FEBRUARY + timedelta(days=1))
    paths = write(tmp_path, world.events, FEBRUARY, FEBRUARY + timedelta(days=1))
    folder = stage_events(
        paths, tmp_path / "store", {"own/lib": "new/name", "new/name": "new/name"}, lambda *_: None
    )
    with capture.open_events(folder, tmp_path / "store", ["new/name"]) as db:
        assert db.execute("SELECT DISTINCT repository FROM events").fetchall() == [("new/name",)]


def test_months_without_merges_are_refused(tmp_path):
    world = World()
    world.live(FEBRUARY, FEBRUARY + timedelta(days=1))
    for _, event in world.events:  # as since 2025-10-07
        if event["type"] == "PullRequestEvent":
            event["payload"]["pull_request"] = {
                "id": 1,
                "number": event["payload"]["number"],
                "url": "https://x",
            }
    assert any(e["type"] == "PullRequestEvent" for _, e in world.events)
    paths = write(tmp_path, world.events, FEBRUARY, FEBRUARY + timedelta(days=1))
    folder = stage_events(paths, tmp_path / "store", {r: r for r in OURS}, lambda *_: None)
    with capture.open_events(folder, tmp_path / "store", list(OURS)) as db:
        captures = {c.type: c for c in capture.measure_captures(db, 0.9, accept_unknown_rate=True)}
    assert captures["PullRequestEvent"].why == "its events do not say whether a change request was merged"
    assert "of its hours have a file" in captures["IssuesEvent"].why
