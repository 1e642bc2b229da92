"""List the change requests of a history."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.collect.git.merge_evidence import Evidence
    from advisor.collect.git.request_refs import Refs

_LATEST = 2**62


def list_change_requests(
    refs: Refs,
    evidence: Evidence,
    mergers: Mapping[int, tuple[int, str | None]],
    retrieved_on: date,
) -> list[dict[str, Any]]:
    """Build the rows of ``threads``.

    Git does not store the day of opening: the date of the head stands in for it, at most the earliest merge
    of a later number, because GitHub numbers change requests in order. An unmerged change request without a
    merge ref was closed (or in conflict) by the day of retrieval. If a bot wrote the last commit, the change
    request is a bot's.

    Args:
        refs: result of `read_refs`.
        evidence: what shows which of them were merged, from `find_merges`.
        mergers: number of a change request → number of the person who merged it and the domain of the
            organisation whose address they used; None if unknown.
        retrieved_on: day on which the refs were fetched.
    """
    heads, mergeable = refs
    rows, earliest = [], _LATEST
    for number in sorted(heads, reverse=True):
        merge_time = evidence.times.get(number)
        earliest = min(earliest, merge_time or earliest)
        row: dict[str, Any] = {
            "kind": "change_request",
            "number": number,
            "opened_at": _format_time(min(heads[number].time, earliest)),
            "is_bot": heads[number].is_bot,
        }
        if merge_time is not None:
            person, domain = mergers.get(number, (None, None))
            row |= {
                "closed_at": _format_time(merge_time),
                "merged_at": _format_time(merge_time),
                "merged_by": person,
                "merged_by_organisation": domain,
            }
        elif number not in mergeable:
            closure, possible = evidence.closures.get(number), evidence.possible.get(number)
            row |= {
                "closed_at": closure and _format_time(closure),
                "closed_by": None if closure else f"{retrieved_on} 00:00:00",
                "possibly_merged_at": possible and _format_time(possible),
            }
        rows.append(row)
    return rows


def _format_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
