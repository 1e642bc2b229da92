"""Public contests: the bundled ones, and one of generated repositories whose outcome is known."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.answers.any_question import read_any_request
from advisor.answers.backtest.contests import ADVISOR, judge_contests
from advisor.answers.backtest.outcomes import ContestOutcome, order
from advisor.answers.question import Request
from advisor.answers.recommend import recommend
from advisor.cli import app, load
from advisor.collect.git import collect_history
from advisor.domain.contests import contests_folder, load_contests
from advisor.errors import InputError
from advisor.facts.reading import open_store
from advisor.population.reading import read_libraries

load("backtest")
DAY = date(2022, 1, 1)
CONTEST = f"""
[[contest]]
name = "generated"
question = "Which one?"
day = {DAY}
why = "Three libraries, one of them about to end."
text = "https://example.org/three"
candidates = ["own/steady", "own/fading", "own/ended"]
"""


def make_history(folder, days, people):
    """Create a repository with one commit a day, by these people in turn."""
    lines = []
    for number, day in enumerate(days):
        person = f"P{number % people} <p{number % people}@example.org> {(day - date(1970, 1, 1)).days * 86400} +0000"
        lines += [
            f"commit refs/heads/main\ncommitter {person}\ndata 1\nx",
            f"M 644 inline f\ndata {len(str(number))}\n{number}\n",
        ]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    text = "\n".join(lines).encode()
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], input=text, check=True)
    subprocess.run(["git", "-C", folder, "reset", "--quiet", "--hard", "main"], check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three histories: one works on, one falls to under a fifth, one stops at the question."""
    path = tmp_path_factory.mktemp("contests")
    (path / "contests.toml").write_text(CONTEST)
    weeks = [DAY - timedelta(days=7 * back) for back in range(120, 0, -1)]
    later_weeks = [DAY + timedelta(days=7 * n) for n in range(106)]
    histories = {
        "steady": (weeks + later_weeks, 6),
        "fading": ([*weeks, *later_weeks[:20], date(2023, 6, 1), date(2023, 9, 1)], 5),
        "ended": (weeks, 4),
    }
    for name, (days, people) in histories.items():
        make_history(path / name, days, people)
        collect_history(
            str(path / name), path / "facts", path / "cache", retrieved_on=date(2024, 2, 1),
            repository=f"own/{name}",
        )  # fmt: skip
    return path


def test_outcomes_of_generated_repositories_are_counted_by_hand(folder):
    (result,) = judge_contests(folder).results
    outcomes = {e.outcome.repository: e.outcome for e in result.entries}
    steady, fading, ended = (outcomes[f"own/{name}"] for name in ("steady", "fading", "ended"))
    assert result.outcome_day == date(2024, 1, 1)
    assert [steady.commits_before, fading.commits_before, ended.commits_before] == [53, 53, 52]
    assert [steady.commits, fading.commits, ended.commits] == [52, 2, 0]
    assert (fading.is_collapsed, fading.is_abandoned) == (True, False)
    assert ended.is_abandoned and not steady.has_failed
    assert result.winner.outcome is steady and steady.position == 1
    # Without figures of lists less than half of the weight is known: no score and no pick.
    assert result.pick(ADVISOR) is None and result.certainty == "none"
    assert result.pick("best outlook") is not None and result.pick("most stars") is None


def test_the_advice_does_not_see_what_came_later(folder, tmp_path):
    """The same facts without anything after the question give the same advice."""
    (tmp_path / "contests.toml").write_text(CONTEST)
    for name in ("steady", "fading", "ended"):
        make_history(tmp_path / name, [DAY - timedelta(days=7 * n) for n in range(120, 0, -1)],
                     {"steady": 6, "fading": 5, "ended": 4}[name])  # fmt: skip
        collect_history(
            str(tmp_path / name), tmp_path / "facts", tmp_path / "cache", retrieved_on=date(2024, 2, 1),
            repository=f"own/{name}",
        )  # fmt: skip
    runner = CliRunner().invoke(app, ["backtest", "--contests-from", str(tmp_path)])
    assert "before its outcome (2024-01-01)" in str(runner.exception)

    def describe(store):
        names = ("own/steady", "own/fading", "own/ended")
        day = DAY - timedelta(days=7)
        request = Request(domain="libraries", repositories=names, as_of=day, store=store, is_backtest=True)
        answer = recommend(read_any_request(request))
        return {r.repository: (r.low, r.high, r.outlook) for r in answer.ranking}

    assert describe(tmp_path / "facts") == describe(folder / "facts")


def outcome(name, **figures):
    return ContestOutcome(name, "history", **{"commits_before": 100, "commits": 50, "releases": 5, **figures})


def test_the_rule_for_the_winner():
    """Places by hand: a leads b in releases and stars, b leads a in commits and the ratio; c has failed."""
    ordered = order(
        [
            outcome("o/a", releases=9, star_gain=70),
            outcome("o/b", commits=80, star_gain=60),
            outcome("o/c", commits=500, releases=90, star_gain=900, is_abandoned=True),
        ]
    )
    assert [o.repository for o in ordered] == ["o/b", "o/a", "o/c"]
    assert [o.mean_place for o in ordered] == [(0.5 + 0.5 + 1 + 1) / 4, (1 + 1 + 0.5 + 0.5) / 4, 0]


def test_bundled_contests_have_what_their_outcome_needs():
    folder = contests_folder()
    contests = load_contests(folder)
    assert len(contests) >= 12
    histories = {name.lower() for name in open_store(folder / "facts").repositories()}
    for contest in contests:
        end = contest.day.replace(year=contest.day.year + 2)
        lists = read_libraries(contest.candidates, folder / "lists" / f"{end}.parquet")
        names = {name.lower() for name in contest.candidates}
        assert names <= histories | set(lists), contest.name
        assert contest.text.startswith("https://") and len(contest.candidates) >= 5


def test_page_has_what_the_command_writes():
    page = (Path(__file__).resolve().parents[4] / "docs" / "explanation" / "contests.md").read_text()
    runner = CliRunner().invoke(app, ["backtest", "--contests", "--format", "markdown"])
    assert runner.exit_code == 0, runner.output
    assert page.endswith(runner.stdout), "run scripts/contests_page.py"


def test_bundled_contest_through_the_command(tmp_path):
    """One bundled contest: allennlp was archived in December 2022, and TextBlob went on."""
    text = (contests_folder() / "contests.toml").read_text()
    start = text.index('[[contest]]\nname = "nlp"')
    (tmp_path / "contests.toml").write_text(text[start : text.index("[[contest]]", start + 1)])
    for name in ("facts", "lists"):
        (tmp_path / name).symlink_to(contests_folder() / name)
    arguments = ["backtest", "--contests-from", str(tmp_path), "--format"]
    runner = CliRunner().invoke(app, [*arguments, "csv"])
    assert runner.exit_code == 0, runner.output
    rows = {row["candidate"]: row for row in csv.DictReader(io.StringIO(runner.stdout))}
    assert rows["allenai/allennlp"]["abandoned"] == "True"
    assert rows["sloria/TextBlob"]["abandoned"] == "False"
    assert rows["huggingface/transformers"]["source"] == "lists"
    assert rows["explosion/spaCy"]["source"] == "history"
    assert sum("advisor" in row["picked_by"].split("; ") for row in rows.values()) == 1
    record = json.loads(CliRunner().invoke(app, [*arguments, "json"]).stdout)
    assert [s["chooser"] for s in record["summaries"]][-1] == "random"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a panel (--panel FILE), or judge the public contests (--contests)"),
        (["--panel", "p.parquet", "--format", "csv"], "--format csv needs --contests"),
        (["--panel", "p.parquet", "--contests"], "--contests needs no panel"),
    ],
)
def test_wrong_options(arguments, message):
    runner = CliRunner().invoke(app, ["backtest", *arguments])
    assert isinstance(runner.exception, InputError)
    assert message in str(runner.exception)
