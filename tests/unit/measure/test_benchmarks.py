"""Benchmarks are stored as facts and count in the ranking; nothing changes without them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from typer.testing import CliRunner

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.cli import app, load
from advisor.cli.bench_results import store_benchmarks, write_result
from advisor.domain.domain import load_domain
from advisor.errors import SnapshotMissing
from advisor.facts import reading, writing
from advisor.measure import benchmarks
from advisor.model import Measurement
from finetune.bench.figures import RunFigures
from finetune.bench.run import Bench

TRL, UNSLOTH = "huggingface/trl", "unslothai/unsloth"
ONE = RunFigures(
    "trl", 42, version="1.16.0", tokens_per_second=100.0, peak_bytes=4 * 2**30, held_out=1.0, base=2.0
)
MACHINE = {"processor": "a CPU", "cores": 2, "memory_bytes": 24 * 2**30, "gpus": []}
SETTINGS = {"method.name": "lora", "method.r": 8, "model.base": "/m/SmolLM2", "training.batch_size": 4,
            "data.max_length": 256}  # fmt: skip


def bench(*runs, noise=0.1, day="2026-11-24T12:00:00+00:00"):
    return Bench(tuple(runs), noise, SETTINGS, MACHINE, day)


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "facts"
    fast = replace(ONE, stack="unsloth", version="2026.10", tokens_per_second=180.0, peak_bytes=2 * 2**30)
    again = replace(fast, seed=43, tokens_per_second=220.0)
    failed = RunFigures("litgpt", 42, reason="no space left")
    wrong = replace(ONE, stack="axolotl", gates={"tokens": False})
    message = store_benchmarks(bench(ONE, replace(ONE, seed=43), fast, again, failed, wrong), folder)
    assert "of 2 libraries" in message
    return folder


def test_the_default_ranking_has_no_benchmarks():
    answer = recommend(read_request(Request()))
    assert "speed" not in answer.weights
    assert answer.benchmarks == ()
    assert not any("measured speed" in doubt for doubt in answer.doubts)


def test_the_goal_fast_counts_benchmarks_with_bounds_age_and_machine(store):
    answer = recommend(read_request(Request(goal="fast", benchmarks=store)))
    by_name = {r.candidate.repository: r for r in answer.ranking}
    speed = by_name[UNSLOTH].measurement("measured_throughput")
    assert (speed.value, speed.low, speed.high) == pytest.approx((2.0, 1.8 * 0.9, 2.2 * 1.1))
    assert "unsloth 2026.10 on a CPU, 2 cores, 24 GiB, round A, lora of rank 8, SmolLM2" in speed.reason
    assert speed.reason.endswith("0 days ago")
    assert speed.last_day == date(2026, 11, 24)
    memory = by_name[UNSLOTH].measurement("measured_peak_memory")
    assert (memory.value, memory.low, memory.high) == pytest.approx((0.5, 0.5, 0.5))
    assert by_name[TRL].measurement("measured_throughput").value == pytest.approx(1.0)
    assert by_name["axolotl-ai-cloud/axolotl"].measurement("measured_throughput").status == "unavailable"
    assert answer.choice == UNSLOTH
    assert recommend(read_request(Request(goal="fast"))).choice == TRL
    assert any(
        "run `advisor bench`" in doubt for doubt in recommend(read_request(Request(goal="fast"))).doubts
    )


def test_rows_have_stack_setting_machine_and_day(store):
    rows = recommend(read_request(Request(benchmarks=store))).benchmarks
    row = next(b for b in rows if (b.repository, b.figure) == (UNSLOTH, "tokens_per_second"))
    assert (row.value, row.low, row.high, row.unit) == (200.0, 180.0, 220.0, "tokens/s")
    assert (row.stack, row.version, row.machine, row.day) == (
        "unsloth", "2026.10", "a CPU, 2 cores, 24 GiB", date(2026, 11, 24)
    )  # fmt: skip
    assert row.source == "advisor bench"


def test_benchmarks_after_the_as_of_date_do_not_count(store):
    request = Request(goal="fast", benchmarks=store, as_of=date(2026, 7, 1))
    assert recommend(read_request(request)).benchmarks == ()
    assert (
        recommend(read_request(replace(request, goal="balanced"))).weights.keys()
        == recommend(read_request(Request())).weights.keys()
    )


def test_the_latest_bench_counts_and_both_are_stored(store):
    slower = replace(ONE, stack="unsloth", version="2026.11", tokens_per_second=50.0)
    store_benchmarks(bench(ONE, slower, noise=None, day="2026-12-01T08:00:00+00:00"), store)
    facts = benchmarks.read_benchmarks(store, [TRL, UNSLOTH], None)
    assert facts.measurements[UNSLOTH]["measured_throughput"].value == pytest.approx(0.5)
    assert {b.version for b in facts.rows if b.repository == UNSLOTH} == {"2026.10", "2026.11"}
    assert benchmarks.read_benchmarks(store, [TRL, UNSLOTH], date(2026, 11, 30)).measurements[UNSLOTH][
        "measured_throughput"
    ].value == pytest.approx(2.0)
    assert facts.rows[0].day == date(2026, 12, 1)


def test_a_store_with_only_benchmarks_is_not_a_store_of_facts(store):
    with pytest.raises(SnapshotMissing):
        reading.open_store(store)


def test_benchmarks_do_not_change_the_date_of_a_store(tmp_path, store):
    row = {"repository": TRL, "day": "2026-07-01", "metric": "stars", "value": 5.0, "source": "test"}
    writing.write_rows(store, "counts", TRL, [row])
    facts = reading.open_store(store)
    assert facts.as_of == date(2026, 7, 1)
    assert facts.repositories() == [TRL]


def test_a_damaged_file_has_no_benchmarks(store):
    for file in (store / "benchmarks").glob("unslothai*"):
        file.write_bytes(b"nothing")
    facts = benchmarks.read_benchmarks(store, [TRL, UNSLOTH], None)
    assert UNSLOTH not in facts.measurements
    assert facts.measurements[TRL]["measured_throughput"].value == pytest.approx(1.0)


def test_explain_shows_benchmarks(store, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data" / "advisor").mkdir(parents=True)
    store.rename(tmp_path / "data" / "advisor" / "facts")
    load("explain")
    output = CliRunner().invoke(app, ["explain", "unsloth", "--goal", "gpu-poor"]).output
    assert "measured by `advisor bench`" in output
    assert "2026-11-24  tokens_per_second 200 [180–220] tokens/s: unsloth 2026.10, round A" in output
    content = json.loads(CliRunner().invoke(app, ["explain", "unsloth", "--format", "json"]).output)
    assert {b["figure"] for b in content["benchmarks"]} >= {"tokens_per_second", "relative_throughput"}
    bundled = CliRunner().invoke(app, ["explain", "unsloth", "--store", "bundled", "--format", "json"]).output
    assert json.loads(bundled)["benchmarks"] == []


def run(*args):
    load("bench")
    return CliRunner().invoke(app, ["bench", *map(str, args)])


def test_a_result_file_is_shown_with_the_claims(tmp_path):
    fast = replace(
        ONE, stack="unsloth", round="B", tokens_per_second=180.0, install_bytes=2**30, install_seconds=9.0
    )
    wrong = replace(ONE, stack="axolotl", gates={"tokens": False})
    failed = RunFigures("litgpt", 42, reason="no space left")
    write_result(bench(ONE, fast, wrong, failed), tmp_path / "bench.json", None)
    result = run("--from", tmp_path / "bench.json", "--claims", "--price", 2)
    assert result.exit_code == 0, result.output
    for part in ("cost/M", "1.0 GiB in 9 s", "unsloth at its best, seed 42", "axolotl (!)", "no space left",
                 "axolotl, seed 42: does not count, because its work differs in: tokens", "measured here: "):  # fmt: skip
        assert part in result.output, part
    page = run("--from", tmp_path / "bench.json", "--format", "markdown").output
    assert "Round B: each stack at its documented best:" in page and "measured here" not in page
    write_result(bench(failed, noise=None), tmp_path / "none.json", None)
    output = run("--from", tmp_path / "none.json").output
    assert output.startswith("no stack could be measured") and "noise floor" not in output


def test_the_claims_are_compared_with_stored_benchmarks(store):
    assert "measured here: 2.00 (" in run("--claims", "--store", store).output


def test_unknown_rounds_are_an_error(tmp_path):
    assert "invalid --rounds 'C': expected A, B or AB" in str(run("--rounds", "C", "-o", tmp_path).exception)


def test_a_bench_without_valid_figures_stores_nothing(tmp_path):
    message = store_benchmarks(bench(RunFigures("litgpt", 42, reason="no space left")), tmp_path / "facts")
    assert message == "no figure counts, so nothing was added to the facts"
    assert not (tmp_path / "facts").exists()


def test_rows_are_newest_first_and_only_of_the_candidates(store, tmp_path):
    store_benchmarks(bench(ONE, day="2026-12-01T08:00:00+00:00"), store)
    facts = benchmarks.read_benchmarks(store, [UNSLOTH, TRL, "a/b"], None)
    keys = [(-b.day.toordinal(), b.setting, b.machine, b.figure, b.repository.lower()) for b in facts.rows]
    assert keys == sorted(keys) and len({k[0] for k in keys}) == 2 and len({k[3] for k in keys}) > 2
    assert [b.day for b in facts.rows][:: len(keys) - 1] == [date(2026, 12, 1), date(2026, 11, 24)]
    assert set(facts.measurements) == {TRL, UNSLOTH}
    assert set(facts.measurements[TRL]) == set(benchmarks.BENCHMARK_METRICS)
    assert {b.repository for b in benchmarks.read_benchmarks(store, [TRL], None).rows} == {TRL}
    by_then = benchmarks.read_benchmarks(store, [TRL], date(2026, 11, 24))
    assert {b.day for b in by_then.rows} == {date(2026, 11, 24)}
    assert by_then.measurements[TRL]["measured_throughput"].reason.endswith("0 days ago")
    later = benchmarks.read_benchmarks(store, [TRL], date(2026, 12, 4)).measurements[TRL][
        "measured_throughput"
    ]
    assert later.reason.endswith("3 days ago")
    for path, names in ((store, []), (store, ["a/b"]), (tmp_path / "nothing", [TRL])):
        assert benchmarks.read_benchmarks(path, names, None) is benchmarks.NO_BENCHMARKS


def test_criteria_without_benchmarks_and_weight_are_dropped(store):
    domain = load_domain("finetuning")
    benches = {c.name for c in domain.criteria if c.benched}
    weighs = {name for name, goal in domain.goals.items() if benches & set(goal.weights)}
    assert benches and weighs and weighs != set(domain.goals)
    weights = {c.name: 0.0 if c.benched else 1.0 for c in domain.criteria}
    smaller = benchmarks.NO_BENCHMARKS.drop_unmeasured_criteria(domain, weights)
    assert [c.name for c in smaller.criteria] == [c.name for c in domain.criteria if not c.benched]
    assert set(smaller.goals) == set(domain.goals) - weighs
    same = benchmarks.NO_BENCHMARKS.drop_unmeasured_criteria(
        domain, {**weights, **dict.fromkeys(benches, 0.1)}
    )
    assert (same.criteria, same.goals) == (domain.criteria, domain.goals)
    facts = benchmarks.read_benchmarks(store, [TRL], None)
    assert facts.drop_unmeasured_criteria(domain, weights) is domain
    here, stars = facts.measurements[TRL]["measured_throughput"], Measurement(TRL, "stars", "measured", 1.0)
    before = {"stars": stars, "measured_throughput": replace(here, value=9.0)}
    assert facts.merge_into(before, TRL) == {"stars": stars, **facts.measurements[TRL]}
    assert facts.merge_into(before, UNSLOTH) == before
