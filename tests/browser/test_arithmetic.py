"""The page reckons as Python does: weights → scores → order → verdict, on random questions."""

from __future__ import annotations

import random

import pytest
from opened_page import Opened

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend

NEAR = 0.001  # points; the page's utilities are rounded to six digits
CRITERIA = ("contributors", "issues", "backing", "models", "activity", "adoption")


def questions():
    """Random weights (some of them nought), days and choices of candidates; the first is at rest."""
    rng = random.Random(6)
    yield dict.fromkeys(CRITERIA, 1.0), None, ()
    everybody = ("trl", "torchtune", "litgpt", "axolotl", "unsloth")
    for n in range(11):
        weights = {
            c: 0.0 if rng.random() < 0.25 else rng.choice([0.1, 1, 3, 10]) * rng.random() for c in CRITERIA
        }
        weights[rng.choice(CRITERIA)] = 1.0
        yield weights, (None, -7, -20)[n % 3], tuple(rng.sample(everybody, rng.randrange(2, 6)))


@pytest.fixture(scope="module")
def reckon(chromium, page_file):
    opened = Opened(chromium, page_file)
    yield lambda weights, day, names: opened.page.evaluate(
        """([weights, back, names]) => {
            const { engine, data } = advisor;
            const day = data.days.length - 1 + (back ?? 0);
            const everybody = data.candidates.map((c, i) => i);
            const chosen = new Set(names.length ? everybody.filter((i) => names.includes(data.candidates[i].name)) : everybody);
            const found = engine.answer(data, { weights: data.criteria.map((c) => weights[c.name]), day, chosen });
            const name = (r) => data.candidates[r.i].repository;
            return { day: data.days[day], choice: found.choice && name(found.choice), certainty: found.certainty,
                     rows: found.rows.map((r) => ({ ...r, name: name(r) })) };
        }""",
        [weights, day, names],
    )
    opened.context.close()


@pytest.mark.parametrize("question", list(questions()), ids=range(12))
def test_the_page_answers_as_python_does(reckon, question):
    from datetime import date

    weights, back, names = question
    page = reckon(weights, back, names)
    python = recommend(read_request(Request(weights=weights, as_of=date.fromisoformat(page["day"]), repositories=names)))
    assert page["choice"] == python.choice
    assert page["certainty"] == python.certainty
    assert [r["name"] for r in page["rows"]] == [r.candidate.repository for r in python.ranking]
    for mine, theirs in zip(page["rows"], python.ranking, strict=True):
        assert (mine["rank"], mine["excluded"]) == (theirs.rank, theirs.excluded)
        assert mine["score"] == pytest.approx(theirs.score, abs=NEAR)
        assert (mine["low"], mine["high"]) == pytest.approx((theirs.low, theirs.high), abs=NEAR)
        assert mine["coverage"] == pytest.approx(theirs.coverage, abs=1e-6)
        # A draw that is a tie to six digits may fall to the other side.
        assert mine["wins"] == pytest.approx(theirs.wins, abs=0.003)
        if theirs.rank is not None:
            assert sum(mine["chances"]) == pytest.approx(1)
            assert mine["chances"][0] == mine["wins"]
