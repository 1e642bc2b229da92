"""The page without a browser: bytes, size, history, and the command line."""

from __future__ import annotations

import hashlib
import html
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest
from bare_environment import bare_environment
from measuring import measure_repositories
from small_world import AS_OF, NAMES

from advisor.answers import timeline_cache
from advisor.answers.history import ends_of_months, read_timeline
from advisor.answers.list_figures import add_list_figures
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend, score_candidate
from advisor.cli import browser
from advisor.cli.saved_view import SavedView, build_request, find_differences
from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import AdvisorError, InputError
from advisor.facts import reading
from advisor.facts.facts_view import FactsView
from advisor.measure import cache, months
from advisor.measure.one_day import measure_days
from advisor.metrics import METRICS
from advisor.outlook.measurements import METRIC as OUTLOOK
from advisor.outlook.measurements import add_outlook_metric
from advisor.report.dashboard import render

SNAPSHOT = data_folder() / "snapshots" / "finetuning"


def run(*args, env=None):
    return subprocess.run([sys.executable, "-m", "advisor", *args], capture_output=True, text=True, check=False,
                          env=bare_environment(**(env or {})))  # fmt: skip


def assert_same(measurement, expected_measurement, tolerance=1e-9):
    """Assert equality up to the last digits of numbers, which come from sums in another order."""
    numbers = {
        name: pytest.approx(value, rel=tolerance, abs=1e-9)
        for name, value in asdict(expected_measurement).items()
        if isinstance(value, float)
    }
    assert asdict(measurement) == {**asdict(expected_measurement), **numbers}


def test_measuring_many_days_at_once_equals_measuring_each_day(world):
    days = [AS_OF, date(2024, 2, 29), date(2023, 5, 31), date(2021, 12, 31)]
    together = measure_days(FactsView(world, tuple(NAMES), AS_OF), days)
    assert list(together) == days
    for day in days:
        alone, damages = measure_repositories(world, NAMES, day)
        assert not damages
        for repository, measurements in alone.items():
            for name, measurement in measurements.items():
                assert_same(together[day][repository][name], measurement)


def test_stacked_days_copy_only_the_rows_that_many_metrics_read(world):
    """Copies of every table on eleven days took 200 MB for ten candidates, and stayed in memory."""
    facts = FactsView(world, tuple(NAMES), AS_OF)
    query = "SELECT table_name FROM duckdb_tables() WHERE regexp_matches(table_name, '^(grid|shared)_')"
    copies = []
    measure_days(
        facts,
        [AS_OF, date(2024, 2, 29)],
        progress=lambda _: copies.extend(facts.connection.execute(query).fetchall()),
    )
    assert {name for (name,) in copies if name.startswith("grid")} == {"grid_contributions", "grid_counts"}
    assert not facts.connection.execute(query).fetchall()


def measure_alone(question, day, *, is_last):
    """Return repository → metric → measurement as of a day, without caches."""
    names = [c.repository for c in question.candidates]
    store = reading.open_store(SNAPSHOT)
    rows, damages = measure_repositories(store, names, day)
    assert not damages
    outlooks = cache.compute_outlooks_of(FactsView(store, tuple(names), day))
    snapshot = cache.SnapshotMeasurements(rows, outlooks, ())
    if is_last:  # public lists have no history
        snapshot = add_list_figures(question, snapshot)
    return add_outlook_metric(snapshot.measurements, snapshot.outlooks)


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_timeline_equals_measuring_each_day(monkeypatch, is_kept):
    question = read_request(Request())
    if not is_kept:
        monkeypatch.setattr(months, "FILE", "none.zip")
    timeline = read_timeline(question, 30)
    assert (timeline_cache.read_scores(question, timeline.days[:-1]) is not None) is is_kept
    for place in (0, 13, -1):
        alone = measure_alone(question, timeline.days[place], is_last=place == -1)
        # Of past days, only what the page draws is kept.
        is_complete = not is_kept or place == -1
        # The outlooks of many days at once have the five digits of the model's nodes.
        tolerance = 1e-5 if not is_kept and place != -1 else 1e-9
        metrics = METRICS.keys() | {OUTLOOK.name} if is_complete else set(timeline_cache.SERIES)
        for candidate in question.candidates:
            repository = candidate.repository
            scored, rows = timeline.candidates[repository][place], alone[repository]
            if scored is None:
                assert not timeline_cache.is_known(rows)
                continue
            assert {m.metric for m in scored.measurements} == metrics
            for m in scored.measurements:
                if is_complete:
                    assert_same(m, rows[m.metric], tolerance if m.metric == OUTLOOK.name else 1e-9)
                else:
                    assert_same_point(m, rows[m.metric])
            expected = score_candidate(candidate, rows, question)
            assert_same_score(scored, expected, tolerance)
            assert scored.findings == expected.findings


def assert_same_point(measurement, expected_measurement):
    """Assert equality of value and bounds, which are kept if the value is a number."""
    expected = [getattr(expected_measurement, name) for name in ("value", "low", "high")]
    if not isinstance(expected[0], int | float):
        expected = [None, None, None]
    assert (measurement.status == "measured") is (expected[0] is not None)
    for name, number in zip(("value", "low", "high"), expected, strict=True):
        assert getattr(measurement, name) == (None if number is None else pytest.approx(number, rel=1e-9))


def assert_same_score(scored, expected, tolerance):
    assert (scored.candidate, scored.excluded) == (expected.candidate, expected.excluded)
    assert [c.criterion for c in scored.criteria] == [c.criterion for c in expected.criteria]
    for one, other in ((scored, expected), *zip(scored.criteria, expected.criteria, strict=True)):
        for name in ("score" if one is scored else "utility", "low", "high", "coverage"):
            number = getattr(other, name)
            assert getattr(one, name) == (
                None if number is None else pytest.approx(number, rel=tolerance, abs=1e-9)
            )


def test_the_days_are_ends_of_months_and_the_day_itself():
    assert ends_of_months(date(2024, 1, 10), date(2024, 4, 15), 72) == (
        date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 15))  # fmt: skip
    assert ends_of_months(date(2020, 1, 1), date(2024, 3, 31), 1) == (date(2024, 2, 29), date(2024, 3, 31))
    assert ends_of_months(date(2024, 1, 1), date(2024, 1, 5), 72) == (date(2024, 1, 5),)


def test_equal_input_gives_equal_bytes_and_a_small_page():
    request = Request(as_of=date(2025, 3, 3))
    questions = (read_request(request) for _ in range(2))
    first, second = (render(recommend(q), read_timeline(q, 24)) for q in questions)
    assert first == second
    assert len(first.encode()) < 1_000_000
    assert str(Path.home()) not in first
    assert str(SNAPSHOT.parent) not in first


@pytest.mark.parametrize("name", ["plotly.min.js", "fflate-unzlib.min.js"])
def test_a_bundled_script_is_the_one_that_the_docs_name(name):
    root = Path(__file__).resolve().parents[4]
    script = (root / "advisor/report/dashboard/assets/vendor" / name).read_bytes()
    assert hashlib.sha256(script).hexdigest() in (root / "docs/explanation/dependencies.md").read_text()


def test_the_command_writes_one_file(tmp_path):
    process = run("dashboard", "-o", str(tmp_path / "r.html"), "--months", "2", "--goal", "long-lived")
    assert (process.returncode, process.stderr) == (0, "")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    title = load_domain("finetuning").goals["long-lived"].title
    assert title != load_domain("finetuning").goals["balanced"].title
    assert f'<span id="goal-title">{html.escape(title)}</span>' in (tmp_path / "r.html").read_text()


def test_rank_writes_the_same_page(tmp_path):
    process = run("rank", "trl", "unsloth", "--as-of", "2024-02-01", "--format", "html")
    assert process.returncode == 0
    assert process.stdout.startswith("<!doctype html>") and process.stdout.endswith("</html>\n")


def test_without_a_browser_the_command_writes_the_page_and_reports_the_problem(tmp_path):
    process = run("dashboard", "-o", str(tmp_path / "r.html"), "--months", "0", "--png", str(tmp_path / "r.png"),
               env={"PATH": str(tmp_path)})  # fmt: skip
    assert process.returncode == 1
    assert "no Chromium was found" in process.stderr and "Traceback" not in process.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


# A browser that answers every message; tests replace HERE by a fault.
FAKE_BROWSER = f"""#!{sys.executable}
import json, os
from base64 import b64encode
buffer = b""
while True:
    buffer += os.read(3, 65536)
    while b"\\0" in buffer:
        one, _, buffer = buffer.partition(b"\\0")
        number = json.loads(one)["id"]
        answer = {{"result": {{"targetId": "t", "sessionId": "s", "data": b64encode(b"a picture").decode()}}}}
        HERE
        os.write(4, json.dumps({{"id": number}} | answer).encode() + b"\\0")
        os.write(4, b'{{"method": "Page.loadEventFired"}}\\0')
"""


@pytest.mark.parametrize(("program", "patience", "message"), [
    ("#!/bin/sh\nexit 1\n", 20, "ended before it took a picture"),
    (FAKE_BROWSER.replace("HERE", "os.close(0), os.close(3)"), 20, "ended before it took a picture"),
    (FAKE_BROWSER.replace("HERE", "answer = {'error': {'message': 'no tab'}}"), 20, "Target.createTarget: no tab"),
    ("#!/bin/sh\nexec sleep 30\n", 0.1, "took no picture within 0.1 seconds"),
    (FAKE_BROWSER.replace("HERE", ""), 20, "r.png cannot be written: No such file"),
])  # fmt: skip
def test_a_browser_that_fails_gives_a_message(tmp_path, monkeypatch, program, patience, message):
    chromium = tmp_path / "chromium"
    chromium.write_text(program)
    chromium.chmod(0o755)
    monkeypatch.setattr(browser, "find_browser", lambda: str(chromium))
    monkeypatch.setattr(browser, "TIMEOUT_SECONDS", patience)
    (tmp_path / "r.html").write_text("a page")
    with pytest.raises(AdvisorError, match=message):
        browser.take_picture(tmp_path / "r.html", tmp_path / "nowhere" / "r.png")


@pytest.mark.parametrize(("view", "message"), [
    ("{}", "advisor_view"), ("[", "Invalid JSON"), ('{"advisor_view": 2}', "advisor_view")])  # fmt: skip
def test_a_broken_view_gives_one_clear_message(tmp_path, view, message):
    file = tmp_path / "view.json"
    file.write_text(view)
    process = run("rank", "--replay", str(file))
    assert process.returncode == 2
    assert message in process.stderr and str(file) in process.stderr and "Traceback" not in process.stderr


def test_each_difference_from_a_saved_view_is_one_line():
    answer = recommend(read_request(Request(as_of=date(2025, 3, 3))))
    first, second, third, *_ = answer.ranking
    row = {"low": 0.0, "high": 1.0, "wins": 1.0}
    rows = [{**row, "repository": first.candidate.repository, "rank": first.rank, "score": first.score},
            {**row, "repository": second.candidate.repository, "rank": 9, "score": second.score},
            {**row, "repository": third.candidate.repository, "rank": third.rank, "score": None},
            {**row, "repository": "no/where", "rank": 4, "score": 1.0}]  # fmt: skip
    view = SavedView.model_validate({
        "advisor_view": 1, "domain": "finetuning", "facts": "x", "goal": "balanced", "weights": {}, "as_of": "2025-03-03",
        "candidates": [], "answer": {"choice": None, "certainty": "none", "ranking": rows},
    })  # fmt: skip
    assert list(find_differences(view, answer)) == [
        f"the choice was nothing in the view and is {answer.choice} now",
        f"the certainty was none in the view and is {answer.certainty} now",
        f"{second.candidate.repository} had rank 9 in the view and has {second.rank} now",
        f"{third.candidate.repository} had score None in the view and has {third.score} now",
        "no/where was ranked in the view and is not ranked now",
    ]
    with pytest.raises(InputError, match="--replay cannot be combined with candidates"):
        build_request(view, Request(goal="fast"))


@pytest.mark.parametrize(("weights", "is_own"), [
    (None, False), ({"models": 3.0}, True), ("rounded", False), ("scaled", False)])  # fmt: skip
def test_own_weights_are_those_that_differ_from_the_goal(weights, is_own):
    goal = read_request(Request(goal="independence")).weights
    if weights == "rounded":
        weights = {name: round(w, 6) for name, w in goal.items()}
    elif weights == "scaled":
        weights = {name: 7 * w for name, w in goal.items()}
    question = read_request(Request(goal="independence", weights=weights))
    assert question.has_own_weights is is_own


def test_replay_refuses_candidates(tmp_path):
    process = run("rank", "trl", "--replay", str(tmp_path / "none.json"))
    assert (process.returncode, "none.json" in process.stderr) == (2, True)


def test_a_page_that_cannot_be_written_gives_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    process = run("dashboard", "-o", str(tmp_path / "file" / "r.html"), "--months", "0")
    assert process.returncode == 2
    assert "cannot be written" in process.stderr and "Traceback" not in process.stderr


def test_findings_that_come_from_no_rule_count_for_every_month():
    from advisor.model import Finding
    from advisor.report.dashboard.payload import page_data

    request = Request(as_of=date(2025, 3, 3))
    question = read_request(request)
    answer, timeline = recommend(question), read_timeline(question, 2)
    plain = page_data(answer, timeline)["findings"]
    first = replace(
        answer.ranking[0], findings=(*answer.ranking[0].findings, Finding("asked", "exclude", "no"))
    )
    changed_findings = page_data(replace(answer, ranking=(first, *answer.ranking[1:])), timeline)["findings"]
    assert changed_findings[0] == [[*day, ["asked", "exclude", "no"]] for day in plain[0]]
    assert changed_findings[1:] == plain[1:]
