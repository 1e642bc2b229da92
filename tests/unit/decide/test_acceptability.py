"""How sure the order is: draws that can be checked, shares that add up, less evidence that says less."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from small_world import AS_OF, NAMES, fill, rows

import advisor
from advisor.answers import question, recommend
from advisor.decide import acceptability, flips
from advisor.decide import utilities as scoring
from advisor.domain.domain import Scale, load_domain
from advisor.measure.one_day import measure_repositories
from advisor.metrics import METRICS
from advisor.model import CriterionScore, MetricScore


def exactly(**utilities):
    return tuple(CriterionScore(c, u, u, u, 1.0, ()) for c, u in utilities.items())


def between(**bounds):
    return tuple(CriterionScore(c, (a + b) / 2, a, b, 1.0, ()) for c, (a, b) in bounds.items())


def test_the_numbers_are_uniform_and_of_their_seed_alone():
    found = acceptability.uniforms(7, 20_000, 3)
    assert found.min() > 0
    assert found.max() < 1
    for column in found.T:
        # Kolmogorov and Smirnov: 1.63 over the root of n is passed by 99 in 100 samples.
        steps = np.arange(1, 20_001) / 20_000
        assert abs(np.sort(column) - steps).max() < 1.63 / 20_000**0.5
    assert abs(np.corrcoef(found.T) - np.eye(3)).max() < 0.03
    assert (acceptability.uniforms(7, 20_000, 3) == found).all()
    assert abs(np.corrcoef(found[:, 0], acceptability.uniforms(8, 20_000, 3)[:, 0])[0, 1]) < 0.03


def test_the_normal_is_normal():
    u = np.linspace(0.0005, 0.9995, 997)
    assert acceptability._normal(u) == pytest.approx([NormalDist().inv_cdf(x) for x in u], abs=1e-6)


def test_weights_lie_around_the_goals():
    drawn = acceptability.draw_weights([0.5, 0.3, 0.2, 0.0], 20_000)
    shares = (drawn / drawn.sum(axis=1, keepdims=True)).mean(axis=0)
    assert shares == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.01)
    assert drawn.mean(axis=0)[:3] / acceptability.CONCENTRATION == pytest.approx([0.5, 0.3, 0.2], rel=0.02)
    # A gamma of this mean has this variance.
    assert drawn.var(axis=0)[:3] / acceptability.CONCENTRATION == pytest.approx([0.5, 0.3, 0.2], rel=0.05)


def test_a_triangle_has_its_mean():
    drawn = acceptability.draw_utilities([CriterionScore("a", 0.2, 0.1, 0.9, 1.0, ())], 3, 20_000)
    assert (drawn.min(), drawn.max()) == pytest.approx((0.1, 0.9), abs=0.02)
    assert drawn.mean() == pytest.approx((0.1 + 0.2 + 0.9) / 3, abs=0.01)


@pytest.mark.parametrize(("low", "peak", "high"), [(0.1, 0.2, 0.9), (0.2, 0.7, 0.8)])
def test_a_triangle_on_either_side_of_its_peak(low, peak, high):
    """The share below the peak, and on each side a mean two thirds of the way to it."""
    drawn = acceptability.draw_utilities([CriterionScore("a", peak, low, high, 1.0, ())], 3, 50_000)
    below = drawn <= peak
    assert below.mean() == pytest.approx((peak - low) / (high - low), abs=0.01)
    assert drawn[below].mean() == pytest.approx(low + 2 / 3 * (peak - low), abs=0.01)
    assert drawn[~below].mean() == pytest.approx(high - 2 / 3 * (high - peak), abs=0.01)


def test_nothing_known_is_drawn_around_the_middle():
    drawn = acceptability.draw_utilities([CriterionScore("a", None, 0.2, 1.0, 0.0, ())], 3, 50_000)
    assert drawn.mean() == pytest.approx(0.6, abs=0.01)
    assert np.median(drawn) == pytest.approx(0.6, abs=0.01)


def test_a_small_weight_is_not_lost():
    least = 0.5 / acceptability.CONCENTRATION
    drawn = acceptability.draw_weights([1 - least, least], 50_000)[:, 1]
    assert drawn.mean() == pytest.approx(0.5, rel=0.1)


def test_two_that_are_each_other_turned_round():
    found = acceptability.accept({"x": exactly(a=1, b=0), "y": exactly(a=0, b=1)}, {"a": 1, "b": 1})
    assert found.ranks["x"] == pytest.approx((0.5, 0.5), abs=0.02)
    assert found.pairwise["x"]["y"] == pytest.approx(found.ranks["x"][0])
    # Whoever wins does so where its own criterion weighs more; that is its central weight.
    assert found.central_weights["x"]["a"] == pytest.approx(found.central_weights["y"]["b"], abs=0.01)
    assert found.central_weights["x"]["a"] > 0.55


def test_level_candidates_share_ranks():
    found = acceptability.accept(dict.fromkeys("xyz", exactly(a=0.4)), {"a": 1}, draws=10)
    assert found.ranks["y"] == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert found.pairwise["x"]["z"] == 0.5


def test_one_that_never_wins_has_no_central_weights():
    found = acceptability.accept({"x": exactly(a=1), "y": exactly(a=0)}, {"a": 2})
    assert (found.ranks["y"], found.central_weights["y"]) == ((0.0, 1.0), {})
    assert acceptability.accept({}, {"a": 1}).ranks == {}


def test_shares_add_up_and_do_not_hang_on_the_others():
    answer = advisor.recommend("finetuning-wide")
    ranked = [r for r in answer.ranking if r.rank is not None]
    whole = np.array([r.acceptability for r in ranked])
    assert whole.shape == (len(ranked), len(ranked))
    assert whole.sum(axis=0) == pytest.approx(np.ones(len(ranked)))
    assert whole.sum(axis=1) == pytest.approx(np.ones(len(ranked)))
    for r in ranked:
        assert r.wins == r.acceptability[0]
        assert not r.central_weights or sum(r.central_weights.values()) == pytest.approx(1)
        for other, share in answer.pairwise[r.candidate.repository].items():
            assert share + answer.pairwise[other][r.candidate.repository] == pytest.approx(1)
    five = advisor.recommend()
    for one, others in five.pairwise.items():
        for other, share in others.items():
            assert answer.pairwise[one][other] == share


@pytest.mark.parametrize(
    ("share", "says"), [(0.8, "clear"), (0.79, "leaning"), (0.6, "leaning"), (0.59, "tie")]
)
def test_the_rule_of_the_verdict(share, says):
    assert acceptability.verdict(share) == says


@pytest.mark.parametrize(
    ("wins", "choice", "certainty"),
    [
        ((0.37, 0.63), 1, "tie"),
        ((0.63, 0.37), 0, "leaning"),
        ((0.5, 0.5), 1, "tie"),
        ((0.8, 0.2), 0, "clear"),
    ],
)
def test_sure_is_the_first_by_score_or_nobody(wins, choice, certainty):
    """One of which little is known can lead by points and lose most draws; the default stays then."""
    asked = question.read_request(question.Request())
    first, second = [r for r in advisor.recommend().ranking if r.rank][:2]
    pair = [replace(r, wins=share) for r, share in zip((second, first), wins, strict=True)]
    assert first.candidate.repository == asked.domain.default
    nothing = acceptability.Acceptability({}, {}, {})
    found = recommend._choose(asked, pair, {}, nothing)
    assert (found.choice, found.certainty) == (pair[choice].candidate.repository, certainty)
    assert any("but it wins only" in reason for reason in found.reasons) == (choice == 1)


def test_a_wider_interval_is_a_less_sure_order():
    weights = {"a": 1, "b": 1}
    sure = acceptability.accept(
        {"x": between(a=(0.5, 0.6), b=(0.5, 0.6)), "y": exactly(a=0.5, b=0.5)}, weights
    )
    unsure = acceptability.accept(
        {"x": between(a=(0.1, 1.0), b=(0.1, 1.0)), "y": exactly(a=0.5, b=0.5)}, weights
    )
    assert sure.ranks["x"][0] == 1.0
    assert 0.5 < unsure.ranks["x"][0] < 0.8


def test_halving_the_evidence_widens_every_interval(tmp_path):
    """The same shares and spans from twice as many rows: the point stays, the interval closes."""
    half, twice = rows(), {}
    for (table, name), given in half.items():
        more = [dict(row) for row in given]
        if table == "contributions":
            more = [{**row, "commits": 2 * row["commits"]} for row in given]
        elif table == "counts":
            more = [{**row, "value": 2 * row["value"]} for row in given]
        elif table == "threads":
            more += [{**row, "number": row["number"] + 5000} for row in given]
        elif table == "model_support":
            more += [{**row, "family": row["family"] + " again"} for row in given]
        twice[table, name] = more
    few, many = (
        measure_repositories(fill(tmp_path / name, content), NAMES, AS_OF)[0]
        for name, content in (("half", half), ("twice", twice))
    )
    widened = set()
    criteria = load_domain("finetuning").criteria
    weights = {c.name: 1.0 for c in criteria}
    for name in NAMES:
        for metric, known in many[name].items():
            less = few[name][metric]
            if known.low is None or known.high is None or known.high - known.low < 1e-9:
                continue
            if not known.n or not less.n or less.n >= known.n or METRICS[metric].unit == "commits":
                continue  # a total is no estimate: half of the commits are half of the total
            assert less.value == pytest.approx(known.value), metric
            assert less.low <= known.low + 1e-12, metric
            assert less.high >= known.high - 1e-12, metric
            if less.high - less.low > known.high - known.low:
                widened.add(metric)
        _, low, high, _ = scoring.total([scoring.score_criterion(c, few[name]) for c in criteria], weights)
        _, low_2, high_2, _ = scoring.total(
            [scoring.score_criterion(c, many[name]) for c in criteria], weights
        )
        assert high - low > high_2 - low_2
    assert widened >= {
        "issues_closed_share", "change_request_acceptance_ratio", "change_requests_duration", "trend",
        "days_to_support", "top_contributor_share",
    }  # fmt: skip


def test_a_weight_flip_flips():
    answer = advisor.recommend()
    found = [f for f in answer.flips if f.kind == "weight"]
    assert found
    for flip in found:
        rest = 1 - answer.weights[flip.name]
        changed = {n: w * (1 - flip.then) / rest for n, w in answer.weights.items()} | {flip.name: flip.then}
        assert advisor.recommend(weights=changed).ranking[0].candidate.repository == flip.first
        step = 0.001 if flip.then < flip.now else -0.001
        before = {n: w * (1 - flip.then - step) / rest for n, w in answer.weights.items()}
        before[flip.name] = flip.then + step
        assert advisor.recommend(weights=before).ranking[0].candidate == answer.ranking[0].candidate


def test_a_value_flip_flips():
    answer = advisor.recommend()
    domain = load_domain("finetuning")
    running = {r.candidate.repository: r for r in answer.ranking if r.rank is not None}
    found = [f for f in answer.flips if f.kind == "value"]
    assert found
    for flip in found:
        changed = {}
        for name, ranked in running.items():
            measured = {m.metric: m for m in ranked.measurements}
            if name == flip.repository:
                assert measured[flip.name].value == flip.now
                measured[flip.name] = replace(measured[flip.name], value=flip.then, low=None, high=None)
            criteria = [scoring.score_criterion(c, measured) for c in domain.criteria]
            changed[name] = scoring.total(criteria, answer.weights)[0]
        assert max(changed, key=changed.get) == flip.first


@pytest.mark.parametrize("curve", ["linear", "log"])
@pytest.mark.parametrize(("worst", "best"), [(1, 100), (180, 3)])
def test_the_value_of_a_utility_is_its_inverse(curve, worst, best):
    scale = Scale(metric="m", weight=1, worst=worst, best=best, curve=curve, source="s")
    for u in (0.0, 0.3, 1.0):
        assert scoring.utility(scale, flips.value_at(scale, u)) == pytest.approx(u)


def test_nobody_to_flip_to():
    alone = advisor.recommend(repositories=["trl"])
    assert alone.flips == ()
    assert alone.ranking[0].acceptability == (1.0,)
    assert MetricScore("m", 1, None, 0, 1).utility is None
