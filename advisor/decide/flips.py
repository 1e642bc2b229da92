"""Flips: the smallest change of one weight, or of one value, that puts another candidate first.

If the choice is not the first by score (a default that is chosen in a tie), a flip puts the choice first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.decide.missing import bundled_predictor, known_values
from advisor.decide.utilities import FLOOR, ROUNDING
from advisor.decide.wording import describe_weight, round_beyond, speak_number
from advisor.domain.domain import Criterion, Scale
from advisor.model import CriterionScore, Flip, Metric, MetricScore, ScoredCandidate

FLIPS = 3  # of each kind
STEPS = 100  # weights change in whole per cents
MARGIN = 1e-9  # of a score, so that the other candidate is ahead and not level


@dataclass(frozen=True)
class _Line:
    """A candidate's score and known weight, as lines over the share of one criterion."""

    candidate: ScoredCandidate
    others: float
    own: float
    known_others: float
    weight_others: float
    known_own: float
    weight_own: float

    def score(self, share: float) -> float:
        """Return the score (0 to 1) if the criterion has this share of the weight; -1 without a rank."""
        total = (1 - share) * self.weight_others + share * self.weight_own
        known = (1 - share) * self.known_others + share * self.known_own
        if total <= 0 or known / total < FLOOR - ROUNDING:
            return -1.0
        return (1 - share) * self.others + share * self.own


def weight_flips(
    choice: str,
    candidates: Sequence[ScoredCandidate],
    weights: Mapping[str, float],
    titles: Mapping[str, str],
) -> list[Flip]:
    """Return for each criterion the nearest weight that changes whether the choice is first, nearest first.

    The other weights keep their ratios. More weight on a criterion of which nothing is known about the winner
    is no flip: its expected value is a guess.

    Args:
        choice: the recommended repository.
        candidates: all that no rule excludes.
        weights: criterion → share of all weights; they add up to 1.
        titles: criterion → its name for people.
    """
    flips = []
    for k, name in enumerate(c.criterion for c in candidates[0].criteria) if len(candidates) > 1 else ():
        now = weights.get(name, 0.0)
        if now >= 1:
            continue
        lines = {c.repository: _line(c, weights, k) for c in candidates}
        own = lines.pop(choice)
        others = _drop_dominated_lines(list(lines.values()))
        leads_now = own.score(now) >= max(line.score(now) for line in others)
        shares = sorted((i / STEPS for i in range(STEPS + 1)), key=lambda share: (abs(share - now), share))
        for then in shares:
            winner = _winner(own, others, then, leads_now=leads_now)
            if winner is None:
                continue
            if then < now or winner.criteria[k].coverage > 0:
                event = "comes first" if winner.score is not None else "has enough data and comes first"
                text = f"{winner.candidate.name} {event} if "
                text += describe_weight(titles.get(name, name), now, then)
                flip = Flip("weight", name, None, now, then, winner.repository, text)
                flips.append((round(abs(then - now), 6), flip))  # sums of weights end in noise
            break
    return [f for _, f in sorted(flips, key=lambda pair: (pair[0], pair[1].name))][:FLIPS]


def _winner(own: _Line, others: Sequence[_Line], share: float, *, leads_now: bool) -> ScoredCandidate | None:
    """Return who comes first at a share if that is a change for the choice."""
    best = max(others, key=lambda line: line.score(share))
    if leads_now:
        return best.candidate if best.score(share) > own.score(share) + MARGIN else None
    return own.candidate if own.score(share) > best.score(share) + MARGIN else None


def _drop_dominated_lines(lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines that may come first at some share: no other one is above them at both ends.

    The one above must have enough data at both ends, and so at every share.
    """
    front: list[_Line] = []
    for line in sorted(lines, key=lambda line: (-line.others, -line.own)):
        if min(line.score(0.0), line.score(1.0)) >= 0 and (not front or line.own > front[-1].own):
            front.append(line)
    return [line for line in lines if not any(x.others > line.others and x.own > line.own for x in front)]


def _line(candidate: ScoredCandidate, weights: Mapping[str, float], k: int) -> _Line:
    criteria = candidate.criteria
    total = 1 - weights.get(criteria[k].criterion, 0.0) or 1.0
    others = [(weights.get(c.criterion, 0.0) / total, c) for c in criteria if c is not criteria[k]]
    counting_parts = [(w, c) for w, c in others if _counts(c)]
    return _Line(
        candidate=candidate,
        others=math.fsum(w * c.utility for w, c in others),
        own=criteria[k].utility,
        known_others=math.fsum(w * c.coverage for w, c in counting_parts),
        weight_others=math.fsum(w for w, _ in counting_parts),
        known_own=criteria[k].coverage,
        weight_own=1.0 if _counts(criteria[k]) else 0.0,
    )


def _counts(criterion: CriterionScore) -> bool:
    """Return whether the criterion counts in what is known; see `utilities.is_known`."""
    return not criterion.benched or criterion.coverage > 0


@dataclass(frozen=True)
class _Lever:
    """A metric that moves a score: by ``slope`` for one unit of utility."""

    scale: Scale
    score: MetricScore
    slope: float


@dataclass(frozen=True)
class _Change:
    """A change of a metric of one candidate, by ``step`` of utility, that puts a candidate first."""

    mover: ScoredCandidate
    winner: ScoredCandidate
    lever: _Lever
    step: float


def value_flips(
    choice: str,
    candidates: Sequence[ScoredCandidate],
    weights: Mapping[str, float],
    criteria: Sequence[Criterion],
    metrics: Mapping[str, Metric],
) -> list[Flip]:
    """Return the values whose smallest change decides whether the choice is first, nearest first.

    The size of a change is its difference in utility, so that different scales compare. A value that is
    within the bounds of what is known now is no change: its flip has the kind ``unknown``. A value that no
    library has that is alike otherwise is no flip.

    Args:
        choice: the recommended repository.
        candidates: the candidates with a rank, the best first.
        weights: criterion → share of all weights.
        criteria: the criteria of the domain, with their scales.
        metrics: metric → definition with title and unit.
    """
    changes = [
        _Change(mover, winner, lever, gap / lever.slope)
        for mover, winner, gap in _moves(choice, candidates)
        for lever in _levers(mover, weights, criteria)
        if 0 <= lever.score.mean + gap / lever.slope <= 1
    ]
    changes.sort(key=lambda c: (abs(c.step), c.lever.scale.metric, c.mover.repository))
    flips: dict[str, list[Flip]] = {"value": [], "unknown": []}
    for change in changes:
        flip = _flip_of(change, metrics[change.lever.scale.metric])
        if flip is None or len(flips[flip.kind]) == FLIPS:
            continue
        if flip.kind == "unknown" or _is_likely(change, flip):
            flips[flip.kind].append(flip)
    return [*flips["value"], *flips["unknown"]]


def _moves(
    choice: str, candidates: Sequence[ScoredCandidate]
) -> Iterator[tuple[ScoredCandidate, ScoredCandidate, float]]:
    """Yield who may move, who comes first then, and by how much the mover's score (0 to 1) must change."""
    if len(candidates) < 2:
        return
    first, second = candidates[0], candidates[1]
    if first.repository == choice:
        yield first, second, (_score(second) - _score(first)) / 100 - MARGIN
        for other in candidates[1:]:
            yield other, other, (_score(first) - _score(other)) / 100 + MARGIN
        return
    own = next(c for c in candidates if c.repository == choice)
    yield own, own, (_score(first) - _score(own)) / 100 + MARGIN
    if own is second:
        yield first, own, (_score(own) - _score(first)) / 100 - MARGIN


def _flip_of(change: _Change, metric: Metric) -> Flip | None:
    """Return the flip of one value; None if it needs an impossible value or is too small to say."""
    scale, score, mover = change.lever.scale, change.lever.score, change.mover
    is_up = (scale.best > scale.worst) == (change.step > 0)
    target = score.mean + change.step
    then = round_beyond(value_at(scale, target), metric.unit, up=is_up)
    if then < 0 or (metric.unit == "share" and then > 1):
        return None
    measurement, winner = mover.measurement(scale.metric), change.winner
    now = float(measurement.value) if isinstance(measurement.value, int | float) else None
    is_possible = score.low <= target <= score.high and score.low < score.high
    label = metric.label or f"{metric.title[:1].lower()}{metric.title[1:]}"
    subject = f"“{label}” of {mover.candidate.name}"
    number = speak_number(then, metric.unit)
    if is_possible:
        ends = [now if end is None else end for end in (measurement.low, measurement.high)]
        bounds = " to ".join(speak_number(end, metric.unit) for end in ends if end is not None)
        known = "known well enough" if now is not None else "known"
        text = f"not {known}: {subject}{f' may be {bounds}' if bounds else ''}; "
        text += (
            f"{f'from {number} on' if is_up else f'at {number} or less'} {winner.candidate.name} comes first"
        )
        return Flip("unknown", scale.metric, mover.repository, now, then, winner.repository, text)
    if now is None or speak_number(now, metric.unit) == number:
        return None
    text = f"{winner.candidate.name} comes first if {subject} is {number} instead of "
    text += speak_number(now, metric.unit)
    return Flip("value", scale.metric, mover.repository, now, then, winner.repository, text)


def _is_likely(change: _Change, flip: Flip) -> bool:
    """Return whether a library that is alike otherwise may have the value."""
    predictor = bundled_predictor()
    measurements = {m.metric: m for m in change.mover.measurements if m.metric != flip.name}
    likely = predictor.likely_values(flip.name, known_values(measurements)) if predictor else None
    if likely is None or flip.now is None:
        return True
    return min(likely[0], flip.now) <= flip.then <= max(likely[-1], flip.now)


def value_at(scale: Scale, utility: float) -> float:
    """Return the value with this utility: the inverse of `utilities.utility` between the scale's ends."""
    if scale.curve == "log":
        worst, best = math.log1p(scale.worst), math.log1p(scale.best)
        return math.expm1(worst + utility * (best - worst))
    if scale.curve == "logit":
        worst, best = (math.log(end / (1 - end)) for end in (scale.worst, scale.best))
        return 1 / (1 + math.exp(-(worst + utility * (best - worst))))
    return scale.worst + utility * (scale.best - scale.worst)


def _score(candidate: ScoredCandidate) -> float:
    return candidate.score or 0.0


def _levers(
    candidate: ScoredCandidate, weights: Mapping[str, float], criteria: Sequence[Criterion]
) -> list[_Lever]:
    scales = {c.name: {s.metric: s for s in c.scales} for c in criteria}
    total = math.fsum(weights.get(c.criterion, 0.0) for c in candidate.criteria)
    return [
        _Lever(scales[c.criterion][m.metric], m, weights[c.criterion] / total * m.weight / whole)
        for c in candidate.criteria
        if weights.get(c.criterion, 0.0) > 0
        for whole in [math.fsum(m.weight for m in c.metrics)]
        for m in c.metrics
    ]
