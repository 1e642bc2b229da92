"""The page of a hand-made answer: its plain text, its data, and its Content-Security-Policy."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from dataclasses import replace
from datetime import date

import pytest

from advisor.answers.history import IssueCount, Release, Support, Timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.model import Benchmark, CriterionScore, Finding, Flip, Outlook
from advisor.report.dashboard import render
from advisor.report.dashboard.answer import answer_for_page, list_nearest_flips
from advisor.report.dashboard.payload import page_data

DAYS = (date(2026, 6, 30), date(2026, 7, 4))
TRL, UNSLOTH = "huggingface/trl", "unslothai/unsloth"
VALUES = {
    "stars": {"value": 123456.7, "low": None, "high": None},
    "trend": {
        "value": 0.1234567,
        "low": 0.1,
        "high": 0.2,
        "sources": ("git:abc@1", "archive@1", "archive@2"),
    },
    "contributors": {"value": 5, "low": 5, "high": None},
    "new_contributors": {"value": 5, "low": None, "high": 9},
    "downloads": {"value": None, "low": None, "high": None},
    "attention": {"value": "high"},
}
FLIP = Flip("weight", "support", None, 0.2, 0.4, UNSLOTH, "More support, and Two comes first.")


@pytest.fixture(scope="module")
def sample():
    request = Request(repositories=("trl", "unsloth", "torchtune"))
    question = read_request(request)
    base = recommend(question)
    candidates = {r.candidate.repository: r for r in base.ranking}
    torchtune = next(r for r in candidates if r.endswith("/torchtune"))
    criteria = (CriterionScore("activity", 0.6123456789, 0.5, 0.75, 1.0, ()),
                CriterionScore("support", 0.25, 0.0, 1.0, 0.0, ()))  # fmt: skip
    measurements = tuple(replace(m, **VALUES.get(m.metric, {})) for m in candidates[TRL].measurements)
    first = replace(
        candidates[TRL], candidate=replace(candidates[TRL].candidate, name="One <1>", backer=None), rank=1, score=71.456,
        low=60.444, high=80.556, coverage=0.876, wins=0.5, excluded=False, criteria=criteria,
        acceptability=(0.5, 0.25, 0.125, 0.1, 0.025), measurements=measurements,
        findings=(Finding("old", "warn", "Nobody answers."), Finding("asked", "prefer", "It is liked.")),
        outlook=(Outlook(12, 0.25, 0.1, 0.5, abstained=False, reason="few", known="kept"),),
    )  # fmt: skip
    second = replace(
        candidates[UNSLOTH], candidate=replace(candidates[UNSLOTH].candidate, name="Two", backer="ACME"), rank=None,
        score=None, low=0.0, high=100.0, coverage=0.0, wins=0.0, excluded=False, findings=(), acceptability=(),
    )  # fmt: skip
    out = replace(
        candidates[torchtune], candidate=replace(candidates[torchtune].candidate, name="Three"), rank=None, score=12.0,
        excluded=True, acceptability=(), findings=(Finding("dead", "exclude", "It is over."),
        Finding("old", "warn", "Nobody answers."), Finding("asked", "exclude", "No LoRA.")),
    )  # fmt: skip
    answer = replace(
        base, as_of=DAYS[1], choice=TRL, default=TRL, certainty="clear", reasons=("Scores é.",),
        doubts=("Few facts.", FLIP.text), flips=(FLIP,), requirement_notes=("It costs nothing.",), ranking=(first, second, out),
        leaving_default=("Gains 3 points.",), missing={"x/y": "not collected"}, snapshot="made",
        weights={c.name: 0.125 for c in question.domain.criteria}, goal=next(iter(question.domain.goals)),
        benchmarks=tuple(Benchmark(who, "trl", "1.0", "peak_memory", "GiB", 2.0, 1.5, 2.5, "A", "box", DAYS[0], "b")
                         for who in (UNSLOTH, "not/here")),
    )  # fmt: skip
    earlier = replace(first, findings=first.findings[:1])
    timeline = Timeline(
        question=question, days=DAYS, candidates={TRL: (None, earlier)}, born={TRL: date(2020, 3, 1)},
        issues=(IssueCount(UNSLOTH, DAYS[0], 3.0, None, 1.5, 2.0, "s"),),
        releases=(Release(TRL, "v1", DAYS[0], is_prerelease=True),),
        support=(Support(TRL, "qwen", "Alibaba", DAYS[0], DAYS[1], None, DAYS[1]),),
    )  # fmt: skip
    return answer, timeline


def test_the_page_before_any_script_runs(sample):
    answer, timeline = sample
    domain = timeline.question.domain
    context = answer_for_page(answer, timeline)
    rows, projects = context.pop("rows"), context.pop("projects")
    assert context == {
        "has_own_weights": False,
        "domain": domain, "goal": answer.goal, "as_of": "2026-07-04", "as_of_long": "4 July 2026",
        "snapshot": "made", "sources": answer.sources, "headline": "Choose", "choice": "One <1>", "choice_repository": TRL,
        "certainty": "clear", "confidence": "a clear choice", "reasons": ["Scores é."],
        "doubts": ["Few facts."], "requirements": [{"name": "", "text": "It costs nothing."}], "flips": [FLIP.text],
        "flips_title": "What would put another candidate first",
        "alternatives": [{"name": "", "text": "Gains 3 points."}], "default_name": "trl",
        "exclusions": [{"name": "Three", "text": "It is over.; No LoRA."}],
        "warnings": [{"name": "One <1>", "text": "Nobody answers."}],
        "missing": [
            {"name": UNSLOTH, "text": "not enough data: 0% of the weight is known, and a rank needs half of it"},
            {"name": "x/y", "text": "not collected"},
        ],
        "criteria": [{"name": c.name, "title": c.title, "weight": 0.125, "percent": "12%"} for c in domain.criteria],
        "goals": [{"name": name, "title": goal.title} for name, goal in domain.goals.items()], "months": 2,
        # Only one candidate has a rank: there is no runner-up, and no share to say.
        "summary": "A clear choice; as of 2026-07-04.",
        "instead": {"before": "", "name": "", "after": ""}, "wins_text": "", "wins_percent": 50.0,
        "thresholds": [60.0, 80.0], "top": [TRL], "choice_at": 71.46, "most": {"reasons": 2, "doubts": 1, "flips": 2},
        "indices": {r.repository: i for i, r in enumerate(answer.ranking)},
    }  # fmt: skip
    assert [p["url"] for p in projects] == [f"https://github.com/{r.repository}" for r in answer.ranking]
    assert rows[0] == {
        "repository": TRL, "url": f"https://github.com/{TRL}", "name": "One <1>", "backer": "?", "rank": "1", "is_ranked": True, "score": "71",
        "mark_from": 70.86, "mark_to": 72.06, "low": 60.44, "high": 80.56, "interval": "60–81", "wins": "", "evidence": "88%",
        "chances": [{"from": 0.0, "to": 50.0}, {"from": 50.0, "to": 75.0}, {"from": 75.0, "to": 87.5},
                    {"from": 87.5, "to": 100.0}],
        "criteria": [{"name": "activity", "text": "61"}, {"name": "support", "text": "~25"}],
    }  # fmt: skip
    unknown = {
        "backer": "ACME",
        "rank": "?",
        "is_ranked": False,
        "score": "?",
        "mark_from": -0.6,
        "mark_to": 0.6,
        "wins": "",
    }
    assert unknown.items() <= rows[1].items()
    assert rows[1]["chances"] == [{"from": 0.0, "to": 0.0}] * 4
    assert (rows[2]["rank"], rows[2]["score"], rows[2]["wins"]) == ("out", "12", "")


@pytest.mark.parametrize(("changes", "instead", "wins"), [
    ({"certainty": "clear"}, ("rather than", "2.5 points behind"), "first in 50 of 100 weightings; clear from 80"),
    ({"certainty": "tie"}, ("just ahead of", "by 2.5 points"), "first in 50 of 100 weightings; clear from 80"),
    ({"certainty": "tie", "choice": UNSLOTH}, ("level with", "which has 2.5 points more"),
     "first in 40 of 100 weightings, One <1> in 50; clear from 80"),
])  # fmt: skip
def test_the_first_screen_says_instead_of_what_and_how_sure(sample, changes, instead, wins):
    answer, timeline = sample
    first, second, out = answer.ranking
    rival = replace(second, rank=2, score=first.score - 2.5, wins=0.4, acceptability=(0.4, 0.6))
    answer = replace(
        answer,
        ranking=(first, rival, out),
        reasons=("comes first in", "It is busy.", "It is liked."),
        **changes,
    )
    context = answer_for_page(answer, timeline)
    rival_name = "One <1>" if "choice" in changes else "Two"
    assert context["instead"] == {"before": instead[0], "name": rival_name, "after": instead[1]}
    assert context["wins_text"] == wins
    assert context["reasons"] == ["It is busy.", "It is liked."], (
        "the share of the weightings is not said twice"
    )
    assert context["top"] == [TRL, UNSLOTH]


def test_an_open_requirement_is_the_reason_for_less_certainty(sample):
    answer, timeline = sample
    first, second, out = answer.ranking
    rival = replace(second, rank=2, score=50.0, wins=0.1, acceptability=(0.1, 0.9))
    answer = replace(answer, ranking=(replace(first, wins=0.9), rival, out), certainty="leaning")
    assert answer_for_page(answer, timeline)["wins_text"] == (
        "first in 90 of 100 weightings; clear from 80, but a requirement or goal could not be checked"
    )


def test_without_draws_the_first_place_has_the_share_of_wins(sample):
    answer, timeline = sample
    alone = replace(answer.ranking[0], acceptability=(), wins=0.333333)
    [row] = answer_for_page(replace(answer, ranking=(alone,)), timeline)["rows"]
    assert row["chances"] == [{"from": 0, "to": 33.33}] + [{"from": 33.33, "to": 33.33}] * 3


@pytest.mark.parametrize(("changes", "headline", "confidence"), [
    ({"certainty": "leaning"}, "Leaning to", "leaning, not clear"),
    ({"certainty": "tie"}, "A tie. By default", "a tie, decided by the default"),
    ({"certainty": "tie", "default": None}, "A tie, led by", "a tie; it has the highest score"),
    ({"certainty": "only"}, "No comparison, only", "no comparison: it is the only candidate left"),
    ({"certainty": "none", "choice": None}, "Nothing suitable", "every candidate is excluded or has too little data"),
])  # fmt: skip
def test_the_headline_states_the_certainty(sample, changes, headline, confidence):
    answer, timeline = sample
    context = answer_for_page(replace(answer, **changes), timeline)
    assert (context["headline"], context["confidence"]) == (headline, confidence)
    assert (context["choice"], context["choice_repository"]) == (
        ("", "") if "choice" in changes else ("One <1>", TRL)
    )
    assert context["default_name"] == ("" if "default" in changes else "trl")


def test_the_data_of_the_page(sample):
    answer, timeline = sample
    data = page_data(answer, timeline)
    third = answer.ranking[2].candidate.repository
    assert [c["repository"] for c in data["candidates"]] == [TRL, UNSLOTH, third]
    assert [c["born"] for c in data["candidates"]] == ["2020-03-01", None, None]
    assert data["days"] == ["2026-06-30", "2026-07-04"]
    # The places of months without data, then a column for each number.
    columns = [[0.612346], [0.5], [0.75], [1], [0.25], [0], [1], [0]]
    assert data["scores"] == [[[0], *columns], [[]], [[]]]
    # A requirement is not a rule of the domain: it counts for every month with data.
    warning, preference = ["old", "warn", "Nobody answers."], ["asked", "prefer", "It is liked."]
    assert data["findings"] == [[[], [warning, preference]], [], []]
    points = {name: data["series"][name] for name in VALUES}
    assert points == {
        "stars": [[None, 123457], [], []], "trend": [[None, [0.123457, 0.1, 0.2]], [], []],
        "contributors": [[None, 5], [], []], "new_contributors": [[None, [5, 5, 9]], [], []],
        "downloads": [[None, None], [], []], "attention": [[None, None], [], []],
    }  # fmt: skip
    assert {"git histories", "archive"} <= set(data["sources"]["trend"])
    assert data["sources"]["trend"] == sorted(set(data["sources"]["trend"]))
    assert data["outlooks"][0] == [
        {"horizon_months": 12, "probability_inactive": 0.25, "low": 0.1, "high": 0.5, "reason": "few", "known": "kept"}
    ]  # fmt: skip
    assert data["issues"] == [[1], ["2026-06-30"], [3], [None], [1.5], [2], ["s"]]
    assert data["releases"] == [[0], ["2026-06-30"], ["v1"], [1]]
    assert data["support"] == [
        [x] for x in (0, "qwen", "Alibaba", "2026-06-30", "2026-07-04", None, "2026-07-04")
    ]
    assert data["benchmarks"] == [
        [1, "trl", "1.0", "peak_memory", "GiB", 2.0, 1.5, 2.5, "A", "box", "2026-06-30", "b"]
    ]
    assert (data["doubts"], data["flips"]) == (["Few facts."], [["weight", FLIP.text]])
    assert (data["snapshot"], data["goal"], data["default"]) == (
        "made",
        answer.goal,
        timeline.question.domain.default,
    )
    assert set(data["weights"].values()) == {0.125}
    assert set(data["measurements"]) == {TRL, UNSLOTH, third}
    rows = {row[0]: row[1:] for row in zip(*data["measurements"][TRL], strict=True)}
    [trend] = [m for m in answer.ranking[0].measurements if m.metric == "trend"]
    status, value, low, high, n, share, sources, first_day, last_day, reason = rows["trend"]
    assert (value, low, high, n, reason) == (0.123457, 0.1, 0.2, trend.n, trend.reason)
    assert (status, share) == (trend.status, pytest.approx(trend.evidence_share, abs=1e-6))
    assert (first_day, last_day) == (str(trend.first_day), str(trend.last_day))
    assert tuple(data["source_names"][place] for place in sources) == trend.sources


def test_a_number_that_stays_is_written_once(sample):
    answer, timeline = sample
    row = timeline.candidates[TRL][1]
    days = (*DAYS, date(2026, 7, 5), date(2026, 7, 6))
    later = replace(row, criteria=(replace(row.criteria[0], low=0.25), row.criteria[1]))
    data = page_data(answer, replace(timeline, days=days, candidates={TRL: (row, None, row, later)}))
    assert data["scores"][0] == [
        [1], [0.612346, "", ""], [0.5, "", 0.25], [0.75, "", ""], [1, "", ""], [0.25, "", ""], [0, "", ""], [1, "", ""],
        [0, "", ""],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def page(sample):
    return render(*sample)


def decompress(page, name):
    [data] = re.findall(rf'<script type="application/octet-stream" id="{name}">(.*?)</script>', page)
    return zlib.decompress(base64.b85decode(data.translate(str.maketrans(",.:", "&<>")))).decode()


def test_the_page_shows_the_answer_as_plain_text(page):
    assert page.startswith("<!doctype html>\n") and page.endswith("</html>\n")
    assert '<span id="headline">Choose</span> <bdi id="choice" class="choice">One &lt;1&gt;</bdi>' in page
    assert "<title>One &lt;1&gt; · " in page
    assert "One <1>" not in page
    assert "snapshot made" in page
    before = page.partition("<script")[0].rpartition("</style>")[2]
    assert not re.search(r"\n\s*\n\s*\n", before), "a part that is not there leaves no gap"
    assert 'id="task"' not in page


def test_the_page_has_its_data_in_compressed_form(page, sample):
    data = decompress(page, "data")
    assert json.loads(data) == json.loads(json.dumps(page_data(*sample)))
    assert data == json.dumps(json.loads(data), ensure_ascii=False, separators=(",", ":")), "no byte too many"
    assert "Plotly" in decompress(page, "plotly")


def test_the_policy_allows_only_the_scripts_and_styles_of_the_page(page):
    def source(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style.*?>(.*?)</style>", page, re.DOTALL)
    assert len(styles) == 2
    compressed = [decompress(page, name) for name in ("script", "plotly")]
    assert html.unescape(policy) == (
        f"default-src 'none'; script-src {' '.join(map(source, (script, *compressed)))}; "
        f"style-src {' '.join(map(source, styles))}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert compressed[0].startswith('(() => {\n"use strict";\n') and compressed[0].endswith("})();\n")
    # A script comes after those that it uses.
    assert 0 < compressed[0].index("const format =") < compressed[0].index("const HEADLINES")
    assert 0 == script.index("var fflate") < script.index("const loader")


def test_the_page_has_the_nearest_flip_of_a_value_and_of_what_is_not_known(sample):
    answer, timeline = sample
    weights = [FLIP, replace(FLIP, name="activity", text="Less activity, and Two comes first.")]
    values, unknowns = (
        [Flip(kind, name, TRL, 0.5, 0.25, UNSLOTH, f"{kind} {name}") for name in ("trend", "stars", "forks")]
        for kind in ("value", "unknown")
    )
    answer = replace(answer, flips=(*weights, *values, *unknowns))
    nearest = [*weights, values[0], unknowns[0]]
    assert list_nearest_flips(answer) == nearest
    assert answer_for_page(answer, timeline)["flips"] == [flip.text for flip in nearest]
    assert list_nearest_flips(replace(answer, flips=(*weights, *unknowns))) == [*weights, unknowns[0]]
