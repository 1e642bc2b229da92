"""Flips computed by hand for two and three candidates with two criteria."""

from __future__ import annotations

import math

import pytest

from advisor.decide import flips
from advisor.domain.domain import Criterion, Scale
from advisor.model import Candidate, CriterionScore, Measurement, MetricScore, ScoredCandidate

WEIGHTS = {"activity": 0.6, "community": 0.4}
TITLES = {"activity": "Activity"}


def scale(metric, worst=0.0, best=100.0, curve="linear"):
    return Scale(metric=metric, weight=1.0, worst=worst, best=best, curve=curve, source="by hand")


CRITERIA = (
    Criterion(name="activity", title="Activity", scales=(scale("code_commits"), scale("stars"))),
    Criterion(name="community", title="Community", scales=(scale("authors"),)),
)


def scored_candidate(name, score, criteria, measurements=()):
    return ScoredCandidate(
        candidate=Candidate(f"o/{name}", name), score=score, low=0, high=100, coverage=1.0, excluded=False,
        criteria=criteria, findings=(), undecided=(), measurements=measurements,
    )  # fmt: skip


def candidate(name, activity, community, weights=WEIGHTS):
    """A candidate with one metric for each criterion; None: not measured."""
    values = {"code_commits": activity, "authors": community}
    parts = tuple(
        CriterionScore(c, v, v or 0, 1 if v is None else v, 1.0, (MetricScore(m, 1.0, v, v or 0, v or 1),))
        for (m, v), c in zip(values.items(), ("activity", "community"), strict=True)
    )
    parts_with_utility = [(weights[p.criterion], p.utility) for p in parts if p.utility is not None]
    score = (
        100 * sum(w * u for w, u in parts_with_utility) / sum(w for w, _ in parts_with_utility)
        if parts_with_utility
        else None
    )
    measurements = tuple(
        Measurement(f"o/{name}", m, "measured", 100 * v) for m, v in values.items() if v is not None
    )
    return scored_candidate(name, score, parts, measurements)


FIRST, SECOND = candidate("first", 0.8, 0.4), candidate("second", 0.4, 0.7)  # 64 and 52 of 100


def test_weights_by_hand():
    # .4 + .4 s against .7 - .3 s: level where activity weighs 3/7, the next tenth of a per cent below is 42.8 %.
    results = {f.name: f for f in flips.weight_flips([FIRST, SECOND], WEIGHTS, TITLES)}
    assert {n: (f.kind, f.repository, f.now, f.then, f.first) for n, f in results.items()} == {
        "activity": ("weight", None, 0.6, 0.428, "o/second"),
        "community": ("weight", None, 0.4, 0.572, "o/second"),
    }
    assert (
        results["activity"].text == "second comes first if the weight of Activity is 42.8% instead of 60.0%"
    )
    assert (
        results["community"].text == "second comes first if the weight of community is 57.2% instead of 40.0%"
    )


def test_the_nearest_flip_is_first_and_the_best_other_candidate_wins():
    third = candidate("third", 0.1, 0.9)
    results = flips.weight_flips([FIRST, SECOND, third], WEIGHTS, {})
    assert [f.first for f in results] == ["o/second", "o/second"]
    # Without community at all .8 is ahead; .9 of the third beats .7 where community is nearly everything.
    heavy = {"activity": 0.35, "community": 0.65}
    ahead = candidate("ahead", 0.6, 0.81, heavy)
    results = flips.weight_flips([ahead, SECOND, candidate("third", 0.1, 0.9, heavy)], heavy, {})
    # .81 - .21 s = .9 - .8 s at .1525
    assert {(f.name, f.then, f.first) for f in results} == {
        ("activity", 0.152, "o/third"), ("community", 0.848, "o/third"),
    }  # fmt: skip


def test_only_the_three_nearest_flips_are_returned():
    names = ("a", "b", "c", "d")
    weights = dict.fromkeys(names, 0.25)

    def of(name, *utilities):
        parts = tuple(CriterionScore(c, u, u, u, 1.0, ()) for c, u in zip(names, utilities, strict=True))
        return scored_candidate(name, 25 * sum(utilities), parts)

    results = flips.weight_flips([of("x", 0.5, 0.5, 0.5, 0.6), of("y", 0.6, 0.56, 0.54, 0.2)], weights, {})
    assert len(results) == flips.FLIPS == 3
    changes = [abs(f.then - f.now) for f in results]
    assert changes == sorted(changes)
    assert results[0].name == "d"
    assert [f.name for f in results] == ["d", "a", "b"]


def test_no_flips():
    assert flips.weight_flips([FIRST], WEIGHTS, TITLES) == []
    assert flips.value_flips([FIRST], WEIGHTS, CRITERIA) == []
    assert flips.weight_flips([FIRST, candidate("weak", 0.1, 0.1)], WEIGHTS, TITLES) == []
    assert flips.weight_flips([FIRST, candidate("level", 0.8, 0.4)], WEIGHTS, TITLES) == []
    # A criterion with all of the weight has no others that could take it.
    everything = {"activity": 1.0, "community": 0.0}
    results = flips.weight_flips(
        [candidate("x", 0.8, 0.4, everything), candidate("y", 0.4, 0.7, everything)], everything, {}
    )
    assert [f.name for f in results] == ["community"]


def test_a_line_gives_the_score_at_a_share():
    parts = (*FIRST.criteria, CriterionScore("models", None, 0, 1, 0, ()))
    line = flips._line(parts, {"activity": 0.5, "community": 0.3, "models": 0.2}, 0)
    assert line == pytest.approx((0.6 * 0.4, 0.6, 0.8))
    assert flips._score_at(line, 0.5) == pytest.approx((0.5 * 0.24 + 0.5 * 0.8) / (0.5 * 0.6 + 0.5))
    assert flips._line(parts, {"activity": 1.0}, 0) == (0, 0, 0.8)
    others, weight, utility = flips._line(parts, {"activity": 0.5, "community": 0.5}, 2)
    assert (others, weight, utility) == (pytest.approx(0.6), 1.0, None)
    assert flips._score_at((0.6, 1.0, None), 0.25) == pytest.approx(0.6)
    assert flips._score_at((0.0, 0.0, None), 0.25) == -1.0
    assert flips._score_at((0.6, 1.0, None), 1.0) == -1.0


def test_values_by_hand():
    # 12 points: .2 at the weight .6, or .3 at the weight .4; just above .7 + .3 is past the end of the scale.
    results = flips.value_flips([FIRST, SECOND], WEIGHTS, CRITERIA)
    assert {(f.kind, f.first) for f in results} == {("value", "o/second")}
    assert results[2].name == "authors"
    assert {(f.repository, f.name): (f.now, pytest.approx(f.then, abs=1e-4)) for f in results} == {
        ("o/first", "code_commits"): (80, 60),
        ("o/second", "code_commits"): (40, 60),
        ("o/first", "authors"): (40, 10),
    }
    by_name = {(f.repository, f.name): f for f in results}
    assert by_name["o/first", "code_commits"].then < 60 < by_name["o/second", "code_commits"].then
    assert (
        by_name["o/first", "code_commits"].text
        == "second comes first if code commits of first is 60 instead of 80"
    )
    assert (
        by_name["o/second", "code_commits"].text
        == "second comes first if code commits of second is 60 instead of 40"
    )
    assert all(isinstance(f.now, float) for f in results)


def test_values_of_the_third_candidate_count_and_the_nearest_flip_is_first():
    near = candidate("near", 0.78, 0.4)  # 62.8 of 100
    results = flips.value_flips([FIRST, near, SECOND], WEIGHTS, CRITERIA)
    assert [f.first for f in results] == ["o/near"] * 3
    assert [f.name for f in results][-1] == "authors"
    steps = [abs(f.then - f.now) for f in results]
    assert steps == pytest.approx([2, 2, 3], abs=1e-4)
    results = flips.value_flips([FIRST, candidate("low", 0.0, 0.75), SECOND], WEIGHTS, CRITERIA)
    assert ("o/second", "o/second") in [(f.repository, f.first) for f in results]


def test_a_tiny_change_flips_equal_scores():
    level = candidate("level", 0.8, 0.4)
    assert [round(abs(f.then - f.now), 3) for f in flips.value_flips([FIRST, level], WEIGHTS, CRITERIA)] == [
        0
    ] * 3


def test_a_value_can_reach_the_end_of_its_scale():
    weights = {"activity": 1.0, "community": 0.0}
    full, other = candidate("full", 1.0, None, weights), candidate("other", 0.5, None, weights)
    results = flips.value_flips([full, other], weights, CRITERIA)
    assert [f.repository for f in results] == ["o/full"]  # the other would have to be better than best
    assert results[0].then == pytest.approx(50)
    nothing, low = candidate("nothing", None, 0.0, WEIGHTS), candidate("low", 0.3, 0.3, WEIGHTS)
    assert nothing.score == 0
    assert [(f.repository, f.name) for f in flips.value_flips([low, nothing], WEIGHTS, CRITERIA)] == [
        ("o/nothing", "authors"),
    ]  # its activity is unknown, so it cannot change; the other would have to fall below its scales


def test_a_lever_has_a_share_of_the_measured_weight():
    metrics = (MetricScore("code_commits", 3.0, 0.5, 0, 1), MetricScore("stars", 1.0, 0.9, 0, 1),
               MetricScore("forks", 4.0, None, 0, 1))  # fmt: skip
    activity = CriterionScore("activity", 0.6, 0, 1, 0.5, metrics)
    assert flips._shares(activity) == [(metrics[0], 0.75), (metrics[1], 0.25)]
    community = CriterionScore("community", None, 0, 1, 0.0, (MetricScore("authors", 1.0, None, 0, 1),))
    one = scored_candidate("n", 60.0, (activity, community))
    levers = flips._levers(one, WEIGHTS, CRITERIA)
    assert [(x.scale.metric, x.utility, x.slope) for x in levers] == [
        ("code_commits", 0.5, 0.75),
        ("stars", 0.9, 0.25),
    ]
    assert flips._levers(one, {"activity": 0.2}, CRITERIA) == levers
    both = scored_candidate("n", 60.0, (activity, FIRST.criteria[1]))
    assert [x.slope for x in flips._levers(both, WEIGHTS, CRITERIA)] == pytest.approx([0.45, 0.15, 0.4])
    assert [x.scale.metric for x in flips._levers(both, {"community": 0.1}, CRITERIA)] == ["authors"]
    unknown = scored_candidate("n", None, ())
    assert flips._score(unknown) == 0.0
    assert flips._score(FIRST) == FIRST.score


@pytest.mark.parametrize(("utility", "value"), [(0, 10), (0.25, 15), (1, 30)])
def test_a_value_has_its_utility(utility, value):
    assert flips.value_at(scale("stars", 10, 30), utility) == value
    assert flips.value_at(scale("stars", 30, 10), utility) == 40 - value


def test_a_value_by_factors():
    by_factors = scale("stars", 1, 7, curve="log")
    assert [flips.value_at(by_factors, u) for u in (0, 0.5, 1)] == pytest.approx([1, 3, 7])
    assert math.log1p(flips.value_at(by_factors, 0.25)) == pytest.approx(math.log(2) * 1.5)
