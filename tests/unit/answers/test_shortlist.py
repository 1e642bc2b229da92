"""rank --all: the scores of the ordinary ranking, for everybody measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

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
    """A bundled snapshot, measured as a store of any size is."""
    path = tmp_path_factory.mktemp("all") / "dataframes"
    shutil.copytree(data_folder() / "snapshots" / "dataframes", path)
    opened = reading.open_store(path)
    measure_store(opened, [opened.as_of])
    return path


def test_it_is_the_ordinary_ranking(store):
    request = Request(domain="dataframes", store=store)
    one_by_one = recommend(read_request(request))
    together = shortlist.recommend_all(read_request(request, whole_store=True))
    ordinary = {r.candidate.repository: r for r in one_by_one.ranking}
    assert len(ordinary) > 5
    for ranked in together.ranking:
        of_it = ordinary[ranked.candidate.repository]
        assert (ranked.score, ranked.low, ranked.high, ranked.coverage) == (
            of_it.score, of_it.low, of_it.high, of_it.coverage,
        )  # fmt: skip
        assert (ranked.criteria, ranked.findings, ranked.measurements) == (
            of_it.criteria, of_it.findings, of_it.measurements,
        )  # fmt: skip
        assert (ranked.rank, ranked.wins) == (of_it.rank, of_it.wins)
    assert {r.candidate.repository for r in together.ranking} == set(ordinary)
    assert together.choice == one_by_one.choice
    assert together.reasons[1:] == one_by_one.reasons


@pytest.mark.parametrize("domain", ["dataframes", "finetuning", "dependencies"])
def test_columns_and_single_values_give_one_score(store, domain):
    asked = read_request(Request(domain=domain, store=store), whole_store=True)
    scored = shortlist.read_scores(asked, measurement_files(asked.store, asked.as_of))
    assert len(scored) == len(asked.store.repositories())
    assert [s for _, s in scored] == sorted((s for _, s in scored), reverse=True)
    files = measurement_files(asked.store, asked.as_of)
    for ranked in shortlist._score_all(asked, files, [name for name, _ in scored]):
        assert dict(scored)[ranked.candidate.repository] == pytest.approx(ranked.score, rel=1e-12)


def test_the_shortlist_ends_where_enough_may_run(store, monkeypatch):
    monkeypatch.setattr(shortlist, "SHORTLIST", 2)
    monkeypatch.setattr(shortlist, "BLOCK", 3)
    answer = shortlist.recommend_all(read_request(Request(domain="dataframes", store=store), whole_store=True))
    assert [r.rank for r in answer.ranking if r.rank] == [1, 2]
    everybody = recommend(read_request(Request(domain="dataframes", store=store))).ranking
    assert [r.candidate for r in answer.ranking if r.rank] == [r.candidate for r in everybody[:2]]
    assert "2 highest scores" in answer.reasons[0]


def test_an_excluded_one_takes_nobodys_place(tmp_path, monkeypatch):
    ended = rows()
    (row,) = ended["repositories", NAMES[0]]
    row |= {"declared_status": "archived", "evidence": "archived by its owner"}
    opened = fill(tmp_path / "s", ended)
    measure_store(opened, [AS_OF])
    monkeypatch.setattr(shortlist, "SHORTLIST", 2)
    monkeypatch.setattr(shortlist, "BLOCK", 1)
    request = Request(domain="dependencies", store=opened.path, as_of=AS_OF)
    answer = shortlist.recommend_all(read_request(request, whole_store=True))
    assert {r.candidate.repository for r in answer.ranking if r.rank} == set(NAMES[1:])
    assert [r.candidate.repository for r in answer.ranking if r.excluded] == [NAMES[0]]


def test_without_measurements_it_says_what_to_run(tmp_path):
    opened = fill(tmp_path / "s", rows())
    with pytest.raises(InputError, match="run `advisor measure"):
        shortlist.recommend_all(read_request(Request(domain="dependencies", store=opened.path), whole_store=True))


def test_the_command(store):
    load(None)
    run = CliRunner().invoke
    found = run(app, ["rank", "--all", "--store", str(store), "--domain", "dependencies", "--format", "json"])
    assert found.exit_code == 0, found.output
    assert len(json.loads(found.output)["ranking"]) > 5
    for more in (
        ["--model", "a/b"],
        ["--from", "x.txt"],
        ["--fail-under", "4"],
        ["--format", "html"],
        ["polars"],
    ):
        refused = run(app, ["rank", *more, "--all", "--store", str(store)])
        assert isinstance(refused.exception, InputError), more


def test_it_imports_neither_pandas_nor_what_collects(store):
    code = (
        "import sys; from advisor.cli import main\n"
        "try: main()\n"
        "finally: sys.exit(any(m in sys.modules for m in ('pandas', 'httpx', 'plotly', 'torch')))"
    )
    command = ["rank", "--all", "--store", str(store), "--domain", "dependencies"]
    done = subprocess.run([sys.executable, "-c", code, *command], stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0
