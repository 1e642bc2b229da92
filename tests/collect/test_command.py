"""advisor collect as a user meets it, over loopback; and advisor rank on what it brought."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from collecting import TOKEN, advisor, environment, expected_threads, facts_of, served
from fake_github import FakeGitHub, World

from advisor.cli.collect_progress import Progress
from advisor.domain.domain import load_domain

FIVE = [c.repository for c in load_domain("finetuning").candidates]


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """All candidates of the domain on the fake, collected into the store of a user of their own."""
    home = tmp_path_factory.mktemp("home")
    world = World(seed=11)
    for i, name in enumerate(FIVE):
        world.add(name, issues=60 + 15 * i, pulls=50 + 10 * i, discussions=6)
    fake = FakeGitHub(world)
    with served(fake) as url:
        env = environment(url, home)
        done = advisor("collect", "--source", "github", "--json-log", str(home / "log"), env=env)
    return world, fake, env, home, done


def test_it_says_what_it_did_and_is_quiet_in_a_pipe(collected):
    _, _, _, home, done = collected
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.startswith("5 repositories collected: ")
    assert len(done.stderr.splitlines()) == 1
    log = [json.loads(line) for line in (home / "log").read_text().splitlines()]
    assert {"token", "plan", "repository", "page", "limit", "done"} <= {entry["what"] for entry in log}
    assert all(datetime.fromisoformat(entry["at"]).tzinfo for entry in log)
    assert {e["repository"] for e in log if e["what"] == "done"} == set(FIVE)


def kaplan_meier(spans: list[tuple[float, bool]]) -> float | None:
    """Straight from the definition, over whole seconds."""
    survival = 1.0
    for t in sorted({d for d, happened in spans if happened}):
        survival *= 1 - sum(d == t and h for d, h in spans) / sum(d >= t for d, _ in spans)
        if survival <= 0.5 + 1e-12:
            return t
    return None


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture(scope="module")
def ranked(collected):
    _, _, env, _, _ = collected
    done = advisor("rank", "--format", "json", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("metric", "kind", "event"), [
    ("issue_response_time", "issue", 4), ("time_to_first_response", "change_request", 4),
    ("issue_resolution_duration", "issue", 2),
])  # fmt: skip
def test_rank_gives_the_times_that_the_world_gives(collected, ranked, metric, kind, event):
    world, *_ = collected
    assert ranked["snapshot"] == "facts", "the store of one's own, since it knows all candidates"
    as_of = datetime.fromisoformat(ranked["as_of"]).replace(tzinfo=UTC) + timedelta(days=1)
    measured = {
        r["candidate"]["repository"]: {m["metric"]: m for m in r["measurements"]} for r in ranked["ranking"]
    }
    assert set(measured) == set(FIVE)
    checked = 0
    for name in FIVE:
        spans = []
        for row in expected_threads(world.repositories[name]).values():
            opened = seconds(row[1])
            day = datetime.fromtimestamp(opened, UTC).date()
            if row[0] != kind or row[5] or day <= as_of.date() - timedelta(days=366):
                continue
            end = row[event] or row[2]
            spans.append(((seconds(end) if end else as_of.timestamp()) - opened, row[event] is not None))
        median, found = kaplan_meier(spans), measured[name][metric]
        assert found["n"] == len(spans) > 20
        if median is None:
            assert found["status"] == "not_applicable"
        else:
            assert found["value"] == pytest.approx(median / 86400, abs=1e-9)
            checked += 1
    assert checked >= 2


def test_the_store_begins_with_the_bundled_facts_and_goes_on(collected, ranked):
    measured = {m["metric"]: m for m in ranked["ranking"][0]["measurements"]}
    assert measured["model_families"]["status"] == "measured", "not collected, but bundled"
    assert measured["stars"]["sources"] == ["github:graphql"], "the newest figure is the collected one"


def test_the_bundled_snapshot_can_still_be_asked_for(collected):
    _, _, env, _, _ = collected
    done = advisor("rank", "--store", "bundled", env=env)
    assert "snapshot finetuning" in done.stdout


def test_a_dry_run_shows_the_price_and_writes_nothing(tmp_path):
    world = World()
    world.add("o/n", issues=300)
    fake = FakeGitHub(world)
    with served(fake) as url:
        env = environment(url, tmp_path)
        done = advisor(
            "collect", "o/n", "--dry-run", "--source", "github", "--store", str(tmp_path / "s"), env=env
        )
        assert (done.returncode, fake.requests()) == (0, 1)
        assert "o/n: at most 7 requests, 5 points" in done.stdout
        assert not (tmp_path / "s" / "manifest.json").exists()
        fake.reset()
        args = ("collect", "o/n", "--source", "github", "--budget", "3", "--store", str(tmp_path / "s"))
        done = advisor(*args, env=env)
        assert done.returncode == 3
        assert fake.points <= 3
        assert "missing (the same command goes on from here):" in done.stderr and "budget" in done.stderr
        for _ in range(4):
            done = advisor(*args, env=env)
        assert done.returncode == 0, done.stderr
    assert len(facts_of(tmp_path / "s")["threads/o__n@github-issues.parquet"]) == 300


def test_a_history_is_collected_too(tmp_path):
    import subprocess

    repo = tmp_path / "clone"
    git = ["git", "-C", str(repo), "-c", "user.name=Ann Ash", "-c", "user.email=ann@own.example"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(repo)], check=True)
    (repo / "a.py").write_text("1")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    env = environment("http://127.0.0.1:9", tmp_path)
    done = advisor("collect", str(repo), "--name", "o/n", "--store", str(tmp_path / "s"), env=env)
    assert done.returncode == 0, done.stderr
    assert facts_of(tmp_path / "s")["contributions/o__n.parquet"]


@pytest.mark.parametrize(("args", "code", "said"), [
    (["o/n", "--source", "gitlab"], 2, "unknown source"), (["nonsense"], 2, "owner/name"),
    (["o/n;rm -rf"], 2, "owner/name"), (["o/../n"], 2, "owner/name"), (["o/n", "--budget", "0"], 2, "budget"),
    (["o/n", "--github-url", "ftp://x"], 2, "https"), (["o/n", "--github-url", "http://ghe.example"], 2, "https"),
    (["o/n", "--github-url", "https://me:secret@ghe.example"], 2, "password"),  # pragma: allowlist secret
    (["--domain", "cooking"], 2, "unknown domain"), (["o/n", "--replay", "nowhere"], 2, "nowhere"),
    (["o/n", "--git-only", "--source", "github"], 2, "exclude"), (["o/n", "p/m", "--name", "x/y"], 2, "--name"),
    (["no/body", "--source", "github"], 2, "no such repository"),
    (["o/n", "--json-log", "/dev/null/log"], 2, "/dev/null/log cannot be written"),
    (["o/n", "--source", "github", "--record", "/dev/null/r"], 2, "/dev/null/r cannot be written"),
    (["o/n", "--repos", "list.txt"], 2, "--repos goes with"), (["--repos", "/nowhere.txt"], 2, "cannot be read"),
    (["o/n", "--github-url", "https://ghe.example/?a=b"], 2, "without query"),
])  # fmt: skip
def test_wrong_input_gets_one_clear_message(tmp_path, args, code, said):
    with served(FakeGitHub(World())) as url:
        done = advisor("collect", *args, "--store", str(tmp_path / "s"), env=environment(url, tmp_path))
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr and TOKEN not in done.stderr and "secret" not in done.stderr


def test_in_a_pipe_a_long_wait_is_told_in_a_line(capsys):
    with Progress() as progress:
        progress.tell("wait", {"seconds": 2.0, "reason": "not worth a line"})
        progress.tell("wait", {"seconds": 60.0, "reason": "GitHub: slow down"})
    assert capsys.readouterr() == ("", "advisor: waiting 60.0 s: GitHub: slow down\n")


def test_help_teaches(tmp_path):
    done = advisor("collect", "--help", env=environment("http://127.0.0.1:9", tmp_path))
    assert "Examples" in done.stdout and "--max-wait" in done.stdout
