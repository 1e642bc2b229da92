"""Each report of an answer made by hand, as a reader sees it."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

from made_answer import ANSWER, DAY, EARLIER, FIRST, FOUND, PAIR, SECOND, TWO, measured

from advisor.metrics import METRICS
from advisor.report import compare, coverage, explain, markdown, terminal, text
from advisor.report import csv as as_csv

TEXT = """\
tools: goal balanced, as of 2026-07-04, snapshot made

Recommendation: a/one (leaning, not clear)
  why:
    - It has more *users*.
  doubts:
    - Few facts.
  would change the order:
    - With activity at 40 % two is first.
    - With 5000 stars two is first.
  what you asked for:
    - It costs nothing.

candidate  rank  score  from–to  wins  known  adoption  activity
one           1     71    50–81   65%    75%        81        30
two         out     40    50–81          75%        20         ?

                                       one                 two
downloads               12.3M [1.0M–20.0M]  12.3M [1.0M–20.0M]
stars                               1500.5                 900
code_changes_commits                     7                   7
trend                                    ?                   ?
no commit in 12 months     5.0% [1.0%–20%]     5.0% [1.0%–20%]
no commit in 24 months                   ?                   ?
backer                                   ?                ACME
kind of backer                           ?            big tech

  excluded and warned about:
    - two: exclude: It is over.

  leaving the default (b/two):
    - Gains 5 points.

  not ranked:
    - c/three: not collected

?: not known. n/a: says nothing here. [a–b]: bounds. Every number: --format json
"""
MARKDOWN = """\
# tools: a/one

Goal balanced, as of 2026-07-04, leaning.

## Why

- It has more \\*users\\*.

## Doubts

- Few facts.

## Would change the order

- With activity at 40 % two is first.
- With 5000 stars two is first.

## What you asked for

- It costs nothing.

## Ranking

| candidate | rank | score | from–to | wins | known | adoption | activity |
| --- | --- | --- | --- | --- | --- | --- | --- |
| one | 1 | 71 | 50–81 | 65% | 75% | 81 | 30 |
| two | out | 40 | 50–81 |  | 75% | 20 | ? |

## Figures

|  | one | two |
| --- | --- | --- |
| downloads | 12.3M \\[1.0M–20.0M\\] | 12.3M \\[1.0M–20.0M\\] |
| stars | 1500.5 | 900 |
| code\\_changes\\_commits | 7 | 7 |
| trend | ? | ? |
| no commit in 12 months | 5.0% \\[1.0%–20%\\] | 5.0% \\[1.0%–20%\\] |
| no commit in 24 months | ? | ? |
| backer | ? | ACME |
| kind of backer | ? | big tech |

## Excluded and warned about

- two: exclude: It is over.

## Leaving the default (b/two)

- Gains 5 points.

## Not ranked

- c/three: not collected
"""
COMPARED = """\
goal balanced, as of 2026-07-04: one 71 (50–81), two 40 (50–81)

criterion  weight  one  two  better
adoption      80%   81   20     one
activity      20%   30    ?       ?

metric                               one                 two  better
downloads             12.3M [1.0M–20.0M]  12.3M [1.0M–20.0M]     one
stars                             1500.5                 900   level
trend                                  ?                   ?       ?
code_changes_commits                   7                   7
declared_status                   active              active

what would turn the order round:
  - With adoption at 10 % two is first.
  - With 5000 stars two is first.

rules:
  - one: prefer: It is kept.
  - one: warn: It is slow.
  - two: exclude: It is over.
  - two: prefer: It was kept.
"""
EXPLAINED = f"""\
b/two: goal balanced, as of 2026-07-04
score 40 (50–81), rank out, 75% of the weight measured
backer: ACME, big tech (https://acme, read 2026-01-02)
exclude: It is over.
prefer: It was kept.
not decided: licence: Nobody read it.

adoption: 20 of 100, 80% of the weights
  downloads = 12.3M [1.0M–20.0M] downloads in 30 days
      {METRICS["downloads"].definition}
      more is healthier, window 400 days; utility 0.20, weight 2 within adoption
      interval 1.0M to 20.0M, n 30, 50% of the evidence there
      facts from 2025-01-02 to 2026-07-04
      source: an index
      source: =a table
      rows: 12,345 in counts, 2025-01-02 to 2026-07-04, history at 0123456789ab
  stars = 900 stars
      {METRICS["stars"].definition}
      more is healthier, window 400 days; utility 0.50, weight 1 within adoption
      rows: 12,345 in counts, 2025-01-02 to 2026-07-04, history at 0123456789ab

activity: ? of 100, 20% of the weights
  trend = ? ratio
      {METRICS["trend"].definition}
      more is healthier, window 365 days; utility none, weight 1 within activity
      too few days

measured, but not scored
  code_changes_commits = 7 commits
      {METRICS["code_changes_commits"].definition}
      more is healthier, window 365 days; not scored
  declared_status = active
      {METRICS["declared_status"].definition}
      neither more nor less is healthier by itself; not scored

model families, with what shows each
  Gemma: 2025-01-02 by main: gemma in src/gemma.py at c0ffee; weights 2025-01-02, read 2026: a card

measured on machines by `advisor bench`
  2026-07-04  tokens_per_second 12,345 [900–13,000] tokens/s: trl 1.0, round A, on a box (bench)
"""
COVERED = """\
model coverage as of 2026-07-04, own code or what transformers loads

First support of a model family

family  vendor     weights               one           two
Llama        V  2025-01-02   2026-07-04 (+3)             -
Qwen         V  2025-01-02  2026-07-04* (+3)  2026-07-04 ~
Phi          V  2025-01-02   2025-01-02 (+3)             ?
Yi           V  2025-01-02   gone 2026-07-04             ?

A day: first support. (+n): days after the weights were public. *: no commit needed, counted from the \
release of transformers with its architecture. ~: weights older than the library. gone: given up \
again. -: not by then.

Vendor gap: days from public weights to support, families that came after the library

library   models of  supported  median days [95 %]  within 90 days
one      its backer     4 of 5              3 [1–]             80%
one          others     0 of 9               never              0%

Spread over vendors

library  families  vendors  effective vendors  backer's own share  vendor gap (days)
one             2        2                  2                200%                  ?
two             2        2                  2                200%                  ?

On the default branch, in no release of the package

one: Phi

No vendor gap

two: It has no backer.
"""
SHOWN_TABLE = """\
one           1     71    50–81   65%    75%        81        30            ────●─
two         out     40    50–81          75%        20         ?          ● ──────

"""


def plain(shown):
    return "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()) + "\n"


def test_the_text():
    assert text.render(ANSWER) == TEXT
    nobody = text.render(replace(ANSWER, choice=None, certainty="none", ranking=()))
    assert "\n\nNothing suitable: every candidate is excluded or unknown.\n  why:\n" in nobody
    for certainty, said in (("clear", "a clear choice"), ("tie", "a tie, decided by the default")):
        assert f"Recommendation: a/one ({said})\n" in text.render(replace(ANSWER, certainty=certainty))


def test_markdown():
    assert markdown.render(ANSWER) == MARKDOWN
    assert markdown.escape("a\nb `c` {d} #e") == r"a b \`c\` \{d\} \#e"


def test_csv():
    first = as_csv.render(ANSWER).splitlines()[:2]
    assert first == [
        "repository,rank,score,metric,status,value,low,high,n,evidence_share,sources,first_day,last_day,reason",
        f"a/one,1,71.4,downloads,measured,12345678.0,1000000.0,20000000.0,30,0.5,an index; =a table,{EARLIER},{DAY},",
    ]
    formula = replace(FIRST, measurements=(measured("a/one", "stars", reason="@SUM(1)"),))
    assert as_csv.render(replace(ANSWER, ranking=(formula,))).endswith(",,,'@SUM(1)\n")


def test_a_terminal_has_the_same_words_with_bars_where_there_is_room(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    wide, narrow = (terminal.render(ANSWER, width) for width in (125, 124))
    assert "●" in wide and "●" not in narrow
    shown = plain(wide)
    assert SHOWN_TABLE in shown
    assert "╯\nwhy\n • It has more *users*.\n\ndoubts\n • Few facts.\n\nwould change the order\n" in shown
    assert (
        "kind of backer                           ?            big tech\n\nexcluded and warned about\n"
        in shown
    )
    assert "\nnot ranked\n • c/three: not collected\n\n?: not known." in shown
    lines = wide.splitlines()
    assert "─ tools: goal balanced, as of 2026-07-04, snapshot made ─" in shown.splitlines()[0]
    assert lines[0].startswith("\x1b[33m╭"), "yellow: leaning"
    nobody = terminal.render(replace(ANSWER, choice=None, certainty="none"), 125)
    assert nobody.startswith("\x1b[31m╭") and terminal.render(
        replace(ANSWER, certainty="clear"), 125
    ).startswith("\x1b[32m╭")
    assert any("\x1b[1mone " in line for line in lines) and any("\x1b[2mtwo " in line for line in lines)
    assert max(map(len, plain(narrow).splitlines())) <= 124
    zero, whole = (replace(FIRST, low=edge, high=edge, score=edge) for edge in (0.0, 100.0))
    bars = plain(terminal.render(replace(ANSWER, ranking=(whole, zero)), 125))
    assert re.search(r"30  {20}●\n.*30  ●\n", bars)


def test_two_side_by_side():
    assert compare.text(PAIR) == COMPARED
    shown = compare.markdown(PAIR)
    assert shown.startswith(
        f"# one and two\n\n{COMPARED.splitlines()[0]}\n\n| criterion | weight | one | two | better |\n"
    )
    assert "| activity | 20% | 30 | ? | ? |\n\n| metric | one | two | better |\n" in shown
    assert shown.endswith(
        "|\n\n## What would turn the order round\n\n- With adoption at 10 % two is first.\n"
        "- With 5000 stars two is first.\n\n## Rules\n\n- one: prefer: It is kept.\n- one: warn: It is slow.\n"
        "- two: exclude: It is over.\n- two: prefer: It was kept.\n"
    )
    bare = replace(PAIR, first=replace(FIRST, findings=()), second=replace(SECOND, findings=()), flips=())
    assert compare.text(bare).endswith(
        "round:\n  - no change of a single weight or a single value\n\nrules:\n  - none fired\n"
    )


def test_an_explanation():
    assert explain.text(TWO) == EXPLAINED
    nothing = replace(FIRST, rank=None, score=None)
    bare = explain.text(explain.Explanation(DAY, "balanced", {}, nothing, (), ()))
    assert (
        "\nscore ?, rank ?, 75% of the weight measured\nbacker: ?, kind unknown (no source)\nprefer: " in bare
    )
    assert "\nadoption: 81 of 100, 0% of the weights\n" in bare
    assert "`advisor bench`" not in bare


def test_coverage():
    assert coverage.text(FOUND) == COVERED
    shown = coverage.markdown(replace(FOUND, route="main"))
    assert shown.startswith(
        "# Model coverage as of 2026-07-04\n\nCounted: own code alone.\n\nFirst support of a model family\n\n| family |"
    )
    rows = list(csv.DictReader(io.StringIO(coverage.to_csv(FOUND))))
    assert [(r["repository"], r["family"], r["supported_on"], r["route"]) for r in rows[:2]] == [
        ("a/one", "Llama", "2026-07-04", "main"), ("b/two", "Llama", "", "")]  # fmt: skip
    side = FOUND.sides[0]
    for bounds, said in (((None, 9.4, None), "never [9–]"), ((3.6, None, 7.6), "4 [0–8]")):
        median, low, high = bounds
        one = replace(FOUND, sides=(replace(side, median=median, low=low, high=high),))
        assert f"4 of 5  {said.rjust(18)}  " in coverage.text(one)
