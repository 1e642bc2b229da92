"""Short answers for a program that pays for each token: an agent behind `advisor mcp`.

Each answer names its day and its facts, says "tie" or "unknown" where it is one, and stays below
`MOST_CHARACTERS` of JSON unless the caller asks for all of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from advisor.answers.code_uses import Use
from advisor.answers.compare import Comparison
from advisor.answers.dependencies.health import Dependencies, Health
from advisor.answers.explain import Explanation
from advisor.answers.reasons import describe_gap, is_ahead
from advisor.answers.upgrade import Upgrade
from advisor.decide.acceptability import certainty
from advisor.facts.store import Store
from advisor.metrics import METRICS
from advisor.model import Measurement, Ranked, Recommendation
from advisor.report.agent_answers import (
    Advice,
    Facts,
    Number,
    Numbers,
    Package,
    PackageList,
    Pair,
    Place,
    UpgradeCheck,
    Verdict,
    Versus,
)
from advisor.report.dependencies.rows import alternatives, risks
from advisor.report.upgrade import LEGEND as UPGRADE_LEGEND
from advisor.report.upgrade import describe
from advisor.report.values import show, show_outlook

MOST_CHARACTERS = 4500
"""Characters of a short answer as JSON: less than 2,000 tokens, of at least 2.4 characters each."""
_MOST_IN_SENTENCE = 400

ADVICE: Mapping[Verdict, str] = {
    "clear": "The choice comes first in at least 80 % of the sampled weightings.",
    "leaning": "The choice comes first in 60 to 80 % of the sampled weightings: name the second one too.",
    "tie": "A tie: the facts do not decide. Show both; the user's needs decide, not the better-known name.",
    "only": "There is nothing to compare with: this is no evidence that the library is better than others.",
    "unknown": "Unknown: no candidate has enough facts or passes the rules. Say so, and do not guess.",
}


def hash_facts(stores: Iterable[Store]) -> tuple[Facts, ...]:
    """Return each store with the hash of its manifest, which has the hashes of all files."""
    return tuple(
        Facts(
            s.path.name,
            str(s.manifest.get("as_of", "")),
            hashlib.sha256((s.path / "manifest.json").read_bytes()).hexdigest(),
        )
        for s in stores
    )


def shorten_recommendation(answer: Recommendation, facts: tuple[Facts, ...], *, full: bool = False) -> Advice:
    """Return the recommendation in short; with ``full``, every sentence and candidate."""
    verdict: Verdict = "unknown" if answer.certainty == "none" else answer.certainty
    advice = Advice(
        verdict=verdict,
        choice=answer.choice,
        advice=ADVICE[verdict],
        domain=answer.domain,
        goal=answer.goal,
        as_of=str(answer.as_of),
        facts=facts,
        ranking=tuple(map(_place, answer.ranking)),
        why=answer.reasons,
        doubts=answer.doubts,
        would_change=tuple(f.text for f in answer.flips),
        requirements=(*answer.requirement_notes, *answer.open_questions),
        without_rank=tuple(f"{n}: {why}" for n, why in (*answer.missing.items(), *answer.rivals.items())),
    )
    return advice if full else _fit(advice, ranking=5, why=4, doubts=4, would_change=3, without_rank=3)


def shorten_comparison(answer: Comparison, facts: tuple[Facts, ...], *, full: bool = False) -> Pair:
    """Return the comparison in short; a difference of scores within their bounds is a tie."""
    pair = (answer.first, answer.second)
    verdict, choice = _judge(*pair)
    criteria = tuple(
        Versus(a.criterion, _round(answer.weights.get(a.criterion, 0), 2), _round(100 * a.utility),
               _round(100 * b.utility), _better(a, b, pair))
        for a, b in zip(answer.first.criteria, answer.second.criteria, strict=True)
    )  # fmt: skip
    short = Pair(
        verdict=verdict,
        choice=choice,
        advice=ADVICE[verdict],
        goal=answer.goal,
        as_of=str(answer.as_of),
        facts=facts,
        candidates=tuple(map(_place, pair)),
        criteria=criteria,
        would_reverse=tuple(f.text for f in answer.flips),
    )
    return short if full else _fit(short, criteria=12, would_reverse=3)


def shorten_explanation(
    answer: Explanation, facts: tuple[Facts, ...], *, metric: str | None = None, full: bool = False
) -> Numbers:
    """Return the numbers of the criteria in short, or one metric with its definition."""
    r = answer.ranked
    names = [s.metric for c in r.criteria for s in c.metrics] if metric is None else [metric]
    short = Numbers(
        repository=r.repository,
        as_of=str(answer.as_of),
        facts=facts,
        place=_place(r),
        chance_of_abandonment=tuple(f"in {o.horizon_months} months: {show_outlook(o)}" for o in r.outlook),
        numbers=tuple(_number(r.measurement(name)) for name in names),
        findings=tuple(f"{f.verdict}: {f.text}" for f in r.findings),
        definition=METRICS[metric].definition if metric else "",
    )
    return short if full else _fit(short, numbers=24, findings=5)


def shorten_dependencies(
    answer: Dependencies, facts: tuple[Facts, ...], fail_under: float | None = None, *, full: bool = False
) -> PackageList:
    """Return the riskiest packages in short; with ``full``, all packages."""
    at_risk = [h for h in answer.known if risks(h) or (fail_under is not None and h.is_below(fail_under))]
    short = PackageList(
        goal=answer.goal,
        facts=facts,
        known=len(answer.known),
        unknown=len(answer.unknown),
        at_risk=len(at_risk),
        packages=tuple(map(_package, answer.known)),
        without_score=tuple(f"{h.dependency.name}: {h.unknown}" for h in answer.unknown),
    )
    return short if full else _fit(short, packages=10, without_score=5)


def shorten_upgrade(
    upgrade: Upgrade, uses: Sequence[Use] | None, facts: tuple[Facts, ...], *, full: bool = False
) -> UpgradeCheck:
    """Return what an upgrade breaks in short; with uses, only the changes that the user's code meets."""
    changes = upgrade.breaks if uses is None else list(dict.fromkeys(use.change for use in uses))
    short = UpgradeCheck(
        repository=upgrade.repository,
        old=upgrade.old,
        new=upgrade.new,
        as_of=str(upgrade.as_of),
        facts=facts,
        count=len(upgrade.breaks),
        breaks=tuple(f"{change.version}: {describe(change)}" for change in changes),
        places=None
        if uses is None
        else tuple(
            f"{use.path}:{use.line} {'fails' if use.is_certain else 'may fail'}: {describe(use.change)}"
            for use in uses
        ),
        notes=(*upgrade.notes, UPGRADE_LEGEND),
    )
    return short if full else _fit(short, breaks=20, **({} if uses is None else {"places": 15}))


def _place(r: Ranked) -> Place:
    note = describe_gap(r) if r.score is None and not r.excluded else ""
    excluding = [f.text for f in r.findings if f.verdict == "exclude"]
    return Place(
        repository=r.repository,
        rank=r.rank,
        score=None if r.score is None else _round(r.score),
        low=_round(r.low),
        high=_round(r.high),
        wins=None if r.wins is None else _round(r.wins, 2),
        note="; ".join([*(f"excluded: {text}" for text in excluding), *([note] if note else [])]),
    )


def _judge(first: Ranked, second: Ranked) -> tuple[Verdict, str | None]:
    """Return which of two is the choice: by bounds that are apart, or else by how often it wins."""
    both = [r for r in (first, second) if r.is_rankable]
    if not both:
        return "unknown", None
    if len(both) == 1:
        return "only", both[0].repository
    best = max(both, key=lambda r: (r.score or 0.0, r.wins or 0.0))
    verdict: Verdict = certainty(best.wins or 0.0)
    return verdict, None if verdict == "tie" else best.repository


def _better(a: Any, b: Any, pair: tuple[Ranked, Ranked]) -> str:
    return pair[0].repository if is_ahead(a, b) else pair[1].repository if is_ahead(b, a) else "not sure"


def _number(m: Measurement) -> Number:
    return Number(
        metric=m.metric,
        value=show(m),
        n=m.n,
        first_day=str(m.first_day or ""),
        last_day=str(m.last_day or ""),
        sources=m.sources,
        reason=m.reason,
    )


def _package(health: Health) -> Package:
    r = health.ranked
    notes = [*risks(health), *([alternatives(health)] if health.alternatives else [])]
    return Package(
        package=health.dependency.name,
        repository=health.repository,
        score=None if r is None or r.score is None else _round(r.score),
        low=None if r is None else _round(r.low),
        high=None if r is None else _round(r.high),
        as_of=str(health.as_of or ""),
        notes=tuple(notes),
    )


def _round(value: float, digits: int = 1) -> float:
    return round(value, digits)


def _fit(answer: Any, **most: int) -> Any:
    """Cut lists and sentences until the answer is short; say how to get the rest.

    Args:
        answer: a frozen answer of this module.
        **most: list → the most entries that it keeps.
    """
    lists = {name: getattr(answer, name) for name in most}
    short_lists = {name: [_cut(entry) for entry in entries[: most[name]]] for name, entries in lists.items()}

    def build() -> Any:
        gaps = {name: len(lists[name]) - len(short_lists[name]) for name in lists}
        texts = [f"{count} more in {name}" for name, count in gaps.items() if count]
        note = f"{', '.join(texts)}: call again with full = true" if texts else ""
        return replace(
            answer, **{name: tuple(entries) for name, entries in short_lists.items()}, left_out=note
        )

    while _length(short := build()) > MOST_CHARACTERS and any(
        len(entries) > 1 for entries in short_lists.values()
    ):
        max(short_lists.values(), key=lambda entries: _length(entries) if len(entries) > 1 else 0).pop()
    return short


def _length(value: Any) -> int:
    plain = (
        [asdict(v) if not isinstance(v, str) else v for v in value]
        if isinstance(value, list)
        else asdict(value)
    )
    return len(json.dumps(plain))


def _cut(entry: Any) -> Any:
    """Cut a long sentence, or those in an entry."""
    if isinstance(entry, str):
        return entry if len(entry) <= _MOST_IN_SENTENCE else f"{entry[:_MOST_IN_SENTENCE]}…"
    texts = {
        name: _cut(value) if isinstance(value, str) else tuple(map(_cut, value[:3]))
        for name, value in vars(entry).items()
        if isinstance(value, str) or (isinstance(value, tuple) and all(isinstance(v, str) for v in value))
    }
    return replace(entry, **texts)
