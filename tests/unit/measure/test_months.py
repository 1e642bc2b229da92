"""What is kept of past months equals what advisor measures, is used, and is used only while it is current."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import date

import pytest

from advisor.answers import answer_cache, history, timeline_cache
from advisor.answers.coverage import read_coverage
from advisor.answers.history import ends_of_months, read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.facts import reading
from advisor.measure import cache, months, one_day
from advisor.report.dashboard import render

SNAPSHOTS = sorted((data_folder() / "snapshots").iterdir())
DOMAINS = [name for name in available_domains() if load_domain(name).candidates]
MONTH = date(2026, 6, 30)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A copy of the bundled facts with the caches of one past month, by this machine."""
    folder = data_folder() / "snapshots" / "finetuning"
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("kept") / "finetuning")
    answer_cache.write_answer_cache(reading.open_store(copy), 1)
    return copy


@pytest.fixture
def fresh(kept, tmp_path):
    """The same without what is kept of months."""
    copy = shutil.copytree(kept, tmp_path / "finetuning")
    (copy / months.FILE).unlink()
    return copy


def no_measuring(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("measured again")

    for module, name in ((one_day, "measure_view"), (history, "measure_days"), (cache, "measure_fresh")):
        monkeypatch.setattr(module, name, fail)
    monkeypatch.setattr(reading, "open_views", fail)


def assert_same(left, right):
    """Compare two values: sums may differ in the last digits, because DuckDB adds in any order."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        left, right = list(left.values()), [right[name] for name in left]
    if isinstance(left, list | tuple):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    else:
        assert left == (pytest.approx(right, rel=1e-9) if isinstance(right, float) else right)


def page_of(question, answer=None):
    return render(answer or recommend(question), read_timeline(question, 1))


def test_kept_answers_equal_fresh_ones(kept, fresh, monkeypatch):
    questions = [
        Request(as_of=MONTH),
        Request(domain="finetuning-wide", as_of=MONTH, goal="long-lived"),
        Request(),
    ]
    expected = [recommend(read_request(replace(q, store=fresh))) for q in questions]
    expected_page = page_of(read_request(Request(store=fresh)), expected[-1])
    expected_coverage = read_coverage(read_request(Request(store=fresh)))
    no_measuring(monkeypatch)
    for request, answer in zip(questions, expected, strict=True):
        assert_same(asdict(recommend(read_request(replace(request, store=kept)))), asdict(answer))
    assert page_of(read_request(Request(store=kept)), expected[-1]) == expected_page
    assert_same(asdict(read_coverage(read_request(Request(store=kept)))), asdict(expected_coverage))


def test_other_rules_and_criteria_are_scored_from_kept_measurements(kept, fresh, tmp_path, monkeypatch):
    rules = tmp_path / "rules.toml"
    text = (data_folder() / "rules" / "library.toml").read_text()
    rules.write_text(text.replace('verdict = "warn"', 'verdict = "exclude"'))
    criterion = load_domain("finetuning").criteria[0]

    def ask(store):
        question = read_request(Request(store=store, rules=rules))
        scales = (criterion.scales[0].model_copy(update={"weight": 9.0}), *criterion.scales[1:])
        changed = criterion.model_copy(update={"scales": scales})
        other = question.domain.model_copy(update={"criteria": (changed, *question.domain.criteria[1:])})
        return replace(question, domain=other)

    expected = read_timeline(ask(fresh), 1).candidates
    assert any(f.verdict == "exclude" for row in expected.values() for f in row[0].findings)
    no_measuring(monkeypatch)
    with pytest.raises(AssertionError, match="measured again"):  # the charts need facts
        read_timeline(ask(fresh), 1)
    assert timeline_cache.read_scores(ask(kept), [MONTH]) is None
    for name, row in read_timeline(ask(kept), 1).candidates.items():
        assert_same([asdict(c) for c in row], [asdict(c) for c in expected[name]])


def test_a_day_or_a_library_that_is_not_kept_is_measured(kept):
    facts = read_request(Request(store=kept)).facts
    assert months.read_days(facts, [date(2026, 5, 31), MONTH]).keys() == {MONTH}
    assert months.read(replace(facts, as_of=date(2026, 6, 29))) is None
    assert timeline_cache.read_scores(read_request(Request(store=kept)), [date(2026, 5, 31)]) is None


def test_changed_facts_definitions_or_bytes_are_not_believed(kept, tmp_path, monkeypatch):
    store = reading.open_store(shutil.copytree(kept, tmp_path / "changed"))
    name = months.day_entry(MONTH)
    assert months.read_entry(store, name) is not None
    with monkeypatch.context() as patch:
        patch.setattr(cache, "METRICS", {"stars": cache.METRICS["stars"]})
        assert months.read_entry(store, name) is None
    entry = next(iter(store.manifest["files"].values()))
    with monkeypatch.context() as patch:
        patch.setitem(entry, "sha256", "0" * 64)
        assert months.read_entry(store, name) is None
    data = bytearray((store.path / months.FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (store.path / months.FILE).write_bytes(data)
    assert months.read_entry(store, name) is None


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda p: p.name)
def test_every_month_of_a_bundled_snapshot_is_kept(snapshot):
    """It fails after a change of metrics, criteria, rules or facts until `scripts/keep_answers.py` ran."""
    store = reading.open_store(snapshot)
    days = ends_of_months(store.first_day, store.as_of, history.MONTHS)[:-1][-answer_cache.WHOLE_MONTHS :]
    facts = read_request(Request(domain=_domain_of(snapshot.name))).facts
    assert months.read_days(facts, days).keys() == set(days)
    assert cache.read_cached_measurements(facts) is not None


@pytest.mark.parametrize("name", DOMAINS)
def test_the_timeline_of_every_domain_is_kept(name):
    question = read_request(Request(domain=name))
    days = ends_of_months(question.store.first_day, question.as_of, history.MONTHS)[:-1]
    past = timeline_cache.read_scores(question, days)
    assert past is not None and past.keys() == set(days)
    assert timeline_cache.read_chart_facts(question.store)["releases"]


def _domain_of(snapshot):
    return next(name for name in DOMAINS if load_domain(name).snapshot == snapshot)


COMMANDS = (
    ["rank"], ["rank", "--as-of", "2024-05-31"], ["explain", "axolotl"], ["coverage"], ["compare", "trl", "unsloth"],
    ["dashboard", "-o", "page.html"],
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_kept_answer_imports_neither_duckdb_nor_pandas(words, tmp_path):
    code = (
        "import json, sys\nfrom advisor.cli import main\nsys.argv = ['advisor', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(json.dumps(sorted({'duckdb', 'pandas', 'pyarrow'} & set(sys.modules))), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(done.stderr) == []
