"""The comparison of two hand-made answers, word for word."""

from __future__ import annotations

import re
from dataclasses import replace

from sample_answer import FIRST, PAIR, SECOND

from advisor.report import compare
from advisor.report.formats import Format
from advisor.report.tables import escape_markdown

COMPARISON = """\
goal balanced, as of 2026-07-04: one scores 71 (possible: 50 to 81), two scores 40 (possible: 50 to 81)

criterion  weight  one  two    better
adoption      80%   81   20  not sure
activity      20%   30  ~25  not sure

metric                                         one                 two    better
downloads in 30 days            12.3M [1.0M–20.0M]  12.3M [1.0M–20.0M]  not sure
stars                                       1500.5                 900  not sure
commits vs the year before                       ?                   ?         ?
(ratio)
commits in a year                                7                   7
declared status                             active              active

what would reverse the order:
  - With adoption at 10 % two is first.
  - With 5000 stars two is first.

rules that apply:
  - one: advantage: It is kept.
  - one: warning: It is slow.
  - two: excluded: It is over.
  - two: advantage: It was kept.

criteria: score 0 to 100, higher is healthier. weight: share of all weights.
~: not measured; libraries that are alike otherwise have this on average. not sure: the bounds overlap.
?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound.
"""


def test_two_side_by_side():
    assert compare.render(PAIR, Format.table) == COMPARISON
    legend, in_markdown = "\n".join(compare.LEGEND), escape_markdown(" ".join(compare.LEGEND))
    content = compare.render(PAIR, Format.markdown)
    assert content.startswith(
        f"# one and two\n\n{COMPARISON.splitlines()[0]}\n\n| criterion | weight | one | two | better |\n"
    )
    assert "| activity | 20% | 30 | ~25 | not sure |\n\n| metric | one | two | better |\n" in content
    assert content.endswith(
        "|\n\n## What would reverse the order\n\n- With adoption at 10 % two is first.\n"
        "- With 5000 stars two is first.\n\n## Rules that apply\n\n- one: advantage: It is kept.\n- one: warning: It is slow.\n"
        f"- two: excluded: It is over.\n- two: advantage: It was kept.\n\n{in_markdown}\n"
    )
    bare = replace(PAIR, first=replace(FIRST, findings=()), second=replace(SECOND, findings=()), flips=())
    assert compare.render(bare, Format.table).endswith(
        f"order:\n  - no change of a single weight or a single value\n\nrules that apply:\n  - none\n\n{legend}\n"
    )


def test_a_criterion_names_a_winner_only_if_the_bounds_are_apart():
    def with_bounds(side, low, high):
        (first, *rest) = side.criteria
        return replace(side, criteria=(replace(first, low=low, utility=(low + high) / 2, high=high), *rest))

    def better(one, two):
        pair = replace(PAIR, first=with_bounds(FIRST, *one), second=with_bounds(SECOND, *two))
        return re.search(
            r"^adoption .* (one|two|equal|not sure)$", compare.render(pair, Format.table), re.MULTILINE
        )[1]

    assert better((0.6, 0.9), (0.3, 0.5)) == "one"
    assert better((0.1, 0.2), (0.3, 0.5)) == "two"
    assert better((0.5, 0.9), (0.3, 0.5)) == better((0.17, 1.0), (0.14, 0.75)) == "not sure"
    assert better((0.5, 0.5), (0.501, 0.501)) == "equal"
