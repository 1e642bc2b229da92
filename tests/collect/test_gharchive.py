"""GH Archive: a small world told in its real form becomes facts, and months that miss events do not."""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.cli.commands import import_gharchive
from advisor.collect.gharchive import Capture, gate, hour_of, stage
from advisor.collect.gharchive.rows import last_run
from advisor.errors import AdvisorError, FactsError, InputError
from advisor.facts import reading, writing

load(None)

OURS = ("own/lib", "own/tool")
FEBRUARY, MARCH, APRIL = (datetime(2025, m, 1, tzinfo=UTC) for m in (2, 3, 4))


class World:
    """What happens on GitHub; every step is an event as the Events API gave it before October 2025."""

    def __init__(self, seed=1):
        self.lot, self.id, self.events = random.Random(seed), 40_000_000_000, []
        self.threads, self.comments, self.heads = {}, defaultdict(int), {}
        self.number = defaultdict(lambda: 100)
        self.stars = defaultdict(lambda: 500)
        self.stars_on = {}

    def tell(self, kind, repo, actor, at, payload):
        self.id += 1
        self.events.append((at, {
            "id": str(self.id), "type": kind,
            "actor": {"id": 7, "login": actor, "display_login": actor, "gravatar_id": "", "url": f"https://api.github.com/users/{actor}"},
            "repo": {"id": OURS.index(repo) + 1 if repo in OURS else 99, "name": repo, "url": f"https://api.github.com/repos/{repo}"},
            "payload": payload, "public": True, "created_at": stamp(at)}))  # fmt: skip

    def thread(self, repo, number):
        t = self.threads[repo, number]
        shape = {"number": number, "created_at": stamp(t["opened"]), "closed_at": t["closed"] and stamp(t["closed"]),
                 "comments": self.comments[repo, number], "user": {"login": t["author"], "type": "User"}, "author_association": "CONTRIBUTOR", "state": "closed" if t["closed"] else "open"}  # fmt: skip
        if t["pull"]:
            shape |= {
                "merged": bool(t["merged"]),
                "merged_at": t["merged"] and stamp(t["merged"]),
                "url": "https://x",
            }
        return shape

    def open(self, repo, at, pull):
        self.number[repo] += 1
        number = self.number[repo]
        author = self.lot.choice(["ada", "bo", "cy", "dependabot[bot]"])
        self.threads[repo, number] = {
            "opened": at,
            "closed": None,
            "merged": None,
            "author": author,
            "pull": pull,
            "said": None,
        }
        self._own(repo, number, author, at, "opened")
        return number

    def _own(self, repo, number, actor, at, action):
        pull = self.threads[repo, number]["pull"]
        key, kind = ("pull_request", "PullRequestEvent") if pull else ("issue", "IssuesEvent")
        more = {"number": number} if pull else {}
        self.tell(kind, repo, actor, at, {"action": action, key: self.thread(repo, number), **more})

    def close(self, repo, number, at, merged):
        self.threads[repo, number] |= {"closed": at, "merged": at if merged else None}
        self._own(repo, number, "keeper", at, "closed")

    def reopen(self, repo, number, at):
        self.threads[repo, number] |= {"closed": None}
        self._own(repo, number, "keeper", at, "reopened")

    def comment(self, repo, number, actor, at):
        t = self.threads[repo, number]
        issue = self.thread(repo, number)
        if t["pull"]:
            issue["pull_request"] = {"url": "https://x"}
        self.comments[repo, number] += 1
        if actor != t["author"] and "[bot]" not in actor and t["said"] is None:
            t["said"] = at
        self.tell(
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
        self.heads[repo] = f"{self.lot.getrandbits(160):040x}"
        self.tell(
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
        self.tell("WatchEvent", repo, "fan", at, {"action": "started"})

    def live(self, start, end):
        """Some weeks of two repositories of ours, and of one that is nobody's business."""
        at = start
        while at < end:
            for repo in OURS:
                self.stars_on[repo, at.date()] = self.stars[repo]
                hour = at + timedelta(hours=self.lot.randrange(20), minutes=self.lot.randrange(60))
                number = self.open(repo, hour, pull=self.lot.random() < 0.5)
                for n in range(self.lot.randrange(4)):
                    self.comment(
                        repo,
                        number,
                        self.lot.choice(["keeper", "ada", "ci[bot]"]),
                        hour + timedelta(minutes=n + 1),
                    )
                old = self.lot.choice([k for k in self.threads if k[0] == repo])
                if self.threads[old]["closed"] is None:
                    self.close(
                        *old,
                        hour + timedelta(hours=1),
                        merged=self.threads[old]["pull"] and self.lot.random() < 0.7,
                    )
                elif self.lot.random() < 0.2 and not self.threads[old]["merged"]:
                    self.reopen(*old, hour + timedelta(hours=2))
                for n in range(2):
                    self.star(repo, hour + timedelta(minutes=30 + n))
                self.push(repo, hour)
                if at.day == 10:
                    self.tell("ReleaseEvent", repo, "keeper", hour, {"action": "published", "release": {
                        "tag_name": f"v{at.month}", "published_at": stamp(hour), "prerelease": at.month == 3}})  # fmt: skip
            self.tell("WatchEvent", "else/where", "fan", at, {"action": "started"})
            self.tell("GollumEvent", "own/lib", "fan", at, {"pages": []})
            at += timedelta(days=1)


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def write(folder, events, start, end, keep=lambda _: True):
    """One gz file an hour, empty hours too."""
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
    made = World()
    made.live(FEBRUARY, APRIL)
    return made


@pytest.fixture(scope="module")
def known(world, tmp_path_factory):
    """What a store knows of stars from elsewhere."""

    def make(folder):
        for repo in OURS:
            about = {
                "repository": repo,
                "source": "elsewhere",
                "retrieved_at": "2025-04-01",
                "definition": "made up",
            }
            rows = [{**about, "day": d.isoformat(), "metric": "stars", "value": n}
                    for (r, at), n in world.stars_on.items() for d in [at - timedelta(days=1)] if r == repo]  # fmt: skip
            writing.write(folder, "counts", repo, rows)
        return folder

    return make


@pytest.fixture(scope="module")
def archive(world, tmp_path_factory):
    """February whole; of March most is lost, as since May 2025, but pushes."""
    lot, folder = random.Random(9), tmp_path_factory.mktemp("archive")
    february = write(folder, world.events, FEBRUARY, MARCH)
    march = write(
        folder, world.events, MARCH, APRIL, lambda e: e["type"] == "PushEvent" or lot.random() < 0.4
    )
    return [*february, *march]


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "list.txt"
    path.write_text("Own/Lib\nown/tool\n".replace("Own/Lib", "own/lib"))
    return path


def run(*args):
    done = CliRunner().invoke(app, ["import-gharchive", *map(str, args)])
    if isinstance(done.exception, AdvisorError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def imported(archive, known, listed, tmp_path_factory):
    store = known(tmp_path_factory.mktemp("imported"))
    code, text = run(*archive, "--repos", listed, "--store", store)
    assert code == 3, text  # March is refused
    return store, text


def judged(store):
    rows = json.loads((store / "gharchive.json").read_text())
    return {(r["month"], r["type"]): r for r in rows}


def test_a_whole_month_passes_and_one_that_misses_events_is_refused(imported):
    store, _ = imported
    found = judged(store)
    for kind in ("IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "WatchEvent", "PushEvent"):
        assert found["2025-02", kind]["is_enough"] and found["2025-02", kind]["rate"] == 1.0, kind
    for kind in ("IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "WatchEvent"):
        assert not found["2025-03", kind]["is_enough"], kind
        assert 0.1 < found["2025-03", kind]["rate"] < 0.75, found["2025-03", kind]
        assert "was captured" in found["2025-03", kind]["why"]
    assert found["2025-03", "PushEvent"]["is_enough"]
    assert found["2025-02", "ReleaseEvent"]["why"] == "there is nothing to compare it with"


def test_threads_are_what_happened_by_the_end_of_the_last_good_month(world, imported):
    opened = reading.open_store(imported[0])
    state = World()
    state.live(FEBRUARY, MARCH)  # the same lot: the world as it stood then
    for repo in OURS:
        rows = {r["number"]: r for r in reading.read(opened, "threads", repo, "gharchive")}
        expected = {n: t for (r, n), t in state.threads.items() if r == repo}
        assert rows.keys() == expected.keys()
        for number, t in expected.items():
            row = rows[number]
            assert row["kind"] == ("change_request" if t["pull"] else "issue")
            for column, key in (
                ("opened_at", "opened"),
                ("closed_at", "closed"),
                ("merged_at", "merged"),
                ("first_response_at", "said"),
            ):
                at = t[key].replace(tzinfo=None) if t[key] and t[key] < MARCH else None
                assert row[column] == at, (number, column)
            assert row["is_bot"] is ("[bot]" in t["author"]) and row["responses_seen"] is True
            assert row["retrieved_at"] == date(2025, 2, 28) and row["source"] > "github"


def test_stars_pushes_and_nothing_of_strangers(world, imported):
    opened = reading.open_store(imported[0])
    assert opened.repositories() == list(OURS)
    rows = reading.read(opened, "counts", "own/lib", "gharchive-stars")
    assert [r["day"] for r in rows] == [date(2025, 2, d) for d in (7, 14, 21, 28)]
    for row in rows:
        assert row["value"] == world.stars_on["own/lib", row["day"] + timedelta(days=1)]
    pushes = reading.read(opened, "counts", "own/lib", "gharchive-pushes")
    assert {r["day"]: r["value"] for r in pushes} == {date(2025, 2, 28): 28, date(2025, 3, 31): 31}
    assert "releases/own__lib@gharchive.parquet" not in opened.manifest["files"]


def test_what_can_be_compared_with_nothing_is_taken_only_if_told(archive, known, listed, tmp_path, imported):
    store = known(tmp_path / "store")
    (store / ".gharchive").symlink_to(imported[0] / ".gharchive")  # the hours are read already
    assert run(*archive, "--repos", listed, "--store", store, "--unchecked")[0] == 3
    rows = reading.read(reading.open_store(store), "releases", "own/lib", "gharchive")
    assert [(r["tag"], r["is_prerelease"]) for r in rows] == [("v2", False), ("v3", True)]


def test_an_import_goes_on_where_it_stopped_and_again_changes_nothing(imported, archive, listed):
    store = imported[0]
    staged = {p: p.stat().st_mtime_ns for p in (store / ".gharchive").rglob("*.parquet")}
    assert len(staged) == 59
    lost = min(staged)
    lost.unlink()
    before = {p: p.read_bytes() for p in store.rglob("*@gharchive*.parquet")}
    assert before
    assert run(*reversed(archive), "--repos", listed, "--store", store)[0] == 3
    assert {p: p.read_bytes() for p in before} == before
    again = {p: p.stat().st_mtime_ns for p in staged}
    assert [p for p in staged if again[p] != staged[p]] == [lost]


def test_a_file_that_is_cut_off_is_named_and_what_was_read_stays(tmp_path, world):
    good, bad = write(tmp_path, world.events, FEBRUARY, FEBRUARY + timedelta(hours=2))
    bad.write_bytes(good.read_bytes()[:-20] if good.stat().st_size > 60 else b"\x1f\x8bnonsense")
    with pytest.raises(FactsError, match=r"2025-02-01-1\.json\.gz is damaged"):
        stage([good, bad], tmp_path / "store", {"own/lib": "own/lib"}, lambda *_: None)
    assert [p.name for p in (tmp_path / "store").rglob("*.parquet")] == ["2025-02-01-000001.parquet"]
    assert not list((tmp_path / "store").rglob("*.making"))


def test_without_a_list_the_candidates_are_wanted_and_little_is_nothing(tmp_path, world):
    paths = write(tmp_path, world.events, FEBRUARY, FEBRUARY + timedelta(hours=1))
    code, text = run(*paths, "--store", tmp_path / "store")
    assert code in {0, 3} and "written: nothing" in text, text
    wanted = import_gharchive._wanted(None, "finetuning")
    assert wanted["meta-pytorch/torchtune"] == wanted["pytorch/torchtune"] == "pytorch/torchtune"


def test_a_former_name_is_the_same_repository(tmp_path):
    made = World()
    made.live(FEBRUARY, FEBRUARY + timedelta(days=1))
    paths = write(tmp_path, made.events, FEBRUARY, FEBRUARY + timedelta(days=1))
    staged = stage(
        paths, tmp_path / "store", {"own/lib": "new/name", "new/name": "new/name"}, lambda *_: None
    )
    with gate.connect(staged, tmp_path / "store", ["new/name"]) as db:
        assert db.execute("SELECT DISTINCT repository FROM events").fetchall() == [("new/name",)]


def test_events_that_do_not_tell_of_merging_are_refused(tmp_path):
    made = World()
    made.live(FEBRUARY, FEBRUARY + timedelta(days=1))
    for _, event in made.events:  # as since 2025-10-07
        if event["type"] == "PullRequestEvent":
            event["payload"]["pull_request"] = {
                "id": 1,
                "number": event["payload"]["number"],
                "url": "https://x",
            }
    assert any(e["type"] == "PullRequestEvent" for _, e in made.events)
    paths = write(tmp_path, made.events, FEBRUARY, FEBRUARY + timedelta(days=1))
    staged = stage(paths, tmp_path / "store", {r: r for r in OURS}, lambda *_: None)
    with gate.connect(staged, tmp_path / "store", list(OURS)) as db:
        found = {c.type: c for c in gate.captures(db, 0.9, takes_unchecked=True)}
    assert found["PullRequestEvent"].why == "its events do not say whether a change request was merged"
    assert "of its hours have a file" in found["IssuesEvent"].why


def test_only_the_last_unbroken_run_of_months_counts():
    def month(m, kind, good):
        return Capture(kind, date(2024, m, 1), 1.0, 1.0, "", good)

    found = [month(m, k, m != 3 and not (m == 6 and k == "B")) for m in range(1, 7) for k in ("A", "B")]
    assert last_run(found, "A") == (date(2024, 4, 1), date(2024, 7, 1))
    assert last_run(found, "A", "B") == (date(2024, 4, 1), date(2024, 6, 1))
    assert last_run(found, "C") is None


@pytest.mark.parametrize("name", ["events.json.gz", "2025-02-30-1.json.gz", "2025-02-01-24.json.gz"])
def test_names_of_files(name):
    with pytest.raises(InputError, match="no file of GH Archive"):
        hour_of(Path(name))
    assert hour_of(Path("2025-02-01-9.json.gz")) == datetime(2025, 2, 1, 9)  # noqa: DTZ001 - DuckDB's hours carry no zone


def test_records_of_the_timeline_api_are_refused():
    with pytest.raises(InputError, match="before 2015 GH Archive holds the Timeline API's records"):
        hour_of(Path("2014-12-31-23.json.gz"))
    assert hour_of(Path("2015-01-01-0.json.gz")).year == 2015
