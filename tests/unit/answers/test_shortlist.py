"""rank --all: the scores of the ordinary ranking, for every measured repository."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from small_world import AS_OF, NAMES, fill, rows
from typer.testing import CliRunner

from advisor.answers import shortlist
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.cli import app, load
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.facts import reading
from advisor.measure.cache import measurement_files
from advisor.measure.whole_store import measure_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A bundled snapshot, measured like a store of any size."""
    path = tmp_path_factory.mktemp("all") / "dataframes"
    shutil.copytree(data_folder() / "snapshots" / "dataframes", path)
    opened = reading.open_store(path)
    measure_store(opened, [opened.as_of])
    return path


def test_it_equals_the_ordinary_ranking(store, monkeypatch):
    # Of the measurements that `rank --all` reads, none comes from a public list.
    names = tuple(reading.open_store(store).repositories())
    request = Request(domain="dataframes", store=store)
    monkeypatch.setattr("advisor.answers.list_figures.add_list_figures", lambda _, snapshot: snapshot)
    # It computes no outlooks, and uses the weights without one.
    monkeypatch.setattr("advisor.answers.recommend.add_outlook_metric", lambda measurements, _: measurements)
    monkeypatch.setattr(shortlist, "SHORTLIST", len(names))
    whole_store = read_request(request, whole_store=True)
    question = read_request(replace(request, repositories=names))
    one_by_one = recommend(replace(question, domain=whole_store.domain, weights=whole_store.weights))
    together = shortlist.recommend_all(read_request(request, whole_store=True))
    ordinary = {r.candidate.repository: r for r in one_by_one.ranking}
    assert len(ordinary) > 5
    for entry in together.ranking:
        of_it = ordinary[entry.candidate.repository]
        assert (entry.score, entry.low, entry.high, entry.coverage) == (
            of_it.score, of_it.low, of_it.high, of_it.coverage,
        )  # fmt: skip
        assert (entry.criteria, entry.findings, entry.measurements) == (
            of_it.criteria, of_it.findings, of_it.measurements,
        )  # fmt: skip
        assert (entry.rank, entry.wins) == (of_it.rank, of_it.wins)
    # pandas has only an API, so no score; a rule excludes datatable, and its score is below all others.
    without_rank = {name for name, r in ordinary.items() if r.rank is None}
    assert without_rank == {"pandas-dev/pandas", "h2oai/datatable"}
    assert {r.candidate.repository for r in together.ranking} == set(ordinary) - without_rank
    assert together.choice == one_by_one.choice
    assert together.reasons == one_by_one.reasons, "so few need no shortlist"


@pytest.mark.parametrize("domain", ["dataframes", "finetuning", "dependencies"])
def test_no_score_is_above_its_bound(store, domain):
    whole_store = read_request(Request(domain=domain, store=store), whole_store=True)
    files = measurement_files(whole_store.store, whole_store.as_of)
    bounds = dict(shortlist.read_bounds(whole_store, files))
    assert list(bounds.values()) == sorted(bounds.values(), reverse=True)
    names = whole_store.store.repositories()
    for entry in shortlist._score_all(whole_store, files, names):
        if entry.score is None:
            continue
        bound = bounds[entry.candidate.repository]
        assert bound >= entry.score - 1e-9
        assert bound == pytest.approx(100 * _mean_with_best(entry, whole_store.weights), rel=1e-9)


def _mean_with_best(entry, weights):
    """The score if each missing metric were the best."""
    return sum(
        weights[c.criterion]
        * sum(m.weight * (1 if m.utility is None else m.mean) for m in c.metrics)
        / sum(m.weight for m in c.metrics)
        for c in entry.criteria
    )


def test_the_shortlist_ends_with_enough_candidates(store, monkeypatch):
    monkeypatch.setattr(shortlist, "SHORTLIST", 2)
    monkeypatch.setattr(shortlist, "BLOCK", 3)
    answer = shortlist.recommend_all(
        read_request(Request(domain="dataframes", store=store), whole_store=True)
    )
    assert [r.rank for r in answer.ranking if r.rank] == [1, 2]
    monkeypatch.setattr("advisor.answers.list_figures.add_list_figures", lambda _, snapshot: snapshot)
    all_candidates = recommend(read_request(Request(domain="dataframes", store=store))).ranking
    assert [r.candidate for r in answer.ranking if r.rank] == [r.candidate for r in all_candidates[:2]]
    assert "2 highest scores" in answer.reasons[0]


def test_an_excluded_candidate_takes_no_place_on_the_shortlist(tmp_path, monkeypatch):
    facts = rows()
    row = next(r for r in facts["repositories", NAMES[0]] if r["declared_status"])
    row |= {"declared_status": "archived", "evidence": "archived by its owner"}
    opened = fill(tmp_path / "s", facts)
    measure_store(opened, [AS_OF])
    monkeypatch.setattr(shortlist, "SHORTLIST", 2)
    monkeypatch.setattr(shortlist, "BLOCK", 1)
    request = Request(domain="dependencies", store=opened.path, as_of=AS_OF)
    answer = shortlist.recommend_all(read_request(request, whole_store=True))
    assert {r.candidate.repository for r in answer.ranking if r.rank} == set(NAMES[1:])
    assert [r.candidate.repository for r in answer.ranking if r.excluded] == [NAMES[0]]


def test_the_error_without_measurements_says_what_to_run(tmp_path):
    opened = fill(tmp_path / "s", rows())
    with pytest.raises(InputError, match="run `advisor measure"):
        shortlist.recommend_all(
            read_request(Request(domain="dependencies", store=opened.path), whole_store=True)
        )


def test_the_command(store):
    load(None)
    run = CliRunner().invoke
    answer = run(
        app, ["rank", "--all", "--store", str(store), "--domain", "dependencies", "--format", "json"]
    )
    assert answer.exit_code == 0, answer.output
    assert len(json.loads(answer.output)["ranking"]) > 5
    for more in (
        ["--model", "a/b"],
        ["--from", "x.txt"],
        ["--fail-under", "4"],
        ["--format", "html"],
        ["polars"],
    ):
        failure = run(app, ["rank", *more, "--all", "--store", str(store)])
        assert isinstance(failure.exception, InputError), more


def test_without_a_domain_the_store_chooses_it(store, tmp_path):
    """The first domain that has all repositories of the store, else that of any libraries."""
    load(None)
    run = CliRunner().invoke
    answer = run(app, ["rank", "--all", "--store", str(store)])
    assert answer.output.startswith("dataframes: goal balanced"), answer.output
    assert "snapshot dataframes" in answer.output and f"measurements of {store} as of" in answer.output
    opened = fill(tmp_path / "others", rows())
    measure_store(opened, [opened.as_of])
    answer = run(app, ["rank", "--all", "--store", str(opened.path)])
    assert answer.output.startswith("libraries: goal balanced"), answer.output
    assert "snapshot others" in answer.output


def test_what_has_too_little_data_is_counted(tmp_path):
    """A git history alone has less than half of the weight of the libraries for fine-tuning."""
    facts = {key: content for key, content in rows().items() if key[0] == "contributions"}
    opened = fill(tmp_path / "s", facts)
    measure_store(opened, [AS_OF])
    request = Request(domain="finetuning", store=opened.path, as_of=AS_OF)
    answer = shortlist.recommend_all(read_request(request, whole_store=True))
    assert answer.choice is None and answer.ranking == ()
    (note,) = answer.sources
    assert note.endswith("; 3 of 3 have less than half of the weight measured, and no score")


def test_it_imports_neither_pandas_nor_collectors(store):
    code = (
        "import sys; from advisor.cli import main\n"
        "try: main()\n"
        "finally: sys.exit(any(m in sys.modules for m in ('pandas', 'httpx', 'plotly', 'torch')))"
    )
    command = ["rank", "--all", "--store", str(store), "--domain", "dependencies"]
    process = subprocess.run([sys.executable, "-c", code, *command], stdout=subprocess.DEVNULL, check=False)
    assert process.returncode == 0
