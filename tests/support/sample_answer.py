"""A sample recommendation: two candidates, one of them excluded, with everything that a report may show."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from advisor.answers.code_uses import Use
from advisor.answers.compare import Comparison
from advisor.answers.coverage import SPREAD, Cell, Coverage, Side
from advisor.answers.upgrade import Break, Upgrade
from advisor.model import (
    Benchmark,
    Candidate,
    CriterionScore,
    Finding,
    Flip,
    Measurement,
    MetricScore,
    Outlook,
    Ranked,
    Recommendation,
)
from advisor.report import explain

DAY, EARLIER = date(2026, 7, 4), date(2025, 1, 2)


def measurement(name, metric, value=None, **more):
    return Measurement(name, metric, "measured" if value is not None else "unavailable", value, **more)


def criterion(name, utility, *metrics):
    """A criterion; without a utility nothing was measured, and 0.25 is expected."""
    expected = 0.25 if utility is None else utility
    return CriterionScore(name, expected, 0.2, 0.9, 0.0 if utility is None else 0.5, metrics)


def metric(name, weight, utility, low, high):
    return MetricScore(name, weight, utility, 0.25 if utility is None else utility, low, high)


def candidate(name, utilities, stars, **more):
    one, two = utilities
    return Ranked(
        candidate=Candidate(name, name.partition("/")[2]), low=50.4, high=80.6, coverage=0.75, undecided=(),
        criteria=(criterion("adoption", one, metric("downloads", 2.0, one, 0.1, 0.9),
                            metric("stars", 1.0, 0.501, 0.1, 0.9)),
                  criterion("activity", two, metric("trend", 1.0, two, 0.0, 1.0))),
        measurements=(
            measurement(name, "downloads", 12_345_678.0, low=1_000_000.0, high=20_000_000.0, n=30,
                     evidence_share=0.5, sources=("an index", "=a table"), first_day=EARLIER, last_day=DAY),
            measurement(name, "stars", stars), measurement(name, "code_changes_commits", 7.0),
            measurement(name, "trend", reason="too few days"), measurement(name, "declared_status", "active"),
        ),
        outlook=(Outlook(12, 0.05, 0.01, 0.2, abstained=False), Outlook(24, None, 0, 1, abstained=True)),
        **more,
    )  # fmt: skip


FIRST = candidate(
    "a/one", (0.814, 0.3), 1500.5, rank=1, score=71.4, wins=0.65, excluded=False,
    findings=(Finding("kept", "prefer", "It is kept."), Finding("slow", "warn", "It is slow.")),
)  # fmt: skip
SECOND = candidate(
    "b/two", (0.2, None), 900.0, rank=None, score=40.0, wins=0.0, excluded=True,
    findings=(Finding("dead", "exclude", "It is over."), Finding("kept", "prefer", "It was kept.")),
)  # fmt: skip
SECOND = replace(
    SECOND, candidate=Candidate("b/two", "two", None, "ACME", "listed company", "https://acme", "2026-01-02"),
    undecided=(Finding("licence", "warn", "Nobody read it."),),
)  # fmt: skip
FLIPS = (
    Flip("weight", "activity", None, 0.2, 0.4, "b/two", "With activity at 40 % two is first."),
    Flip("weight", "adoption", None, 0.8, 0.1, "b/two", "With adoption at 10 % two is first."),
    Flip("value", "stars", "b/two", 900, 5000, "b/two", "With 5000 stars two is first."),
)
ANSWER = Recommendation(
    "tools", "balanced", DAY, "made", {"adoption": 0.8, "activity": 0.2}, "a/one", "b/two", "leaning",
    reasons=("It has more *users*.",), doubts=("Few facts.",), leaving_default=("Gains 5 points.",),
    ranking=(FIRST, SECOND), missing={"c/three": "not collected"}, requirement_notes=("It costs nothing.",), flips=FLIPS,
)  # fmt: skip
PAIR = Comparison(DAY, "balanced", ANSWER.weights, FIRST, SECOND, FLIPS[1:])
TWO = explain.Explanation(
    DAY, "balanced", ANSWER.weights, SECOND,
    (explain.Rows("counts", 12345, "2025-01-02", "2026-07-04", "0123456789abcdef"),
     explain.Rows("releases", 2, "a", "b", "")),
    (explain.Evidence("Gemma", "main", EARLIER, "gemma", "src/gemma.py", "c0ffee", EARLIER, "a card", "read 2026"),),
    (Benchmark("b/two", "trl", "1.0", "tokens_per_second", "tokens/s", 12345.4, 900, 13000, "round A", "a box", DAY,
               "bench"),),
)  # fmt: skip


def cell(repository, family, on, **more):
    fields = {
        "vendor": "V", "released_on": EARLIER, "removed_on": None, "days": 3, "was_older": False, "route": "main",
        "name": "n", "path": "p", "commit": "c", "source": "s", "package": None, "packaged_on": None,
        "level": "shown", **more,
    }  # fmt: skip
    return Cell(repository, family, supported_on=on, **fields)


COVERAGE = Coverage(
    DAY, "any", ("a/one", "b/two"),
    (cell("a/one", "Llama", DAY, packaged_on=DAY), cell("b/two", "Llama", None, days=None, route=None),
     cell("a/one", "Qwen", DAY, route="transformers", level="loads"), cell("b/two", "Qwen", DAY, was_older=True, days=0),
     cell("a/one", "Phi", EARLIER), cell("a/one", "Yi", EARLIER, removed_on=DAY)),
    (Side("a/one", "its backer", 5, 4, 3.0, 1.0, None, 0.8), Side("a/one", "others", 9, 0, None, None, None, 0.0)),
    {r: {n: measurement(r, n, reason=why) if n == "vendor_gap" else measurement(r, n, 2.0) for n in SPREAD}
     for r, why in (("a/one", ""), ("b/two", "It has no backer."))},
)  # fmt: skip

LOST = Break(
    "er.plot", None, "removed", None, "1.0", EARLIER, was_announced=False, other_names=("er.draw.plot",)
)
MOVED = Break("er.load", None, "parameter moved", "mode@2", "1.0", EARLIER, was_announced=True)
UPGRADE = Upgrade(
    "own/er", "0.9.6", "1.0", EARLIER, EARLIER, DAY, 1, (LOST, MOVED), {}, ("0.9 is read as 0.9.6",)
)
USES = (Use("src/train.py", 3, MOVED, is_certain=False),)
