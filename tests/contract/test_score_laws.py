"""Law 2: scores are bounded, monotone and independent of other candidates; only ratios of weights matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import advisor
from advisor.decide.utilities import score_criteria, utility
from advisor.domain.domain import load_domain
from advisor.model import Measurement

CRITERIA = load_domain("finetuning").criteria
SCALES = [s for c in CRITERIA for s in c.scales]


def test_there_are_criteria():
    assert [c.name for c in CRITERIA[:4]] == ["contributors", "issues", "backing", "models"]


@pytest.mark.parametrize("scale", SCALES, ids=lambda s: s.metric)
@given(a=st.floats(0, 1e9), b=st.floats(0, 1e9))
def test_a_utility_is_bounded_and_monotone(scale, a, b):
    low, high = sorted((a, b))
    first, second = utility(scale, low), utility(scale, high)
    assert 0 <= first <= 1
    assert (first <= second) if scale.best > scale.worst else (first >= second)
    assert (utility(scale, scale.worst), utility(scale, scale.best)) == (0, 1)


@pytest.mark.parametrize("missing", [s.metric for s in SCALES])
def test_a_missing_metric_counts_as_what_is_usual_and_widens_the_interval(missing):
    """The best library of all does not gain by hiding a figure, and the worst does not lose by it."""
    for end, sign in (("best", 1), ("worst", -1)):
        full = {
            s.metric: Measurement("a/b", s.metric, "measured", getattr(s, end), n=1, evidence_share=1.0)
            for s in SCALES
        }
        complete = {c.criterion: c for c in score_criteria(CRITERIA, full)}
        del full[missing]
        for less in score_criteria(CRITERIA, full):
            before = complete[less.criterion]
            if missing not in [m.metric for m in less.metrics]:
                assert less == before
                continue
            assert sign * (before.utility - less.utility) >= 0
            assert less.low <= less.utility <= less.high
            assert less.coverage < 1 == before.coverage
            assert less.high - less.low >= before.high - before.low


def test_only_ratios_of_weights_matter():
    names = [c.name for c in CRITERIA]
    one = advisor.recommend(weights={n: i + 1.0 for i, n in enumerate(names)})
    two = advisor.recommend(weights={n: 7 * (i + 1.0) for i, n in enumerate(names)})
    for first, second in zip(one.ranking, two.ranking, strict=True):
        assert first.candidate == second.candidate
        assert first.score == pytest.approx(second.score)
    assert one.choice == two.choice


def test_another_candidate_changes_no_score():
    five, fourteen = advisor.recommend("finetuning"), advisor.recommend("finetuning-wide")
    of_five = {r.candidate.repository: (r.score, r.low, r.high) for r in five.ranking}
    within = [r for r in fourteen.ranking if r.candidate.repository in of_five]
    assert [r.candidate.repository for r in within] == [r.candidate.repository for r in five.ranking]
    assert {r.candidate.repository: (r.score, r.low, r.high) for r in within} == of_five
