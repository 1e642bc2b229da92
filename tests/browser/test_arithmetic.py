"""The page computes what Python computes, from weights to the choice, for random questions."""

from __future__ import annotations

import random

import pytest
from browser_page import BrowserPage

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend

TOLERANCE = 0.001  # points; the page's utilities are rounded to six digits
CRITERIA = ("contributors", "issues", "backing", "models", "activity", "adoption", "momentum", "outlook")


def questions():
    """Random weights (some are 0), days and sets of candidates; the first question is the default."""
    rng = random.Random(6)
    yield dict.fromkeys(CRITERIA, 1.0), None, ()
    all_names = ("trl", "torchtune", "litgpt", "axolotl", "unsloth")
    for n in range(11):
        weights = {
            c: 0.0 if rng.random() < 0.25 else rng.choice([0.1, 1, 3, 10]) * rng.random() for c in CRITERIA
        }
        weights[rng.choice(CRITERIA)] = 1.0
        yield weights, (None, -7, -20)[n % 3], tuple(rng.sample(all_names, rng.randrange(2, 6)))


@pytest.fixture(scope="module")
def compute(chromium, page_file):
    report = BrowserPage(chromium).open(page_file)
    yield lambda weights, day, names: report.page.evaluate(
        """([weights, back, names]) => {
            const { engine, data } = advisor;
            const day = data.days.length - 1 + (back ?? 0);
            const indices = data.candidates.map((c, i) => i);
            const selection = new Set(names.length ? indices.filter((i) => names.includes(data.candidates[i].name)) : indices);
            const answer = engine.recommend(data, { weights: data.criteria.map((c) => weights[c.name]), day, selection });
            const name = (r) => data.candidates[r.i].repository;
            return { day: data.days[day], choice: answer.choice && name(answer.choice), certainty: answer.certainty,
                     rows: answer.rows.map((r) => ({ ...r, name: name(r) })) };
        }""",
        [weights, day, names],
    )
    report.context.close()


@pytest.mark.parametrize("question", list(questions()), ids=range(12))
def test_the_page_gives_the_answer_of_python(compute, question):
    from datetime import date

    weights, back, names = question
    page = compute(weights, back, names)
    python = recommend(
        read_request(Request(weights=weights, as_of=date.fromisoformat(page["day"]), repositories=names))
    )
    assert page["choice"] == python.choice
    assert page["certainty"] == python.certainty
    assert [r["name"] for r in page["rows"]] == [r.candidate.repository for r in python.ranking]
    for mine, theirs in zip(page["rows"], python.ranking, strict=True):
        assert (mine["rank"], mine["excluded"]) == (theirs.rank, theirs.excluded)
        assert mine["score"] == pytest.approx(theirs.score, abs=TOLERANCE)
        assert (mine["low"], mine["high"]) == pytest.approx((theirs.low, theirs.high), abs=TOLERANCE)
        assert mine["coverage"] == pytest.approx(theirs.coverage, abs=1e-6)
        # In a draw, scores that are equal to six digits may have either order.
        assert mine["wins"] == pytest.approx(theirs.wins, abs=0.003)
        if theirs.rank is not None:
            assert sum(mine["chances"]) == pytest.approx(1)
            assert mine["chances"][0] == mine["wins"]
