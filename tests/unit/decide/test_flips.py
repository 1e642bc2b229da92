"""What puts another first, computed by hand for two and three candidates of two criteria."""

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


def scored(name, score, criteria, measurements=()):
    return ScoredCandidate(
        candidate=Candidate(f"o/{name}", name), score=score, low=0, high=100, coverage=1.0, excluded=False,
        criteria=criteria, findings=(), undecided=(), measurements=measurements,
    )  # fmt: skip


def ranked(name, activity, community, weights=WEIGHTS):
    """One of a single metric a criterion; None is not measured."""
    values = {"code_commits": activity, "authors": community}
    parts = tuple(
        CriterionScore(c, v, v or 0, 1 if v is None else v, 1.0, (MetricScore(m, 1.0, v, v or 0, v or 1),))
        for (m, v), c in zip(values.items(), ("activity", "community"), strict=True)
    )
    known = [(weights[p.criterion], p.utility) for p in parts if p.utility is not None]
    score = 100 * sum(w * u for w, u in known) / sum(w for w, _ in known) if known else None
    held = tuple(Measurement(f"o/{name}", m, "measured", 100 * v) for m, v in values.items() if v is not None)
    return scored(name, score, parts, held)


FIRST, SECOND = ranked("first", 0.8, 0.4), ranked("second", 0.4, 0.7)  # 64 and 52 of 100


def test_weights_by_hand():
    # .4 + .4 s against .7 - .3 s: level where activity weighs 3/7, the next tenth of a per cent below is 42.8 %.
    found = {f.name: f for f in flips.weight_flips([FIRST, SECOND], WEIGHTS, TITLES)}
    assert {n: (f.kind, f.repository, f.now, f.then, f.first) for n, f in found.items()} == {
        "activity": ("weight", None, 0.6, 0.428, "o/second"),
        "community": ("weight", None, 0.4, 0.572, "o/second"),
    }
    assert found["activity"].text == "second comes first if Activity weighs 42.8% of all instead of 60.0%"
    assert found["community"].text == "second comes first if community weighs 57.2% of all instead of 40.0%"


def test_the_nearest_stands_first_and_the_best_of_the_others_wins():
    third = ranked("third", 0.1, 0.9)
    found = flips.weight_flips([FIRST, SECOND, third], WEIGHTS, {})
    assert [f.first for f in found] == ["o/second", "o/second"]
    # Without community at all .8 is ahead; .9 of the third beats .7 where community is nearly everything.
    heavy = {"activity": 0.35, "community": 0.65}
    ahead = ranked("ahead", 0.6, 0.81, heavy)
    found = flips.weight_flips([ahead, SECOND, ranked("third", 0.1, 0.9, heavy)], heavy, {})
    # .81 - .21 s = .9 - .8 s at .1525
    assert {(f.name, f.then, f.first) for f in found} == {
        ("activity", 0.152, "o/third"), ("community", 0.848, "o/third"),
    }  # fmt: skip


def test_three_of_many_are_shown_the_nearest_first():
    names = ("a", "b", "c", "d")
    weights = dict.fromkeys(names, 0.25)

    def of(name, *utilities):
        parts = tuple(CriterionScore(c, u, u, u, 1.0, ()) for c, u in zip(names, utilities, strict=True))
        return scored(name, 25 * sum(utilities), parts)

    found = flips.weight_flips([of("x", 0.5, 0.5, 0.5, 0.6), of("y", 0.6, 0.56, 0.54, 0.2)], weights, {})
    assert len(found) == flips.SHOWN == 3
    changes = [abs(f.then - f.now) for f in found]
    assert changes == sorted(changes)
    assert found[0].name == "d"
    assert [f.name for f in found] == ["d", "a", "b"]


def test_there_is_nothing_to_flip():
    assert flips.weight_flips([FIRST], WEIGHTS, TITLES) == []
    assert flips.value_flips([FIRST], WEIGHTS, CRITERIA) == []
    assert flips.weight_flips([FIRST, ranked("weak", 0.1, 0.1)], WEIGHTS, TITLES) == []
    assert flips.weight_flips([FIRST, ranked("level", 0.8, 0.4)], WEIGHTS, TITLES) == []
    # A criterion that is everything has no others to give its weight to.
    everything = {"activity": 1.0, "community": 0.0}
    found = flips.weight_flips(
        [ranked("x", 0.8, 0.4, everything), ranked("y", 0.4, 0.7, everything)], everything, {}
    )
    assert [f.name for f in found] == ["community"]


def test_a_line_gives_the_score_at_a_share():
    parts = (*FIRST.criteria, CriterionScore("models", None, 0, 1, 0, ()))
    line = flips._line(parts, {"activity": 0.5, "community": 0.3, "models": 0.2}, 0)
    assert line == pytest.approx((0.6 * 0.4, 0.6, 0.8))
    assert flips._at(line, 0.5) == pytest.approx((0.5 * 0.24 + 0.5 * 0.8) / (0.5 * 0.6 + 0.5))
    assert flips._line(parts, {"activity": 1.0}, 0) == (0, 0, 0.8)
    given, weight, utility = flips._line(parts, {"activity": 0.5, "community": 0.5}, 2)
    assert (given, weight, utility) == (pytest.approx(0.6), 1.0, None)
    assert flips._at((0.6, 1.0, None), 0.25) == pytest.approx(0.6)
    assert flips._at((0.0, 0.0, None), 0.25) == -1.0
    assert flips._at((0.6, 1.0, None), 1.0) == -1.0


def test_values_by_hand():
    # 12 points apart: .2 of what weighs .6, or .3 of what weighs .4; .7 + .3 and a hair is past the scale's end.
    found = flips.value_flips([FIRST, SECOND], WEIGHTS, CRITERIA)
    assert {(f.kind, f.first) for f in found} == {("value", "o/second")}
    assert found[2].name == "authors"
    assert {(f.repository, f.name): (f.now, pytest.approx(f.then, abs=1e-4)) for f in found} == {
        ("o/first", "code_commits"): (80, 60),
        ("o/second", "code_commits"): (40, 60),
        ("o/first", "authors"): (40, 10),
    }
    by_name = {(f.repository, f.name): f for f in found}
    assert by_name["o/first", "code_commits"].then < 60 < by_name["o/second", "code_commits"].then
    assert (
        by_name["o/first", "code_commits"].text
        == "second comes first if code commits of first is 60 instead of 80"
    )
    assert (
        by_name["o/second", "code_commits"].text
        == "second comes first if code commits of second is 60 instead of 40"
    )
    assert all(isinstance(f.now, float) for f in found)


def test_values_of_the_third_too_and_the_nearest_first():
    near = ranked("near", 0.78, 0.4)  # 62.8 of 100
    found = flips.value_flips([FIRST, near, SECOND], WEIGHTS, CRITERIA)
    assert [f.first for f in found] == ["o/near"] * 3
    assert [f.name for f in found][-1] == "authors"
    steps = [abs(f.then - f.now) for f in found]
    assert steps == pytest.approx([2, 2, 3], abs=1e-4)
    found = flips.value_flips([FIRST, ranked("low", 0.0, 0.75), SECOND], WEIGHTS, CRITERIA)
    assert ("o/second", "o/second") in [(f.repository, f.first) for f in found]


def test_what_is_level_is_turned_by_next_to_nothing():
    level = ranked("level", 0.8, 0.4)
    assert [round(abs(f.then - f.now), 3) for f in flips.value_flips([FIRST, level], WEIGHTS, CRITERIA)] == [
        0
    ] * 3


def test_ends_of_the_scale_can_be_reached():
    weights = {"activity": 1.0, "community": 0.0}
    full, other = ranked("full", 1.0, None, weights), ranked("other", 0.5, None, weights)
    found = flips.value_flips([full, other], weights, CRITERIA)
    assert [f.repository for f in found] == ["o/full"]  # one cannot do better than best
    assert found[0].then == pytest.approx(50)
    nothing, low = ranked("nothing", None, 0.0, WEIGHTS), ranked("low", 0.3, 0.3, WEIGHTS)
    assert nothing.score == 0
    assert [(f.repository, f.name) for f in flips.value_flips([low, nothing], WEIGHTS, CRITERIA)] == [
        ("o/nothing", "authors"),
    ]  # its activity is not known, so it cannot change; the other would have to fall below all scales


def test_a_lever_is_a_share_of_what_is_known():
    metrics = (MetricScore("code_commits", 3.0, 0.5, 0, 1), MetricScore("stars", 1.0, 0.9, 0, 1),
               MetricScore("forks", 4.0, None, 0, 1))  # fmt: skip
    activity = CriterionScore("activity", 0.6, 0, 1, 0.5, metrics)
    assert flips._shares(activity) == [(metrics[0], 0.75), (metrics[1], 0.25)]
    community = CriterionScore("community", None, 0, 1, 0.0, (MetricScore("authors", 1.0, None, 0, 1),))
    one = scored("n", 60.0, (activity, community))
    levers = flips._levers(one, WEIGHTS, CRITERIA)
    assert [(x.scale.metric, x.utility, x.slope) for x in levers] == [
        ("code_commits", 0.5, 0.75),
        ("stars", 0.9, 0.25),
    ]
    assert flips._levers(one, {"activity": 0.2}, CRITERIA) == levers
    both = scored("n", 60.0, (activity, FIRST.criteria[1]))
    assert [x.slope for x in flips._levers(both, WEIGHTS, CRITERIA)] == pytest.approx([0.45, 0.15, 0.4])
    assert [x.scale.metric for x in flips._levers(both, {"community": 0.1}, CRITERIA)] == ["authors"]
    unknown = scored("n", None, ())
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
