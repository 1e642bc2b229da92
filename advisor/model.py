"""The frozen values, in the order in which data flows: measurement, score, finding, recommendation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["measured", "unavailable", "not_applicable"]
Verdict = Literal["exclude", "warn", "prefer"]
Direction = Literal["more", "less", "neither"]


@dataclass(frozen=True)
class Metric:
    """A metric; its file has the same name.

    Attributes:
        name: the CHAOSS name in snake_case if there is one.
        title: name for people.
        definition: prose.
        unit: unit of the value; a ``share`` is between 0 and 1, a ``status`` is a word.
        direction: whether ``more`` or ``less`` is healthier, or ``neither`` by itself.
        sql: one query over the as-of views with the columns repository, value, low, high, n,
            evidence_share, sources (list), first_day, last_day, reason; the only parameters are ``$as_of``
            and, if the metric has a window, ``$window_days``. A repository without a row is
            ``unavailable``, and so is a row without a value whose evidence_share is 0; any other row
            without a value, but with a reason, is ``not_applicable``.
        window_days: length of the window that ends at the as-of date; None: all of history.
        chaoss: id of the definition at chaoss.community (``?p=``); None if there is none.
        needs: fact tables that the query reads.
        label: a plainer name than the title, for readers who do not know CHAOSS; empty: the title is plain.
    """

    name: str
    title: str
    definition: str
    unit: str
    direction: Direction
    sql: str
    needs: tuple[str, ...]
    window_days: int | None = None
    chaoss: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one repository as of one day.

    Attributes:
        status: only a ``measured`` metric has a value, bounds and ``n``.
        value: a number, or a word if the unit is ``status``.
        low, high: bounds of the value.
        n: number of commits, issues, days or other items behind the value.
        evidence_share: share (0 to 1) of the evidence that the metric needs and the facts have.
        sources: the sources of the facts.
        first_day, last_day: days of the first and last fact behind the value.
        reason: why there is no value, or how to read it.
    """

    repository: str
    metric: str
    status: Status
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    evidence_share: float = 0.0
    sources: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MetricScore:
    """Utility (0 to 1) of one measurement, with bounds, and its weight within the criterion.

    Attributes:
        utility: of the measured value; None if the metric was not measured.
        mean: mean over what is possible between the bounds; the score counts it.
        low, high: bounds.
    """

    metric: str
    weight: float
    utility: float | None
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CriterionScore:
    """Weighted mean of the expected utilities of a criterion's metrics.

    Attributes:
        utility: 0 to 1; a missing metric counts as what libraries like this one have.
        low, high: bounds of the utility.
        coverage: share of the criterion's weight that was measured.
        benched: whether only `advisor bench` on the user's machine measures it.
        title: name for people; empty: the criterion's name.
    """

    criterion: str
    utility: float
    low: float
    high: float
    coverage: float
    metrics: tuple[MetricScore, ...]
    benched: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired on a candidate, or one that ``unknown`` values leave undecided, in words."""

    rule: str
    verdict: Verdict
    text: str
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature adds to an outlook.

    Attributes:
        feature: name of the feature in the outlook's model file.
        title: name for people.
        value: the value in the feature's own unit; None if it is missing.
        log_odds: what it adds to the log-odds of inactivity; above 0 makes inactivity more likely.
    """

    feature: str
    title: str
    value: float | None
    log_odds: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """The chance that a repository is abandoned so many months after the as-of date.

    Abandoned on a day: no commit in the 365 days before it. Collapsed on a day: in the year before it fewer
    than a fifth of the commits of the year before the as-of date.

    Attributes:
        horizon_months: 12 or 24.
        probability_inactive: the chance that it is abandoned then, calibrated on the reference population; it
            does not fall with the horizon; None if the outlook abstains.
        low, high: 0 ≤ low ≤ probability ≤ high ≤ 1; wide if much is missing, 0 and 1 if it abstains.
        abstained: whether the candidate is outside the model's training data; ``reason`` says where.
        contributions: largest first, without those under 0.02.
        known: an end that a rule knows and the model does not (declared end, archived), in words; else
            empty.
        collapse: the calibrated chance that it has collapsed then, at least ``probability_inactive``; None if
            the outlook abstains or the last year had fewer than 12 commits.
        collapse_low, collapse_high: its interval.
    """

    horizon_months: int
    probability_inactive: float | None
    low: float
    high: float
    abstained: bool
    reason: str = ""
    contributions: tuple[Contribution, ...] = ()
    known: str = ""
    collapse: float | None = None
    collapse_low: float = 0.0
    collapse_high: float = 1.0


@dataclass(frozen=True)
class Benchmark:
    """One figure of one library, measured on one machine by `advisor bench`.

    Attributes:
        figure: ``tokens_per_second``, ``peak_memory``, …; ``relative_throughput`` and
            ``relative_peak_memory`` are relative to a plain trl run of the same bench.
        low, high: smallest and largest of the runs, widened by the bench's noise floor.
        setting: round, method, model, lengths.
        day: day of the measurement.
    """

    repository: str
    stack: str
    version: str
    figure: str
    unit: str
    value: float
    low: float
    high: float
    setting: str
    machine: str
    day: date
    source: str


@dataclass(frozen=True)
class Flip:
    """The smallest change of one weight, or of one value, that puts another candidate first.

    Attributes:
        kind: ``weight``, ``value``, or ``unknown``: a value that is possible now, given what is known.
        name: the criterion, or the metric.
        repository: the repository whose value changes; None for a weight.
        now, then: the weight (as a share of all weights) or the value, before and after; ``now`` is None
            for a value that was not measured.
        first: the candidate that comes first after the change.
        text: the change as a sentence.
    """

    kind: Literal["weight", "value", "unknown"]
    name: str
    repository: str | None
    now: float | None
    then: float
    first: str
    text: str


@dataclass(frozen=True)
class Candidate:
    """An alternative as the domain file describes it."""

    repository: str
    name: str
    package: str | None = None
    backer: str | None = None
    backer_kind: str | None = None
    backer_source: str | None = None
    backer_as_of: str = ""
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, repr=False)
class ScoredCandidate:
    """A candidate with its score and findings, without the others. Scores run from 0 to 100.

    Attributes:
        score: weighted mean of the criteria; None if less than half of the weight is known.
        low, high: bounds of the score, from the measurements' intervals and from what is missing.
        coverage: share of the weight that rests on measurements.
        excluded: whether a rule excludes it.
        findings: rules that fired.
        undecided: rules that need a value that is unknown.
        outlook: chance of inactivity, one entry for each horizon, the shortest first.
    """

    candidate: Candidate
    score: float | None
    low: float
    high: float
    coverage: float
    excluded: bool
    criteria: tuple[CriterionScore, ...]
    findings: tuple[Finding, ...]
    undecided: tuple[Finding, ...]
    measurements: tuple[Measurement, ...]
    outlook: tuple[Outlook, ...] = ()

    def __repr__(self) -> str:
        """Return the repository and the score: all fields are pages long."""
        score = (
            "no score" if self.score is None else f"score {self.score:.0f} [{self.low:.0f}–{self.high:.0f}]"
        )
        return f"<{type(self).__name__} {self.repository}: {'excluded, ' if self.excluded else ''}{score}>"

    @property
    def repository(self) -> str:
        """``owner/name`` on GitHub."""
        return self.candidate.repository

    @property
    def is_rankable(self) -> bool:
        """Whether it has a score and no rule excludes it."""
        return not self.excluded and self.score is not None

    def measurement(self, metric: str) -> Measurement:
        """Return the measurement of this name.

        Raises:
            KeyError: no metric of this name was run.
        """
        for measurement in self.measurements:
            if measurement.metric == metric:
                return measurement
        raise KeyError(metric)

    def criterion(self, name: str) -> CriterionScore:
        """Return the score for this criterion.

        Raises:
            KeyError: the domain has no criterion of this name.
        """
        for criterion in self.criteria:
            if criterion.criterion == name:
                return criterion
        raise KeyError(name)


@dataclass(frozen=True, kw_only=True, repr=False)
class Ranked(ScoredCandidate):
    """A scored candidate with its place among the others.

    Attributes:
        rank: 1 for the best by score, and by wins where scores are equal; None if a rule excludes it or it
            has no score.
        wins: share of the sampled weightings and intervals in which this candidate comes first; 0 without a
            rank; None: it has a rank, but is not among the 60 highest scores, which are sampled.
        acceptability: share of the samples in which it takes rank 1, 2, …; empty if it is not ranked.
        central_weights: criterion → mean weight (they add up to 1) over the samples in which it comes
            first; empty if it never does.
    """

    rank: int | None
    wins: float | None
    acceptability: tuple[float, ...] = ()
    central_weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Recommendation:
    """The answer, with everything behind it.

    Attributes:
        choice: the recommended repository; None if no candidate is suitable.
        certainty: ``clear`` (the first by score wins ≥ 80 % of the draws), ``leaning`` (≥ 60 %) or ``tie``;
            ``only`` if there is no other candidate to compare, ``none`` without a choice.
        reasons, doubts: sentences with the numbers in them.
        leaving_default: where each other candidate is better or worse than the default, in sentences; only
            where the bounds are apart.
        ranking: the best first; candidates that are excluded or have no score last.
        missing: candidates that could not be measured → why.
        rivals: known rivals of the domain that could not be compared → why.
        sources: where the figures come from and up to which day, and how to refresh them, in sentences.
        pairwise: repository → other repository → share of the samples in which the first scores higher.
        flips: smallest changes that would put another candidate first, the smallest first.
        requirement_notes: what the user's requirements cost, and which of them could not be checked.
        benchmarks: figures that `advisor bench` measured, newest first.
        open_questions: requirements of which nobody knows whether the choice meets them; with one, the
            choice is not ``clear``.
        outcomes: what became of libraries, which gave the goal's weights of the criteria that a panel shows;
            empty: an expert or the user gave all weights.
        has_own_weights: whether the user's weights differ from those of the goal.
    """

    domain: str
    goal: str
    as_of: date
    snapshot: str
    weights: Mapping[str, float]
    choice: str | None
    default: str | None
    certainty: Literal["clear", "leaning", "tie", "only", "none"]
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    leaving_default: tuple[str, ...]
    ranking: tuple[Ranked, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    rivals: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    requirement_notes: tuple[str, ...] = ()
    pairwise: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    flips: tuple[Flip, ...] = ()
    benchmarks: tuple[Benchmark, ...] = ()
    open_questions: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    has_own_weights: bool = False

    def __repr__(self) -> str:
        """Return the choice and its certainty: all fields are pages long."""
        choice = f"{self.choice} ({self.certainty})" if self.choice else "no suitable candidate"
        count = len(self.ranking)
        return (
            f"<{type(self).__name__} {self.domain}, goal {self.goal}, as of {self.as_of}: {choice}, "
            f"{count} candidate{'' if count == 1 else 's'}>"
        )

    @property
    def first_choice(self) -> Ranked | None:
        """The recommended candidate with its scores; None without a choice."""
        return next((r for r in self.ranking if r.repository == self.choice), None)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each candidate, best first.

        Returns:
            Index ``repository`` (str). Columns ``rank`` (Int64, <NA> if not ranked), ``score``,
            ``low``, ``high`` (0 to 100), ``coverage``, ``wins`` (0 to 1), ``excluded`` (bool), one float
            column ``criterion.NAME`` (0 to 1) for each criterion and one object column for each metric.
            NaN or None: not measured.
        """
        import pandas as pd

        rows = [
            {
                "repository": r.candidate.repository,
                "rank": r.rank,
                "score": r.score,
                "low": r.low,
                "high": r.high,
                "coverage": r.coverage,
                "wins": r.wins,
                "excluded": r.excluded,
                **{f"criterion.{c.criterion}": c.utility for c in r.criteria},
                **{m.metric: m.value for m in r.measurements},
            }
            for r in self.ranking
        ]
        frame = pd.DataFrame(rows).set_index("repository")
        return frame.astype({"rank": "Int64"})
