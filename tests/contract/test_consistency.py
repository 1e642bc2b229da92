"""No two statements of a report contradict each other: order, scores, wins, titles, choice, reasons and flips.

The tests read the default reports of all bundled domains on several days and check each definition against
the others.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

import advisor
from advisor.answers.question import Request, read_request
from advisor.decide.acceptability import CLEAR, LEANING
from advisor.decide.utilities import FLOOR, ROUNDING
from advisor.domain.domain import available_domains, load_domain
from advisor.report import ranking
from advisor.report.formats import Format

DOMAINS = [name for name in available_domains() if load_domain(name).candidates]
DAYS_BACK = (0, 400, 1100)
QUESTIONS = [(name, days) for name in DOMAINS for days in DAYS_BACK]


@pytest.fixture(scope="module", params=QUESTIONS, ids=lambda q: f"{q[0]}-{q[1]}")
def answer(request):
    name, days = request.param
    last = read_request(Request(domain=name)).as_of
    return advisor.recommend(name, as_of=last - timedelta(days=days) if days else None)


def contenders(answer):
    return [r for r in answer.ranking if r.rank is not None]


def test_ranks_follow_scores_and_then_wins(answer):
    ranked = contenders(answer)
    assert [r.rank for r in ranked] == list(range(1, len(ranked) + 1))
    order = [(-round(r.score, 9), -r.wins) for r in ranked]
    assert order == sorted(order)
    assert answer.ranking[: len(ranked)] == tuple(ranked), "candidates without a rank come last"


def test_a_score_is_the_weighted_mean_of_its_criteria_and_within_its_range(answer):
    for r in answer.ranking:
        if r.score is not None:
            mean = 100 * sum(answer.weights[c.criterion] * c.utility for c in r.criteria)
            assert r.score == pytest.approx(mean)
            assert r.low - 1e-9 <= r.score <= r.high + 1e-9
        for c in r.criteria:
            assert 0 <= c.low <= c.utility + 1e-12
            assert c.utility - 1e-12 <= c.high <= 1 + 1e-12
            parts = [(m.weight, m.mean, m.low, m.high) for m in c.metrics]
            total = sum(w for w, *_ in parts)
            assert c.utility == pytest.approx(sum(w * e for w, e, _, _ in parts) / total)
            assert all(low - 1e-12 <= e <= high + 1e-12 for _, e, low, high in parts)


def test_a_rank_needs_half_of_the_weight(answer):
    for r in answer.ranking:
        assert r.coverage == pytest.approx(sum(answer.weights[c.criterion] * c.coverage for c in r.criteria))
        assert (r.score is not None) == (r.coverage >= FLOOR - ROUNDING)
        assert (r.rank is not None) == (r.score is not None and not r.excluded)


def test_shares_of_draws_agree(answer):
    ranked = contenders(answer)
    assert sum(r.wins for r in ranked) == pytest.approx(1 if ranked else 0)
    for r in ranked:
        assert (r.wins, sum(r.acceptability)) == (r.acceptability[0], pytest.approx(1))
    for r in ranked[1:]:
        # If the ranges are apart, no draw of values with the goal's own weights turns the order.
        if ranked[0].low > r.high:
            assert answer.pairwise[ranked[0].repository][r.repository] >= CLEAR


def test_the_choice_and_its_certainty_follow_from_the_ranking(answer):
    ranked = contenders(answer)
    if len(ranked) < 2:
        assert answer.certainty == ("only" if ranked else "none")
        assert answer.choice == (ranked[0].repository if ranked else None)
        return
    first = ranked[0]
    expected = "clear" if first.wins >= CLEAR else "leaning" if first.wins >= LEANING else "tie"
    assert answer.certainty == expected
    if answer.choice != first.repository:
        assert (answer.certainty, answer.choice) == ("tie", answer.default)
        assert answer.pairwise[first.repository][answer.choice] < CLEAR


def test_the_report_shows_the_numbers_of_the_answer(answer):
    text = ranking.render(answer, Format.table, full=True)
    ranked = contenders(answer)
    head = re.search(r"^Recommendation: (\S+) \((.*)\)$", text, re.MULTILINE)
    assert (head[1] if head else None) == answer.choice
    is_default = answer.certainty == "tie" and answer.choice == answer.default
    assert ("decided by the default" in text) is is_default
    rows = re.findall(r"^(\S+) +(\d+|out|\?) +(\d+|\?) +(\d+)–(\d+) +(?:(\d+)% +)?(\d+)%", text, re.MULTILINE)
    assert [row[0] for row in rows] == [r.candidate.name for r in answer.ranking]
    scores = [int(row[2]) for row in rows[: len(ranked)]]
    assert scores == sorted(scores, reverse=True)
    for row, r in zip(rows, answer.ranking, strict=True):
        assert row[1] == (str(r.rank) if r.rank else "out" if r.excluded else "?")
        assert row[2] == ("?" if r.score is None else f"{r.score:.0f}")
        assert r.score is None or int(row[3]) <= int(row[2]) <= int(row[4])
        assert (row[5], row[6]) == (f"{100 * r.wins:.0f}" if r.rank else "", f"{100 * r.coverage:.0f}")
        if r.score is None and not r.excluded:
            assert f"    - {r.repository}: not enough data: {row[6]}% of the weight" in text
    if len(ranked) > 1:
        (said,) = re.findall(r"comes first in (\d+)% of the sampled weightings, among (\d+)", text)
        chosen = next(row for row in rows if answer.choice.endswith(f"/{row[0]}"))
        assert said == (chosen[5], str(len(ranked)))
        (bounds,) = re.findall(r"    - possible score: (\d+) to (\d+)$", text, re.MULTILINE)
        assert bounds == (chosen[3], chosen[4])


def test_a_reason_names_a_criterion_only_where_the_bounds_are_apart(answer):
    titles = {c.title.lower(): c.name for c in load_domain(answer.domain).criteria}
    choice = next((r for r in answer.ranking if r.repository == answer.choice), None)
    for reason in answer.reasons:
        if found := re.match("scores higher than every other candidate in (.*)", reason):
            for title in found[1].split(", "):
                others = [r for r in contenders(answer) if r is not choice]
                name = titles[title]
                assert all(choice.criterion(name).low > r.criterion(name).high for r in others)
    for sentence in answer.leaving_default:
        other, found = sentence.split(" instead of ")[0], re.findall(r"(better|worse) in ([^;]*)", sentence)
        theirs = next(r for r in answer.ranking if r.candidate.name == other)
        default = next(r for r in answer.ranking if r.repository == answer.default)
        for word, criteria in found:
            for title in re.findall(r"(?:^|, )(.*?) \([+-]\d+\)", criteria):
                pair = [r.criterion(titles[title]) for r in (theirs, default)]
                first, second = pair if word == "better" else reversed(pair)
                assert first.low > second.high


def test_a_flip_of_a_weight_does_what_it_says(answer):
    for flip in (f for f in answer.flips if f.kind == "weight"):
        rest = 1 - answer.weights[flip.name]
        weights = {n: w * (1 - flip.then) / rest for n, w in answer.weights.items()}
        weights[flip.name] = flip.then
        again = {
            r.repository: sum(weights[c.criterion] * c.utility for c in r.criteria)
            for r in answer.ranking
            if not r.excluded
            and sum(weights[c.criterion] * c.coverage for c in r.criteria) >= FLOOR - ROUNDING
        }
        assert max(again, key=again.get) == flip.first
        assert (flip.first == answer.choice) is (answer.ranking[0].repository != answer.choice)
        assert flip.then == pytest.approx(round(flip.then, 2)), "whole per cents"


def test_no_flip_says_a_number_twice(answer):
    for flip in answer.flips:
        assert not re.search(r"(?<!\S)(\S+) instead of \1(?!\S)", flip.text)
        assert not re.search(r"(?<!\d)(\d+%) of the weight instead of \1\)", flip.text)
        if flip.kind == "weight":
            continue
        mover = next(r for r in answer.ranking if r.repository == flip.repository)
        m = mover.measurement(flip.name)
        has_bounds = m.low is not None and m.high is not None and m.low < m.high
        if flip.kind == "value":
            assert not (has_bounds and m.low < flip.then < m.high), "that is not known well enough"
            assert m.value == flip.now != flip.then
        else:
            assert m.value is None or has_bounds
        assert flip.then >= 0


def test_libraries_of_which_little_is_known_have_no_rank():
    """Their figures end: the last known score was 36, and the mean of what was left would be 97."""
    answer = advisor.recommend("finetuning-wide")
    without = {r.candidate.name for r in answer.ranking if r.score is None}
    assert without >= {"h2o-llmstudio", "LMFlow", "autotrain-advanced"}
    assert answer.ranking[0].coverage > 0.85, "git shows no responses and one organisation is not known"
    before = advisor.recommend(
        "finetuning-wide", as_of=date(2026, 3, 31), repositories=["h2o-llmstudio", "trl"]
    )
    assert 30 < next(r.score for r in before.ranking if r.candidate.name == "h2o-llmstudio") < 45


def test_one_candidate_is_no_comparison():
    answer = advisor.recommend("finetuning-wide", as_of=date(2022, 12, 1))
    assert len(answer.ranking) > 1, "the others have too little data"
    assert (len(contenders(answer)), answer.certainty, answer.flips) == (1, "only", ())
    text = ranking.render(answer, Format.table, full=True)
    assert "clear" not in text.split("candidate ")[0]
    assert "one candidate is no comparison" in text
    alone = advisor.recommend(repositories=["unsloth"])
    assert (alone.certainty, alone.flips) == ("only", ())
