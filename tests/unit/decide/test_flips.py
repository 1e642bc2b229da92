"""Flips computed by hand for two and three candidates with two criteria."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from advisor.decide import flips
from advisor.domain.domain import Criterion, Scale
from advisor.model import Candidate, CriterionScore, Measurement, Metric, MetricScore, ScoredCandidate

WEIGHTS = {"activity": 0.6, "community": 0.4}
TITLES = {"activity": "Activity"}


def scale(metric, worst=0.0, best=100.0, curve="linear"):
    return Scale(metric=metric, weight=1.0, worst=worst, best=best, curve=curve, source="by hand")


CRITERIA = (
    Criterion(name="activity", title="Activity", scales=(scale("code"), scale("fans"))),
    Criterion(name="community", title="Community", scales=(scale("authors"),)),
)
UNITS = {"code": "commits", "fans": "people", "authors": "people"}
METRICS = {n: Metric(n, n.title(), "", unit, "more", "", ()) for n, unit in UNITS.items()}


def scored_candidate(name, score, criteria, measurements=()):
    return ScoredCandidate(
        candidate=Candidate(f"o/{name}", name), score=score, low=0, high=100, coverage=1.0, excluded=False,
        criteria=criteria, findings=(), undecided=(), measurements=measurements,
    )  # fmt: skip


def candidate(name, activity, community, weights=WEIGHTS, coverage=1.0):
    """A candidate with one exact metric for each criterion."""
    values = {"activity": ("code", activity), "community": ("authors", community)}
    parts = tuple(
        CriterionScore(c, v, v, v, coverage, (MetricScore(m, 1.0, v, v, v, v),))
        for c, (m, v) in values.items()
    )
    score = 100 * sum(weights[p.criterion] * p.utility for p in parts)
    measurements = tuple(Measurement(f"o/{name}", m, "measured", 100 * v) for m, v in values.values())
    return scored_candidate(name, score, parts, measurements)


FIRST, SECOND = candidate("first", 0.8, 0.4), candidate("second", 0.4, 0.7)  # 64 and 52 of 100


def weight_flips(*candidates, weights=WEIGHTS, titles=TITLES, choice=None):
    return flips.weight_flips(choice or candidates[0].repository, candidates, weights, titles)


def value_flips(*candidates, weights=WEIGHTS, choice=None):
    return flips.value_flips(choice or candidates[0].repository, candidates, weights, CRITERIA, METRICS)


def test_weights_by_hand():
    # .4 + .4 s against .7 - .3 s: level where activity weighs 3/7; the next whole per cent below is 42.
    results = {f.name: f for f in weight_flips(FIRST, SECOND)}
    assert {n: (f.kind, f.repository, f.now, f.then, f.first) for n, f in results.items()} == {
        "activity": ("weight", None, 0.6, 0.42, "o/second"),
        "community": ("weight", None, 0.4, 0.58, "o/second"),
    }
    assert results["activity"].text == (
        "second comes first if Activity mattered about 30% less (42% of the weight instead of 60%)"
    )
    assert results["community"].text == (
        "second comes first if community mattered about 40% more (58% of the weight instead of 40%)"
    )


def test_the_nearest_flip_is_first_and_the_best_other_candidate_wins():
    heavy = {"activity": 0.35, "community": 0.65}
    ahead = candidate("ahead", 0.6, 0.81, heavy)
    results = weight_flips(ahead, SECOND, candidate("third", 0.1, 0.9, heavy), weights=heavy, titles={})
    # .81 - .21 s = .9 - .8 s at .1525
    assert {(f.name, f.then, f.first) for f in results} == {
        ("activity", 0.15, "o/third"), ("community", 0.85, "o/third"),
    }  # fmt: skip


def test_only_the_three_nearest_flips_are_returned():
    names = ("a", "b", "c", "d")
    weights = dict.fromkeys(names, 0.25)

    def of(name, *utilities):
        parts = tuple(CriterionScore(c, u, u, u, 1.0, ()) for c, u in zip(names, utilities, strict=True))
        return scored_candidate(name, 25 * sum(utilities), parts)

    results = weight_flips(of("x", 0.5, 0.5, 0.5, 0.6), of("y", 0.6, 0.56, 0.54, 0.2), weights=weights)
    assert len(results) == flips.FLIPS == 3
    changes = [abs(f.then - f.now) for f in results]
    assert changes == sorted(changes)
    assert [f.name for f in results] == ["d", "a", "b"]


def test_no_flips():
    assert weight_flips(FIRST) == []
    assert value_flips(FIRST) == []
    assert weight_flips(FIRST, candidate("weak", 0.1, 0.1)) == []
    assert weight_flips(FIRST, candidate("level", 0.8, 0.4)) == []
    # A criterion with all of the weight has no others that could take it.
    everything = {"activity": 1.0, "community": 0.0}
    pair = candidate("x", 0.8, 0.4, everything), candidate("y", 0.4, 0.7, everything)
    (flip,) = weight_flips(*pair, weights=everything)
    assert (flip.name, flip.then) == ("community", 0.58)
    assert flip.text.endswith("community had 58% of the weight instead of none")


def test_a_criterion_that_is_unknown_of_the_winner_puts_it_first_only_where_it_weighs_less():
    """An expected value is a guess: more weight on it is no reason, less weight on it is one."""

    def unknown(score, criterion):
        parts = (replace(c, coverage=0.0) if c.criterion == criterion else c for c in score.criteria)
        return replace(score, criteria=tuple(parts))

    first, second = candidate("x", 0.8, 0.4), candidate("y", 0.4, 0.9)
    weights = {"activity": 0.9, "community": 0.1}
    assert [f.name for f in weight_flips(first, second, weights=weights)] == ["activity", "community"]
    results = weight_flips(first, unknown(second, "community"), weights=weights)
    assert [(f.name, f.then < f.now) for f in results] == [("activity", True)]


def test_a_default_that_is_chosen_in_a_tie_needs_a_change_to_come_first():
    # The choice has 52 points, the other 64: the flips say what puts the choice first.
    results = weight_flips(FIRST, SECOND, choice="o/second")
    assert {(f.name, f.then, f.first) for f in results} == {
        ("activity", 0.42, "o/second"), ("community", 0.58, "o/second"),
    }  # fmt: skip
    of_values = value_flips(FIRST, SECOND, choice="o/second")
    assert {f.first for f in of_values} == {"o/second"}
    assert {f.repository for f in of_values} == {"o/first", "o/second"}
    # With a candidate in between, the fall of the first does not help the choice.
    between = candidate("between", 0.7, 0.4)
    of_values = value_flips(FIRST, between, SECOND, choice="o/second")
    assert {f.repository for f in of_values} == {"o/second"}


def test_a_candidate_with_too_little_data_comes_first_only_where_enough_is_known():
    unknown = candidate("unknown", 0.9, 0.9)
    only_activity = tuple(
        replace(c, coverage=1.0 if c.criterion == "activity" else 0.0) for c in unknown.criteria
    )
    weights = {"activity": 0.4, "community": 0.6}
    unknown = replace(unknown, score=None, criteria=only_activity)
    results = weight_flips(candidate("x", 0.8, 0.4, weights), unknown, weights=weights)
    assert {(f.name, f.then, f.first) for f in results} == {
        ("activity", 0.5, "o/unknown"), ("community", 0.5, "o/unknown"),
    }  # fmt: skip


def test_a_line_gives_the_score_at_a_share():
    line = flips._line(FIRST, {"activity": 0.5, "community": 0.5}, 0)
    assert [line.score(s) for s in (0.0, 0.25, 1.0)] == pytest.approx([0.4, 0.5, 0.8])
    bench = CriterionScore("speed", 0.5, 0, 1, 0.0, (), benched=True)
    with_bench = replace(FIRST, criteria=(*FIRST.criteria, bench))
    line = flips._line(with_bench, {"activity": 0.5, "community": 0.3, "speed": 0.2}, 2)
    assert line.score(0.9) == pytest.approx(0.1 * (0.5 * 0.8 + 0.3 * 0.4) / 0.8 + 0.9 * 0.5)
    assert line.score(1.0) == -1.0  # nothing else is known


def test_values_by_hand():
    # 12 points: .2 at the weight .6, or .3 at the weight .4; just above .7 + .3 is past the end of the scale.
    results = value_flips(FIRST, SECOND)
    assert {(f.kind, f.first) for f in results} == {("value", "o/second")}
    assert {(f.repository, f.name): (f.now, f.then) for f in results} == {
        ("o/first", "code"): (80, 59),
        ("o/second", "code"): (40, 61),
        ("o/first", "authors"): (40, 9),
    }
    assert results[2].name == "authors"
    assert results[0].text == "second comes first if “code” of first is 59 instead of 80"
    assert results[1].text == "second comes first if “code” of second is 61 instead of 40"


def test_values_of_the_third_candidate_count_and_the_nearest_flip_is_first():
    near = candidate("near", 0.78, 0.4)  # 62.8 of 100
    results = value_flips(FIRST, near, SECOND)
    assert [f.first for f in results] == ["o/near"] * 3
    assert [f.name for f in results][-1] == "authors"
    results = value_flips(FIRST, candidate("low", 0.0, 0.75), SECOND)
    assert ("o/second", "o/second") in [(f.repository, f.first) for f in results]


def test_a_change_too_small_to_say_is_no_flip():
    assert value_flips(FIRST, candidate("level", 0.8, 0.4))  # the next whole number puts it first
    shares = {n: replace(m, unit="share") for n, m in METRICS.items()}
    as_shares = (Criterion(name="activity", title="A", scales=(scale("code", 0.0, 1.0),)),)
    pair = [
        candidate(n, u, 0.0, {"activity": 1.0, "community": 0.0}) for n, u in (("a", 0.802), ("b", 0.801))
    ]
    pair = [
        replace(c, measurements=(Measurement(c.repository, "code", "measured", c.criteria[0].utility),))
        for c in pair
    ]
    results = flips.value_flips("o/a", pair, {"activity": 1.0}, as_shares, shares)
    assert [f.text for f in results] == ["b comes first if “code” of b is 81% instead of 80%"]


def test_a_value_can_reach_the_end_of_its_scale():
    weights = {"activity": 1.0, "community": 0.0}
    full, other = candidate("full", 1.0, 0.0, weights), candidate("other", 0.5, 0.0, weights)
    results = value_flips(full, other, weights=weights)
    assert [(f.repository, f.then) for f in results] == [
        ("o/full", 49)
    ]  # the other would have to be better than best


def uncertain(name, low, value, high, community=0.4):
    """A candidate whose first metric has bounds, in hundredths of its scale; None: it was not measured."""
    base = candidate(name, 0.5, community)
    mean = (low + high) / 2 if value is None else (low + value + high) / 3
    own = MetricScore("code", 1.0, value, mean, low, high)
    criteria = (replace(base.criteria[0], utility=mean, low=low, high=high, metrics=(own,)), base.criteria[1])
    status = "unavailable" if value is None else "measured"
    ends = (None, None, None) if value is None else (100 * value, 100 * low, 100 * high)
    code = Measurement(base.repository, "code", status, *ends)
    score = 60 * mean + 40 * community
    return replace(base, score=score, criteria=criteria, measurements=(code, base.measurements[1]))


def test_a_value_within_its_own_bounds_is_not_known_well_enough():
    # 60 of 100 for the first; the other has .2 to 1 with its peak at .2, so .467: 44 of 100.
    first, wide = candidate("first", 0.8, 0.3), uncertain("wide", 0.2, 0.2, 1.0)
    flip = next(f for f in value_flips(first, wide) if (f.repository, f.name) == ("o/wide", "code"))
    # 16 points are .267 at the weight .6: .733, the next whole number is 74.
    assert (flip.kind, flip.now, flip.then, flip.first) == ("unknown", 20, 74, "o/wide")
    assert flip.text == "not known well enough: “code” of wide may be 20 to 100; from 74 on wide comes first"
    results = value_flips(uncertain("wide", 0.6, 0.9, 1.0), candidate("x", 0.7, 0.5))
    falling = next(f for f in results if (f.repository, f.name) == ("o/wide", "code"))
    assert (
        falling.text == "not known well enough: “code” of wide may be 60 to 100; at 76 or less x comes first"
    )


def test_a_value_that_was_not_measured_is_not_known():
    first = candidate("first", 0.8, 0.3)
    results = value_flips(first, uncertain("blank", 0.2, None, 0.9))
    flip = next(f for f in results if f.repository == "o/blank" and f.name == "code")
    assert (flip.kind, flip.now, flip.then) == ("unknown", None, 74)
    assert flip.text == "not known: “code” of blank; from 74 on blank comes first"
    # A value that no library like it has is no flip.
    results = value_flips(first, uncertain("blank", 0.2, None, 0.7))
    assert [f for f in results if f.repository == "o/blank" and f.name == "code"] == []


def test_a_value_that_no_library_like_it_has_is_no_flip(monkeypatch):
    class Like:
        def likely_values(self, metric, known):
            assert metric not in known
            return [50.0, 70.0] if metric == "code" else None

    monkeypatch.setattr(flips, "bundled_predictor", Like)
    results = value_flips(FIRST, SECOND)
    # The first may fall from 80 to 59; the second may rise to 61; nothing is known of authors.
    assert {(f.repository, f.name) for f in results} == {
        ("o/first", "code"), ("o/second", "code"), ("o/first", "authors"),
    }  # fmt: skip
    # Between the value of today and the likely ones all is possible.
    monkeypatch.setattr(Like, "likely_values", lambda *_: [62.0, 79.0])
    assert {f.repository for f in value_flips(FIRST, SECOND)} == {"o/second"}
    monkeypatch.setattr(Like, "likely_values", lambda *_: [41.0, 60.0])
    assert {(f.repository, f.name) for f in value_flips(FIRST, SECOND)} == {("o/first", "code")}


def test_a_lever_has_a_share_of_the_weight():
    metrics = (MetricScore("code", 3.0, 0.5, 0.5, 0, 1), MetricScore("fans", 1.0, None, 0.9, 0, 1))
    activity = CriterionScore("activity", 0.6, 0, 1, 0.75, metrics)
    both = scored_candidate("n", 60.0, (activity, FIRST.criteria[1]))
    levers = flips._levers(both, WEIGHTS, CRITERIA)
    assert [x.scale.metric for x in levers] == ["code", "fans", "authors"]
    assert [x.slope for x in levers] == pytest.approx([0.45, 0.15, 0.4])
    assert [x.scale.metric for x in flips._levers(both, {"community": 0.1}, CRITERIA)] == ["authors"]


@pytest.mark.parametrize(("utility", "value"), [(0, 10), (0.25, 15), (1, 30)])
def test_a_value_has_its_utility(utility, value):
    assert flips.value_at(scale("stars", 10, 30), utility) == value
    assert flips.value_at(scale("stars", 30, 10), utility) == 40 - value


def test_a_value_by_factors():
    by_factors = scale("stars", 1, 7, curve="log")
    assert [flips.value_at(by_factors, u) for u in (0, 0.5, 1)] == pytest.approx([1, 3, 7])
    assert math.log1p(flips.value_at(by_factors, 0.25)) == pytest.approx(math.log(2) * 1.5)
