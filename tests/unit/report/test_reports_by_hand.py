"""Each report of a hand-made answer, word for word."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sample_answer import ANSWER, COVERAGE, DAY, EARLIER, FIRST, SECOND, TWO, measurement

from advisor.metrics import METRICS
from advisor.model import Candidate
from advisor.report import coverage, explain, ranking
from advisor.report.formats import Format
from advisor.report.ranking import terminal, text
from advisor.report.tables import escape_markdown

HEAD = """\
tools: goal balanced, as of 2026-07-04, snapshot made

Recommendation: a/one (leaning, not clear)
  why:
    - It has more *users*.
  doubts:
    - Few facts.
  what would put another candidate first:
    - With activity at 40 % two is first.
"""
TEXT = f"""\
{HEAD}  your requirements:
    - It costs nothing.

candidate  rank  score  range  wins  evidence
one           1     71  50–81   65%       75%

excluded: two (It is over)
not enough data: three
score: 0 to 100, higher is healthier. range: what is possible.
wins: share of the sampled weightings (and unknown values) in which it comes first.
Add --full for all candidates, their figures, warnings and sources.
"""
FULL_TEXT = f"""\
{HEAD}    - With adoption at 10 % two is first.
    - With 5000 stars two is first.
  your requirements:
    - It costs nothing.

candidate  rank  score  range  wins  evidence
one           1     71  50–81   65%       75%
two         out     40  50–81             75%

adoption: 80% of the weight
candidate  score of 100  downloads in 30 days   stars
one                  81    12.3M [1.0M–20.0M]  1500.5
two                  20    12.3M [1.0M–20.0M]     900

activity: 20% of the weight
candidate  score of 100  commits in a year  commits vs the year before (ratio)
one                  30                  7                                   ?
two                 ~25                  7                                   ?

outlook: what is likely
candidate  abandoned in 12 months  abandoned in 24 months
one               5.0% [1.0%–20%]                       ?
two               5.0% [1.0%–20%]                       ?

backing
candidate  backer  kind of backer
one             ?               ?
two          ACME  listed company

  exclusions and warnings for the other candidates:
    - two: excluded: It is over.

  other candidates instead of the default (b/two):
    - Gains 5 points.

  not ranked:
    - c/three: not collected

  weights:
    - chosen by an expert or by you: adoption 80%, activity 20%

score: 0 to 100, higher is healthier. range: possible scores, given what is not known.
wins: share of the sampled weightings (and unknown values) in which it comes first.
evidence: share of the weight that rests on data.
~: not measured; libraries that are alike otherwise have this on average.
out: excluded. ?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound.
abandoned: chance of a year without commits by then; collapsed: of under a fifth of this year's.
All numbers: --format json. Definitions and sources: advisor explain NAME.
"""
MARKDOWN = """\
# tools: a/one

Goal balanced, as of 2026-07-04, leaning.

## Why

- It has more \\*users\\*.

## Doubts

- Few facts.

## What would put another candidate first

- With activity at 40 % two is first.
- With adoption at 10 % two is first.
- With 5000 stars two is first.

## Your requirements

- It costs nothing.

## Ranking

| candidate | rank | score | range | wins | evidence |
| --- | --- | --- | --- | --- | --- |
| one | 1 | 71 | 50–81 | 65% | 75% |
| two | out | 40 | 50–81 |  | 75% |

## Figures

### Adoption: 80% of the weight

| candidate | score of 100 | downloads in 30 days | stars |
| --- | --- | --- | --- |
| one | 81 | 12.3M \\[1.0M–20.0M\\] | 1500.5 |
| two | 20 | 12.3M \\[1.0M–20.0M\\] | 900 |

### Activity: 20% of the weight

| candidate | score of 100 | commits in a year | commits vs the year before (ratio) |
| --- | --- | --- | --- |
| one | 30 | 7 | ? |
| two | ~25 | 7 | ? |

### Outlook: what is likely

| candidate | abandoned in 12 months | abandoned in 24 months |
| --- | --- | --- |
| one | 5.0% \\[1.0%–20%\\] | ? |
| two | 5.0% \\[1.0%–20%\\] | ? |

### Backing

| candidate | backer | kind of backer |
| --- | --- | --- |
| one | ? | ? |
| two | ACME | listed company |

## Exclusions and warnings for the other candidates

- two: excluded: It is over.

## Other candidates instead of the default (b/two)

- Gains 5 points.

## Not ranked

- c/three: not collected

## Weights

- chosen by an expert or by you: adoption 80%, activity 20%

score: 0 to 100, higher is healthier. range: possible scores, given what is not known. \
wins: share of the sampled weightings (and unknown values) in which it comes first. \
evidence: share of the weight that rests on data. \
~: not measured; libraries that are alike otherwise have this on average. \
out: excluded. ?: not enough data. n/a: not meaningful here. \\[a–b\\]: lower and upper bound. \
abandoned: chance of a year without commits by then; collapsed: of under a fifth of this year's. \
All numbers: --format json. Definitions and sources: advisor explain NAME.
"""
EXPLANATION = f"""\
b/two: goal balanced, as of 2026-07-04
score 40 of 100 (possible: 50 to 81), rank out, data for 75% of the weight
backer: ACME, listed company (https://acme, read 2026-01-02)
excluded: It is over.
advantage: It was kept.
not enough data for rule licence: Nobody read it.

adoption: 20 of 100, 80% of the weights
  downloads in 30 days = 12.3M [1.0M–20.0M] (downloads)
      {METRICS["downloads"].definition}
      more is healthier, window 400 days; utility 0.20 of 1, 0.20 expected, 0.10 to 0.90 possible, weight 2 within adoption
      interval 1.0M to 20.0M, n 30, 50% of the evidence available
      facts from 2025-01-02 to 2026-07-04
      source: an index
      source: =a table
      facts: 12,345 rows in counts, 2025-01-02 to 2026-07-04; what comes from git ends at commit 0123456789ab
  stars = 900 (stars)
      {METRICS["stars"].definition}
      more is healthier, window 400 days; utility 0.50 of 1, 0.50 expected, 0.10 to 0.90 possible, weight 1 within adoption
      facts: 12,345 rows in counts, 2025-01-02 to 2026-07-04; what comes from git ends at commit 0123456789ab

activity: 25 of 100, 20% of the weights
  commits vs the year before (ratio) = ? (trend)
      {METRICS["trend"].definition}
      more is healthier, window 365 days; utility unknown: 0.25 expected, 0.00 to 1.00 possible, weight 1 within activity
      too few days

measured, but not part of the score
  commits in a year = 7 (code_changes_commits)
      {METRICS["code_changes_commits"].definition}
      more is healthier, window 365 days; not part of the score
  declared status = active (declared_status)
      {METRICS["declared_status"].definition}
      neither more nor less is healthier; not part of the score

supported model families, with the evidence for each
  Gemma: since 2025-01-02 by route main: gemma in src/gemma.py at commit c0ffee; weights public since 2025-01-02 (read 2026: a card)

measured by `advisor bench`
  2026-07-04  tokens_per_second 12,345 [900–13,000] tokens/s: trl 1.0, round A, on a box (bench)

?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound. n: sample size.
utility: the value on the scale of its criterion; 1 is healthiest.
"""
COVERAGE_TEXT = """\
model coverage as of 2026-07-04: whatever the library loads, through transformers or with its own code

First support of each model family

family  vendor  public weights               one           two
Llama        V      2025-01-02   2026-07-04 (+3)             -
Qwen         V      2025-01-02  2026-07-04* (+3)  2026-07-04 ~
Phi          V      2025-01-02   2025-01-02 (+3)             ?
Yi           V      2025-01-02   gone 2026-07-04             ?

date: first support. (+n): n days after the weights were public. gone: support was removed on that day.
': named in the code, but shown in no test, example, recipe or page of the library.
*, loads: only loaded, through transformers or because the code accepts the architecture.
~: the weights are older than the library. -: not supported yet. ?: not enough data.

Days from public weights to support, for families that are newer than the library

library   models of  supported  median days [95 % interval]  within 90 days
one      its backer     4 of 5                       3 [1–]             80%
one          others     0 of 9                        never              0%

Vendors of the supported families (vendor gap: share within 90 days, backer's minus others')

                                   effective      backer's own        vendor gap
library  families  vendors           vendors             share          (points)
one             2        2                 2              200%                 ?
two             2        2                 2              200%                 ?

Supported on the default branch, but not in a release yet

one: Phi

What the vendor gaps rest on

two: It has no backer.
"""


def plain(content):
    return "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", content).splitlines()) + "\n"


def test_the_text():
    assert ranking.render(ANSWER, Format.table) == TEXT
    assert ranking.render(ANSWER, Format.table, full=True) == FULL_TEXT
    no_choice = text.render(replace(ANSWER, choice=None, certainty="none", ranking=()))
    assert "\n\nNo suitable candidate: each one is excluded or has too little data.\n  why:\n" in no_choice
    for changes, phrase in (
        ({"certainty": "clear"}, "a clear choice"),
        ({"certainty": "tie", "default": "a/one"}, "a tie, decided by the default"),
        ({"certainty": "tie"}, "a tie; it has the highest score"),
        ({"certainty": "tie", "default": None}, "a tie; it has the highest score"),
        ({"certainty": "only"}, "no comparison: it is the only candidate left"),
    ):
        assert f"Recommendation: a/one ({phrase})\n" in text.render(replace(ANSWER, **changes))
    unknown = replace(SECOND, score=None, excluded=False, coverage=0.49)
    with_gap = replace(ANSWER, ranking=(FIRST, unknown))
    assert (
        "  not ranked:\n    - b/two: not enough data: 49% of the weight is known, and a rank needs half of it\n"
        "    - c/three: not collected\n"
    ) in text.render(with_gap, full=True)
    assert "\nnot enough data: two, three\n" in text.render(with_gap)
    as_default = text.render(replace(ANSWER, ranking=(replace(SECOND, rank=1), FIRST)))
    assert "  what would put the choice first:\n" in as_default


def test_the_first_screen_has_the_top_five_and_names_the_others():
    names = [f"o/n{number}" for number in range(1, 31)]
    ranked = [
        replace(FIRST, candidate=Candidate(name, name.split("/")[1]), rank=rank)
        for rank, name in enumerate(names, 1)
    ]
    answer = replace(ANSWER, ranking=(*ranked, SECOND), choice=names[8], rivals={"r/rival": "no facts"})
    screen = text.render(answer)
    rows = [line.split()[0] for line in screen.splitlines() if re.match(r"n\d+ ", line)]
    assert rows == ["n1", "n2", "n3", "n4", "n5", "n9"], "the top five, and the default that wins a tie"
    lower_ranks = ["n6", "n7", "n8", *(f"n{number}" for number in range(10, 27))]
    assert f"\nlower ranks: {', '.join(lower_ranks)} and 4 more\nexcluded: two (It is over)\n" in screen
    assert "\nnot compared (no facts): rival\n" in screen
    assert "\n  known rivals that were not compared:\n    - r/rival: no facts\n" in text.render(
        answer, full=True
    )


def test_markdown():
    assert ranking.render(ANSWER, Format.markdown) == MARKDOWN
    assert escape_markdown("a\nb `c` {d} #e") == r"a b \`c\` \{d\} \#e"


def test_csv():
    first = ranking.render(ANSWER, Format.csv).splitlines()[:2]
    assert first == [
        "repository,rank,score,metric,status,value,low,high,n,evidence_share,sources,first_day,last_day,reason",
        f"a/one,1,71.4,downloads,measured,12345678.0,1000000.0,20000000.0,30,0.5,an index; =a table,{EARLIER},{DAY},",
    ]
    formula = replace(FIRST, measurements=(measurement("a/one", "stars", reason="@SUM(1)"),))
    assert ranking.render(replace(ANSWER, ranking=(formula,)), Format.csv).endswith(",,,'@SUM(1)\n")


@pytest.fixture
def has_colours(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("has_colours")
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("width", [20, 40, 80, 100, 140])
def test_a_terminal_has_the_same_words_at_any_width(width, full):
    content = plain(terminal.render(ANSWER, width, full=full)).replace("●", "").replace("─", "")
    sentences = [line for line in text.render(ANSWER, full=full).splitlines() if "  " not in line.strip()]
    words = " ".join(content.split())
    assert len(sentences) > 15
    assert [line for line in sentences if " ".join(line.split()) not in words] == []
    assert width < 40 or max(map(len, content.splitlines())) <= width


@pytest.mark.usefixtures("has_colours")
def test_a_terminal_has_colours_and_bars():
    content = terminal.render(ANSWER, 80, full=True)
    assert "\x1b[1mone           1     71  50–81   65%       75%            ────●─\x1b[0m\n" in content
    assert "\x1b[2mtwo         out     40  50–81             75%          ● ──────\x1b[0m\n" in content
    assert "●" not in terminal.render(ANSWER, 66, full=True), "no room for a bar of 20 columns"
    for certainty, code in (("clear", 32), ("leaning", 33), ("tie", 33), ("only", 33)):
        shown = terminal.render(replace(ANSWER, certainty=certainty), 80)
        assert f"\x1b[1;{code}mRecommendation: a/one" in shown
    no_choice = terminal.render(replace(ANSWER, choice=None, certainty="none"), 80)
    assert "\x1b[1;31mNo suitable candidate" in no_choice
    zero, whole = (replace(FIRST, low=edge, high=edge, score=edge) for edge in (0.0, 100.0))
    bars = plain(terminal.render(replace(ANSWER, ranking=(whole, zero)), 80))
    assert re.search(r"\n.* {21}●\n.*75%  ●\n", bars)


@pytest.mark.usefixtures("has_colours")
@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_has_no_codes(monkeypatch, variable, value):
    assert "\x1b" in terminal.render(ANSWER, 80)
    monkeypatch.setenv(variable, value)
    assert "\x1b" not in terminal.render(ANSWER, 80)


def test_an_explanation():
    assert explain.render(TWO, Format.table) == EXPLANATION
    nothing = replace(FIRST, rank=None, score=None)
    bare = explain.render(explain.Explanation(DAY, "balanced", {}, nothing, (), ()), Format.table)
    assert (
        "\nscore ?, rank ?, data for 75% of the weight\nbacker: ?, kind unknown (no source)\nadvantage: "
        in bare
    )
    assert "\nadoption: 81 of 100, 0% of the weights\n" in bare
    assert "`advisor bench`" not in bare


def test_coverage():
    assert coverage.render(COVERAGE, Format.table) == COVERAGE_TEXT
    content = coverage.render(replace(COVERAGE, route="main"), Format.markdown)
    assert content.startswith(
        "# Model coverage as of 2026-07-04\n\nWhat counts: what the library's own code names, or its own tests, examples, recipes or pages show.\n\nFirst support of each model family\n\n| family |"
    )
    rows = list(csv.DictReader(io.StringIO(coverage.render(COVERAGE, Format.csv))))
    assert [(r["repository"], r["family"], r["supported_on"], r["route"]) for r in rows[:2]] == [
        ("a/one", "Llama", "2026-07-04", "main"), ("b/two", "Llama", "", "")]  # fmt: skip
    side = COVERAGE.sides[0]
    for bounds, phrase in (((None, 9.4, None), "never [9–]"), ((3.6, None, 7.6), "4 [0–8]")):
        median, low, high = bounds
        one = replace(COVERAGE, sides=(replace(side, median=median, low=low, high=high),))
        assert f"4 of 5  {phrase.rjust(27)}  " in coverage.render(one, Format.table)


def test_a_person_at_a_terminal_reads_the_age_of_the_facts():
    day = ANSWER.as_of + timedelta(days=96)
    assert "(96 days old)" in terminal.render(ANSWER, 140, day)
    assert "days old" not in terminal.render(ANSWER, 140)
    assert "days old" not in terminal.render(ANSWER, 140, ANSWER.as_of)
