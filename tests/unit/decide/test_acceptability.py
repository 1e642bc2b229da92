"""Certainty of the order: distributions of the draws, shares that add up, wider intervals with less evidence."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import date
from statistics import NormalDist

import numpy as np
import pytest
from measuring import measure_repositories
from small_world import AS_OF, NAMES, fill, rows

import advisor
from advisor.answers import question, recommend
from advisor.decide import acceptability, flips
from advisor.decide import utilities as scoring
from advisor.domain.domain import Scale, load_domain
from advisor.metrics import METRICS
from advisor.model import CriterionScore


def exactly(**utilities):
    return tuple(CriterionScore(c, u, u, u, 1.0, ()) for c, u in utilities.items())


def between(**bounds):
    return tuple(CriterionScore(c, (a + b) / 2, a, b, 1.0, ()) for c, (a, b) in bounds.items())


def test_the_numbers_are_uniform_and_depend_only_on_the_seed():
    result = acceptability.uniforms(7, 20_000, 3)
    assert result.min() > 0
    assert result.max() < 1
    for column in result.T:
        # Kolmogorov-Smirnov: 99 of 100 samples stay below 1.63 over the root of n.
        steps = np.arange(1, 20_001) / 20_000
        assert abs(np.sort(column) - steps).max() < 1.63 / 20_000**0.5
    assert abs(np.corrcoef(result.T) - np.eye(3)).max() < 0.03
    assert (acceptability.uniforms(7, 20_000, 3) == result).all()
    assert abs(np.corrcoef(result[:, 0], acceptability.uniforms(8, 20_000, 3)[:, 0])[0, 1]) < 0.03


def test_the_draws_of_sixty_candidates_need_little_memory(monkeypatch):
    """All pairs in all draws at once took 80 MB; blocks of draws give the same numbers."""
    scores = {
        f"org/n{i}": between(a=(i % 7 / 10, 0.9), b=(0.2, 0.3 + i % 5 / 10))
        if i > 3
        else exactly(a=0.5, b=0.5)
        for i in range(60)
    }
    weights = {"a": 0.4, "b": 0.6}
    tracemalloc.start()
    try:
        in_blocks = acceptability.sample_ranks(scores, weights)
        most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most_bytes < 40e6
    monkeypatch.setattr(acceptability, "_BLOCK", acceptability.DRAWS)
    assert acceptability.sample_ranks(scores, weights) == in_blocks
    monkeypatch.setattr(acceptability, "_BLOCK", 333)
    assert acceptability.sample_ranks(scores, weights) == in_blocks


def test_the_normal_is_normal():
    u = np.linspace(0.0005, 0.9995, 997)
    assert acceptability._normal(u) == pytest.approx([NormalDist().inv_cdf(x) for x in u], abs=1e-6)


def test_weights_are_around_the_goals():
    samples = acceptability.draw_weights([0.5, 0.3, 0.2, 0.0], 20_000)
    shares = (samples / samples.sum(axis=1, keepdims=True)).mean(axis=0)
    assert shares == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.01)
    assert samples.mean(axis=0)[:3] / acceptability.CONCENTRATION == pytest.approx([0.5, 0.3, 0.2], rel=0.02)
    # A gamma distribution with this mean has this variance.
    assert samples.var(axis=0)[:3] / acceptability.CONCENTRATION == pytest.approx([0.5, 0.3, 0.2], rel=0.05)


@pytest.mark.parametrize("mean", [0.1, 0.15, 0.36, 0.37, 0.5, 0.63, 0.64, 0.85, 0.9])
def test_the_draws_have_the_expected_utility_as_mean(mean):
    samples = acceptability.draw_utilities([CriterionScore("a", mean, 0.1, 0.9, 1.0, ())], 3, 50_000)
    assert samples.mean() == pytest.approx(mean, abs=0.004)
    assert samples.min() >= 0.1
    assert samples.max() <= 0.9
    if 0.3 < mean < 0.7:
        assert (samples.min(), samples.max()) == pytest.approx((0.1, 0.9), abs=0.02)


def test_the_two_kinds_of_distribution_meet():
    u = acceptability.uniforms(5, 1000, 1)[:, 0]
    for third in (1 / 3, 2 / 3):
        below, above = (acceptability._spread(u, 0.0, third + step, 1.0) for step in (-1e-9, 1e-9))
        assert below == pytest.approx(above, abs=1e-6)


@pytest.mark.parametrize(("low", "peak", "high"), [(0.1, 0.2, 0.9), (0.2, 0.7, 0.8)])
def test_a_triangle_on_either_side_of_its_peak(low, peak, high):
    """The share below the peak, and on each side a mean two thirds of the way to the peak."""
    mean = (low + peak + high) / 3
    samples = acceptability.draw_utilities([CriterionScore("a", mean, low, high, 1.0, ())], 3, 50_000)
    below = samples <= peak
    assert below.mean() == pytest.approx((peak - low) / (high - low), abs=0.01)
    assert samples[below].mean() == pytest.approx(low + 2 / 3 * (peak - low), abs=0.01)
    assert samples[~below].mean() == pytest.approx(high - 2 / 3 * (high - peak), abs=0.01)


def test_a_small_weight_is_not_lost():
    least = 0.5 / acceptability.CONCENTRATION
    samples = acceptability.draw_weights([1 - least, least], 50_000)[:, 1]
    assert samples.mean() == pytest.approx(0.5, rel=0.1)


def test_two_candidates_with_opposite_utilities():
    result = acceptability.sample_ranks({"x": exactly(a=1, b=0), "y": exactly(a=0, b=1)}, {"a": 1, "b": 1})
    assert result.ranks["x"] == pytest.approx((0.5, 0.5), abs=0.02)
    assert result.pairwise["x"]["y"] == pytest.approx(result.ranks["x"][0])
    # A candidate wins if its own criterion has more weight; that is its central weight.
    assert result.central_weights["x"]["a"] == pytest.approx(result.central_weights["y"]["b"], abs=0.01)
    assert result.central_weights["x"]["a"] > 0.55


def test_level_candidates_share_ranks():
    result = acceptability.sample_ranks(dict.fromkeys("xyz", exactly(a=0.4)), {"a": 1}, draws=10)
    assert result.ranks["y"] == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert result.pairwise["x"]["z"] == 0.5


def test_a_candidate_that_never_wins_has_no_central_weights():
    result = acceptability.sample_ranks({"x": exactly(a=1), "y": exactly(a=0)}, {"a": 2})
    assert (result.ranks["y"], result.central_weights["y"]) == ((0.0, 1.0), {})
    assert acceptability.sample_ranks({}, {"a": 1}).ranks == {}


def test_shares_add_up_and_do_not_depend_on_other_candidates():
    answer = advisor.recommend("finetuning-wide")
    contenders = [r for r in answer.ranking if r.rank is not None]
    whole = np.array([r.acceptability for r in contenders])
    assert whole.shape == (len(contenders), len(contenders))
    assert whole.sum(axis=0) == pytest.approx(np.ones(len(contenders)))
    assert whole.sum(axis=1) == pytest.approx(np.ones(len(contenders)))
    for r in contenders:
        assert r.wins == r.acceptability[0]
        assert not r.central_weights or sum(r.central_weights.values()) == pytest.approx(1)
        for other, share in answer.pairwise[r.candidate.repository].items():
            assert share + answer.pairwise[other][r.candidate.repository] == pytest.approx(1)
    five = advisor.recommend()
    for one, others in five.pairwise.items():
        for other, share in others.items():
            assert answer.pairwise[one][other] == share


@pytest.mark.parametrize(
    ("share", "certainty"), [(0.8, "clear"), (0.79, "leaning"), (0.6, "leaning"), (0.59, "tie")]
)
def test_certainty_by_share(share, certainty):
    assert acceptability.certainty(share) == certainty


@pytest.mark.parametrize(
    ("wins", "choice", "certainty"),
    [
        ((0.37, 0.63), 1, "tie"),
        ((0.63, 0.37), 0, "leaning"),
        ((0.5, 0.5), 1, "tie"),
        ((0.8, 0.2), 0, "clear"),
    ],
)
def test_only_the_first_by_score_can_be_certain(wins, choice, certainty):
    """A candidate with few data can have the highest score and lose most draws; then the default is chosen."""
    day = date(2025, 3, 1)
    question_of_day = question.read_request(question.Request(as_of=day))
    first, second = [r for r in advisor.recommend(as_of=day).ranking if r.rank][:2]
    pair = [replace(r, wins=share) for r, share in zip((second, first), wins, strict=True)]
    assert first.candidate.repository == question_of_day.domain.default
    level = {pair[0].repository: {pair[1].repository: 0.5}}
    shares = acceptability.Acceptability({}, level, {})
    result = recommend._choose(question_of_day, pair, {}, shares)
    assert (result.choice, result.certainty) == (pair[choice].candidate.repository, certainty)
    assert any("this is a tie" in reason for reason in result.reasons) == (choice == 1)


def test_a_wider_interval_makes_the_order_less_certain():
    weights = {"a": 1, "b": 1}
    sure = acceptability.sample_ranks(
        {"x": between(a=(0.5, 0.6), b=(0.5, 0.6)), "y": exactly(a=0.5, b=0.5)}, weights
    )
    unsure = acceptability.sample_ranks(
        {"x": between(a=(0.1, 1.0), b=(0.1, 1.0)), "y": exactly(a=0.5, b=0.5)}, weights
    )
    assert sure.ranks["x"][0] == 1.0
    assert 0.5 < unsure.ranks["x"][0] < 0.8


def test_halving_the_evidence_widens_every_interval(tmp_path):
    """With twice as many rows and the same shares and spans, values are equal and intervals narrower."""
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
    wider_metrics = set()
    criteria = load_domain("finetuning").criteria
    weights = {c.name: 1.0 for c in criteria}
    for name in NAMES:
        for metric, fuller in many[name].items():
            less = few[name][metric]
            if fuller.low is None or fuller.high is None or fuller.high - fuller.low < 1e-9:
                continue
            if not fuller.n or not less.n or less.n >= fuller.n or METRICS[metric].unit == "commits":
                continue  # a total is not an estimate: half of the commits are half of the total
            if metric == "maintainers":
                continue  # a total too: each merge without a known person may be that of one more person
            assert less.value == pytest.approx(fuller.value), metric
            assert less.low <= fuller.low + 1e-12, metric
            assert less.high >= fuller.high - 1e-12, metric
            if less.high - less.low > fuller.high - fuller.low:
                wider_metrics.add(metric)
        _, low, high, _ = scoring.total_score(scoring.score_criteria(criteria, few[name]), weights)
        _, low_2, high_2, _ = scoring.total_score(scoring.score_criteria(criteria, many[name]), weights)
        assert high - low > high_2 - low_2
    assert wider_metrics >= {
        "issues_closed_share", "change_request_acceptance_ratio", "change_requests_duration", "trend",
        "days_to_support", "top_contributor_share",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["finetuning", "finetuning-wide", "dataframes", "web-frameworks"])
def test_a_weight_flip_flips(name):
    answer = advisor.recommend(name)
    result = [f for f in answer.flips if f.kind == "weight"]
    assert result
    for flip in result:
        rest = 1 - answer.weights[flip.name]
        new_weights = {n: w * (1 - flip.then) / rest for n, w in answer.weights.items()} | {
            flip.name: flip.then
        }
        assert advisor.recommend(name, weights=new_weights).ranking[0].candidate.repository == flip.first
        step = 0.01 if flip.then < flip.now else -0.01
        before = {n: w * (1 - flip.then - step) / rest for n, w in answer.weights.items()}
        before[flip.name] = flip.then + step
        assert advisor.recommend(name, weights=before).ranking[0].candidate == answer.ranking[0].candidate


@pytest.mark.parametrize("name", ["finetuning-wide", "dataframes"])
def test_a_value_flip_flips(name):
    answer = advisor.recommend(name)
    domain = load_domain(name)
    running = {r.candidate.repository: r for r in answer.ranking if r.rank is not None}
    assert {"value", "unknown"} <= {f.kind for f in answer.flips}
    for flip in (f for f in answer.flips if f.kind != "weight"):
        scores = {}
        for repository, contender in running.items():
            measured = {m.metric: m for m in contender.measurements}
            known = scoring.known_values(measured)
            scales = {s.metric: s for c in domain.criteria for s in c.scales}
            criteria = contender.criteria
            if repository == flip.repository:
                assert measured[flip.name].value == flip.now
                value = replace(measured[flip.name], status="measured", value=flip.then, low=None, high=None)
                new = scoring.score_metric(scales[flip.name], value, known)
                criteria = [_with(c, new) for c in criteria]
            scores[repository] = sum(answer.weights[c.criterion] * c.utility for c in criteria)
        assert max(scores, key=scores.get) == flip.first


def _with(criterion, metric):
    """The criterion with another score of one metric, and the others as they are."""
    metrics = [metric if m.metric == metric.metric else m for m in criterion.metrics]
    total = sum(m.weight for m in metrics)
    return replace(criterion, utility=sum(m.weight * m.mean for m in metrics) / total)


@pytest.mark.parametrize("curve", ["linear", "log"])
@pytest.mark.parametrize(("worst", "best"), [(1, 100), (180, 3)])
def test_the_value_of_a_utility_is_its_inverse(curve, worst, best):
    scale = Scale(metric="m", weight=1, worst=worst, best=best, curve=curve, source="s")
    for u in (0.0, 0.3, 1.0):
        assert scoring.utility(scale, flips.value_at(scale, u)) == pytest.approx(u)


def test_one_candidate_has_no_flips():
    alone = advisor.recommend(repositories=["trl"])
    assert alone.flips == ()
    assert alone.ranking[0].acceptability == (1.0,)
