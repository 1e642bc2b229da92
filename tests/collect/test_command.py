"""Run `advisor collect` over loopback as a user does, then `advisor rank` on the collected facts."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from collecting import (
    TOKEN,
    build_command,
    build_environment,
    list_expected_threads,
    read_all_facts,
    run_advisor,
    serve_fake,
)
from fake_github import FakeGitHub, World

from advisor.cli.collect_progress import CollectionProgress
from advisor.domain.domain import load_domain

FIVE = [c.repository for c in load_domain("finetuning").candidates]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """All candidates of the domain on the fake GitHub, collected into the store of a new user."""
    home = tmp_path_factory.mktemp("home")
    world = World(seed=11)
    for i, name in enumerate(FIVE):
        world.add(name, issues=60 + 15 * i, pulls=50 + 10 * i, discussions=6)
    fake = FakeGitHub(world)
    with serve_fake(fake) as url:
        env = build_environment(url, home)
        result = run_advisor("collect", "--source", "github", "--json-log", str(home / "log"), env=env)
    return world, fake, env, home, result


def test_collect_prints_one_line_in_a_pipe_and_logs_events(collection):
    _, _, _, home, result = collection
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert result.stderr.startswith("5 repositories collected: ")
    assert len(result.stderr.splitlines()) == 1
    log = [json.loads(line) for line in (home / "log").read_text().splitlines()]
    assert {"token", "plan", "repository", "page", "limit", "done"} <= {entry["what"] for entry in log}
    assert all(datetime.fromisoformat(entry["at"]).tzinfo for entry in log)
    assert {e["repository"] for e in log if e["what"] == "done"} == set(FIVE)


def compute_kaplan_meier_median(spans: list[tuple[float, bool]]) -> float | None:
    """Return the median survival time, from the definition."""
    survival = 1.0
    for t in sorted({d for d, has_event in spans if has_event}):
        survival *= 1 - sum(d == t and h for d, h in spans) / sum(d >= t for d, _ in spans)
        if survival <= 0.5 + 1e-12:
            return t
    return None


def parse_seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture(scope="module")
def answer(collection):
    _, _, env, _, _ = collection
    result = run_advisor("rank", "--format", "json", env=env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(("metric", "kind", "event"), [
    ("issue_response_time", "issue", 4), ("time_to_first_response", "change_request", 4),
    ("issue_resolution_duration", "issue", 2),
])  # fmt: skip
def test_rank_computes_the_times_of_the_world(collection, answer, metric, kind, event):
    world, *_ = collection
    assert answer["snapshot"] == "facts", "the user's own store, because it has all candidates"
    as_of = datetime.fromisoformat(answer["as_of"]).replace(tzinfo=UTC) + timedelta(days=1)
    measurements = {
        r["candidate"]["repository"]: {m["metric"]: m for m in r["measurements"]} for r in answer["ranking"]
    }
    assert set(measurements) == set(FIVE)
    count = 0
    for name in FIVE:
        spans = []
        for row in list_expected_threads(world.repositories[name]).values():
            opening_time = parse_seconds(row[1])
            day = datetime.fromtimestamp(opening_time, UTC).date()
            if row[0] != kind or row[5] or day <= as_of.date() - timedelta(days=366):
                continue
            end = row[event] or row[2]
            spans.append(
                ((parse_seconds(end) if end else as_of.timestamp()) - opening_time, row[event] is not None)
            )
        median, measurement = compute_kaplan_meier_median(spans), measurements[name][metric]
        assert measurement["n"] == len(spans) > 20
        if median is None:
            assert measurement["status"] == "not_applicable"
        else:
            assert measurement["value"] == pytest.approx(median / 86400, abs=1e-9)
            count += 1
    assert count >= 2


def test_new_store_starts_with_the_bundled_facts(collection, answer):
    measurements = {m["metric"]: m for m in answer["ranking"][0]["measurements"]}
    assert measurements["model_families"]["status"] == "measured", "not collected, but bundled"
    assert measurements["stars"]["sources"] == ["github:graphql"], "the newest figure is the collected one"


def test_bundled_snapshot_is_still_available(collection):
    _, _, env, _, _ = collection
    result = run_advisor("rank", "--store", "bundled", env=env)
    assert "snapshot finetuning" in result.stdout


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path):
    world = World()
    world.add("o/n", issues=300)
    fake = FakeGitHub(world)
    with serve_fake(fake) as url:
        env = build_environment(url, tmp_path)
        result = run_advisor(
            "collect", "o/n", "--dry-run", "--source", "github", "--store", str(tmp_path / "s"), env=env
        )
        assert (result.returncode, fake.requests()) == (0, 1)
        # three pages of 100 issues for a point each, and two pages of stars that cost no points
        assert "o/n: at most 5 requests, 3 points" in result.stdout
        assert not (tmp_path / "s" / "manifest.json").exists()
        fake.reset()
        args = ("collect", "o/n", "--source", "github", "--budget", "3", "--store", str(tmp_path / "s"))
        result = run_advisor(*args, env=env)
        assert result.returncode == 3
        assert fake.points <= 3
        assert (
            "missing (run the same command again to resume):" in result.stderr and "budget" in result.stderr
        )
        for _ in range(4):
            result = run_advisor(*args, env=env)
        assert result.returncode == 0, result.stderr
    assert len(read_all_facts(tmp_path / "s")["threads/o__n@github-issues.parquet"]) == 300


def test_collect_reads_a_local_history(tmp_path):
    import subprocess

    repo = tmp_path / "clone"
    git = ["git", "-C", str(repo), "-c", "user.name=Ann Ash", "-c", "user.email=ann@own.example"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(repo)], check=True)
    (repo / "a.py").write_text("1")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    env = build_environment("http://127.0.0.1:9", tmp_path)
    result = run_advisor("collect", str(repo), "--name", "o/n", "--store", str(tmp_path / "s"), env=env)
    assert result.returncode == 0, result.stderr
    assert read_all_facts(tmp_path / "s")["contributions/o__n.parquet"]


@pytest.mark.parametrize(("args", "code", "message"), [
    (["o/n", "--source", "gitlab"], 2, "unknown source"), (["nonsense"], 2, "owner/name"),
    (["o/n;rm -rf"], 2, "owner/name"), (["o/../n"], 2, "owner/name"), (["o/n", "--budget", "0"], 2, "budget"),
    (["o/n", "--github-url", "ftp://x"], 2, "https"), (["o/n", "--github-url", "http://ghe.example"], 2, "https"),
    (["o/n", "--github-url", "https://me:secret@ghe.example"], 2, "password"),  # pragma: allowlist secret
    (["--domain", "cooking"], 2, "unknown domain"), (["o/n", "--replay", "nowhere"], 2, "nowhere"),
    (["o/n", "--git-only", "--source", "github"], 2, "not both"), (["o/n", "p/m", "--name", "x/y"], 2, "--name"),
    (["no/body", "--source", "github"], 2, "no such repository"),
    (["o/n", "--json-log", "/dev/null/log"], 2, "/dev/null/log cannot be written"),
    (["o/n", "--source", "github", "--record", "/dev/null/r"], 2, "/dev/null/r cannot be written"),
    (["o/n", "--repos", "list.txt"], 2, "--repos can be combined only with"), (["--repos", "/nowhere.txt"], 2, "cannot be read"),
    (["o/n", "--github-url", "https://ghe.example/?a=b"], 2, "without query"),
])  # fmt: skip
def test_wrong_input_is_one_clear_message(tmp_path, args, code, message):
    with serve_fake(FakeGitHub(World())) as url:
        result = run_advisor(
            "collect", *args, "--store", str(tmp_path / "s"), env=build_environment(url, tmp_path)
        )
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr and TOKEN not in result.stderr and "secret" not in result.stderr


def test_long_wait_is_one_line_in_a_pipe(capsys):
    with CollectionProgress() as progress:
        progress.show_event("wait", {"seconds": 2.0, "reason": "not worth a line"})
        progress.show_event("wait", {"seconds": 60.0, "reason": "GitHub: slow down"})
    assert capsys.readouterr() == ("", "advisor: waiting 60.0 s: GitHub: slow down\n")


def test_help_teaches(tmp_path):
    result = run_advisor("collect", "--help", env=build_environment("http://127.0.0.1:9", tmp_path))
    assert "Examples" in result.stdout and "--max-wait" in result.stdout


def test_a_host_that_cannot_be_reached_is_named_at_once_and_once(tmp_path):
    env = {**build_environment("http://127.0.0.1:9", tmp_path), "GH_TOKEN": "", "GITHUB_TOKEN": ""}
    command = ["collect", "o/n", "--source", "github", "--store", str(tmp_path / "s")]
    plan = run_advisor(*command, "--dry-run", env=env)
    assert (plan.returncode, plan.stdout) == (0, "no plan: it needs a GitHub token\n")
    with subprocess.Popen(build_command(*command), env=env, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stderr.readline() for _ in range(2)]
        process.kill()
    assert (
        lines[0]
        == "advisor: no GitHub token: at most 60 requests an hour, and first responses stay unknown\n"
    )
    assert lines[1].startswith("advisor: http://127.0.0.1:9 cannot be reached")
    assert lines[1].endswith("; trying again\n")
