"""The record of the advice in public contests, as text, Markdown, JSON or CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import assert_never

from advisor.answers.backtest.contests import ADVISOR, BY_CHANCE, CHOOSERS, Contests, Entry, Result
from advisor.answers.backtest.selection import Share
from advisor.report.csv import write_csv
from advisor.report.formats import ContestsFormat, Format
from advisor.report.json import write_json
from advisor.report.tables import markdown_table, text_table

Table = tuple[list[str], list[list[str]]]

_RULE = (
    "The winner has the best mean place over five measures. These are commits by people in the year before",
    "the outcome, the same as a multiple of the year before the question, releases in that year, downloads a",
    "month gained, and stars gained. Unknown ones do not count. The abandoned (no commit in that year, or a",
    "declared end) and the collapsed (less than a fifth of the commits before) come last and cannot win.",
)
_LEGEND = (
    "name 2/7: the pick came second of seven. †: it was abandoned or collapsed. [a–b]: 95 % interval (Wilson",
    "for shares, bootstrap over contests for places). Better places than its pick: the share of the other",
    "candidates that did better; 0 % is the winner, 50 % is chance. Advisor's gain: by how much the place of",
    "advisor's pick is better in the same contests. Stars and contributors are those of a public list on the",
    "day: they choose among the candidates that one had.",
)
COLUMNS = (
    "contest", "day", "outcome_day", "candidate", "position", "mean_place", "abandoned", "collapsed",
    "commits_before", "commits", "releases", "download_gain", "star_gain", "source", "rank", "score",
    "excluded", "chance_abandoned", "stars", "contributors", "picked_by",
)  # fmt: skip


def render(contests: Contests, output_format: ContestsFormat) -> str:
    """Return the record in a format."""
    match output_format:
        case Format.table:
            return _text(contests)
        case Format.markdown:
            return _markdown(contests)
        case Format.json:
            content = asdict(contests)
            content["results"] = [
                {**r, "contest": r["contest"].model_dump(mode="json")} for r in content["results"]
            ]
            return write_json("contests", content)
        case Format.csv:
            return write_csv(COLUMNS, [_row(r, e) for r in contests.results for e in r.entries])
        case _:
            assert_never(output_format)


def _text(contests: Contests) -> str:
    parts = [
        "\n".join(_introduction(contests)),
        "\n".join(text_table(*_summaries(contests))),
        "\n".join(text_table(*_picks(contests))),
        "\n".join(_RULE),
        "\n".join(_LEGEND),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(contests: Contests) -> str:
    parts = [
        "\n".join(_introduction(contests)),
        markdown_table(*_summaries(contests)),
        "\n".join(_RULE),
        markdown_table(*_picks(contests)),
        "\n".join(_LEGEND),
    ]
    for result in contests.results:
        title = f"**{result.contest.question}** {result.contest.day}; outcome {result.outcome_day}."
        lines = [f"{title} {result.contest.why} [Text of the time]({result.contest.text})."]
        if result.unknown:
            lines.append(f"ContestOutcome not known: {', '.join(result.unknown)}.")
        parts += [" ".join(lines), markdown_table(*_outcomes(result))]
    return "\n\n".join(parts) + "\n"


def _introduction(contests: Contests) -> list[str]:
    results = contests.results
    return [
        f"{len(results)} public contests, {contests.candidates} libraries; outcomes 24 months later.",
        "The outlook of a library comes from trees that did not see it. The weights of the score had learned",
        f"from {contests.learned_from} of the {contests.candidates} libraries.",
    ]


def _summaries(contests: Contests) -> Table:
    rows = [
        [
            s.chooser,
            str(s.contests),
            _percent(s.winners),
            _percent(s.failures),
            _percent(s.place),
            "" if s.chooser == ADVISOR else _percent(s.gain, has_sign=True),
        ]
        for s in contests.summaries
    ]
    header = [
        "choice", "contests", "picked the winner", "abandoned or collapsed", "better than its pick",
        "advisor's gain",
    ]  # fmt: skip
    return header, rows


def _percent(share: Share, *, has_sign: bool = False) -> str:
    if math.isnan(share.value):
        return "?"
    value, low, high = (
        f"{100 * v:{'+' if has_sign else ''}.0f}" for v in (share.value, share.low, share.high)
    )
    return f"{value} % [{low}–{high}]" if not has_sign else f"{value} [{low}, {high}]"


def _picks(contests: Contests) -> Table:
    choosers = [name for name in CHOOSERS if name != BY_CHANCE]
    header = ["contest", "day", "winner", *choosers, "advisor's rank of the winner"]
    rows = []
    for result in contests.results:
        winner = result.winner
        rows.append(
            [
                result.contest.name,
                str(result.contest.day),
                _name(winner) if winner else "none",
                *(_pick(result, chooser) for chooser in choosers),
                _rank(result, winner) if winner else "",
            ]
        )
    return header, rows


def _pick(result: Result, chooser: str) -> str:
    entry = result.pick(chooser)
    if entry is None:
        return "none"
    mark = "†" if entry.outcome.has_failed else ""
    certainty = f", {result.certainty}" if chooser == ADVISOR else ""
    return f"{_name(entry)}{mark} {entry.outcome.position}/{len(result.entries)}{certainty}"


def _rank(result: Result, entry: Entry) -> str:
    count = sum(e.rank is not None for e in result.entries)
    if entry.rank:
        return f"{entry.rank} of {count}"
    return "excluded" if entry.is_excluded else "not enough data"


def _outcomes(result: Result) -> Table:
    header = [
        "candidate", "advisor's rank", "abandoned in 24 months, outlook", "commits before", "commits after",
        "releases", "downloads gained", "stars gained", "became",
    ]  # fmt: skip
    rows = [
        [
            f"{e.outcome.position}. {_name(e)}{'' if e.outcome.source == 'history' else ' (lists)'}",
            _rank(result, e),
            "?" if e.chance is None else f"{e.chance:.1%}",
            *(
                _number(value)
                for value in (
                    e.outcome.commits_before,
                    e.outcome.commits,
                    e.outcome.releases,
                    e.outcome.download_gain,
                    e.outcome.star_gain,
                )
            ),
            _fate(e),
        ]
        for e in result.entries
    ]
    return header, rows


def _fate(entry: Entry) -> str:
    if entry.outcome.is_abandoned:
        return "abandoned"
    return "collapsed" if entry.outcome.is_collapsed else "alive"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def _name(entry: Entry) -> str:
    return entry.outcome.repository.rpartition("/")[2]


def _row(result: Result, entry: Entry) -> Sequence[object]:
    outcome = entry.outcome
    return [
        result.contest.name, result.contest.day, result.outcome_day, outcome.repository, outcome.position,
        round(outcome.mean_place, 4), outcome.is_abandoned, outcome.is_collapsed, outcome.commits_before,
        outcome.commits, outcome.releases, outcome.download_gain, outcome.star_gain, outcome.source,
        entry.rank, entry.score, entry.is_excluded, entry.chance, entry.stars, entry.contributors,
        "; ".join(entry.picked_by),
    ]  # fmt: skip
