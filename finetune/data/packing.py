"""How many sequences packing makes of rows."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

# trl packs the rows of this many at a time; the other stacks pack about as densely.
_ROWS_AT_A_TIME = 1000


def count_sequences(lengths: Sequence[int], max_length: int) -> int:
    """Return how many sequences of ``max_length`` tokens hold these rows (best fit, longest row first).

    Args:
        lengths: tokens of each row, in the order of the data; at most ``max_length`` each.
        max_length: tokens of a sequence.
    """
    count = 0
    for start in range(0, len(lengths), _ROWS_AT_A_TIME):
        spaces: list[int] = []  # what is left of each sequence, ascending
        for length in sorted(lengths[start : start + _ROWS_AT_A_TIME], reverse=True):
            position = bisect_left(spaces, length)
            space = spaces.pop(position) if position < len(spaces) else max_length
            insort(spaces, space - length)
        count += len(spaces)
    return count
