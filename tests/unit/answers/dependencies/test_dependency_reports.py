"""Each format of the report on the same four packages, word for word."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date

import pytest

import advisor
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.health import Alternative, Dependencies, Health
from advisor.model import Candidate, Finding, Outlook, ScoredCandidate
from advisor.report.dependencies import csv as as_csv
from advisor.report.dependencies import json as as_json
from advisor.report.dependencies import markdown, sarif, text
from advisor.report.dependencies.rows import alternatives, headline, row

DAY = date(2026, 7, 1)
YEAR = Outlook(12, 0.5, 0.4, 0.6, abstained=False)
OUT = Finding("declared-end", "exclude", "its end was declared")
WARN = Finding("few-people", "warn", "one person does it all")
GOOD = Finding("well-kept", "prefer", "it is well kept")


def build_health(name, score, low, high, *, ecosystem="pypi", outlook=(), findings=(), better=(), **more):
    is_excluded = OUT in findings
    candidate = ScoredCandidate(
        candidate=Candidate(f"o/{name}", name), score=score, low=low, high=high, coverage=0.75, excluded=is_excluded,
        criteria=(), findings=findings, undecided=(), measurements=(), outlook=outlook,
    )  # fmt: skip
    dependency = Dependency(ecosystem, name, **{"file": "sub dir/req.txt", "line": 4, **more})
    return Health(dependency, f"o/{name}", "a table", candidate, DAY, "", better)


BETTER = (Alternative("new", "o/new", 71.6, "HTTP clients"), Alternative("newer", "o/newer", 60.4, "Other"))
OLD = build_health("old", 10.4, 5.5, 20.4, findings=(WARN, GOOD, OUT), better=BETTER, groups=("dev", "docs"))
WEAK = build_health("weak", 30.0, 20.0, 40.0, ecosystem="npm", findings=(WARN,), better=BETTER[:1], version="1.0",
          outlook=(YEAR, Outlook(24, 0.25, 0.2, 0.3, abstained=False)))  # fmt: skip
FINE = build_health("fine", 80.0, 70.0, 90.0, findings=(GOOD,), better=BETTER[:1], file="/abs/r.txt")
NO_SCORE = Health(Dependency("conda", "lost", "env.yml", 2), None, "", unknown="its repository is not known")
ANSWER = Dependencies(("req.txt", "env.yml"), "balanced", {"activity": 1.0}, (OLD, WEAK, FINE), (NO_SCORE,))


def test_the_cells_of_a_package():
    assert row(OLD) == ["old", "out", "6–20", "75%", "?", "?", "o/old", "2026-07-01"]
    assert row(WEAK) == [
        "weak (npm)",
        "30",
        "20–40",
        "75%",
        "25% [20%–30%]",
        "23% [19%–26%]",
        "o/weak",
        "2026-07-01",
    ]
    without_repository = replace(build_health("x", None, 0.0, 100.0), repository=None)
    assert (row(without_repository)[1], row(without_repository)[6], alternatives(without_repository)) == (
        "?",
        "?",
        "",
    )


def test_the_headline_counts_packages_below_the_threshold():
    assert headline(ANSWER, None) == "3 of 4 packages have a score"
    assert (
        headline(ANSWER, 30.0)
        == "3 of 4 packages have a score; 0 are below 30; 1 is excluded by a rule, which fails at any score: old"
    )
    assert (
        headline(ANSWER, 30.5)
        == "3 of 4 packages have a score; 1 is below 30.5 (none for certain); 1 is excluded by a rule, which fails at any score: old"
    )
    zero = build_health("zero", 0.0, 0.0, 0.0)
    assert zero.is_below(0.5) and not zero.is_below(0.0) and not NO_SCORE.is_below(100.0)
    assert (zero.score, NO_SCORE.score) == (0.0, None)


def test_text_for_a_terminal():
    assert text.render(ANSWER, 40.0, 150).splitlines() == [
        "req.txt, env.yml: goal balanced",
        "",
        "3 of 4 packages have a score; 1 is below 40 (none for certain); 1 is excluded by a rule, which fails at any score: old",
        "",
        "package     score  range  evidence  abandoned in 24 months     at this score  repository       as of                needed by",
        "old           out   6–20       75%                       ?                 ?       o/old  2026-07-01  the project (dev, docs)",
        "weak (npm)     30  20–40       75%           25% [20%–30%]     23% [19%–26%]      o/weak  2026-07-01              the project",
        "fine           80  70–90       75%                       ?  0.4% [0.1%–2.6%]      o/fine  2026-07-01              the project",
        "",
        "  old:",
        "    - its end was declared",
        "    - one person does it all",
        "    - http clients with a higher score: new 72, newer 60",
        "",
        "  weak (npm):",
        "    - one person does it all",
        "    - http clients with a higher score: new 72",
        "",
        "  no score:",
        "    - lost (conda) (env.yml:2): its repository is not known",
        "",
        *text.LEGEND,
    ]  # fmt: skip


def test_text_of_a_risk_without_an_alternative():
    alone = build_health("alone", 30.0, 20.0, 40.0, findings=(WARN,))
    content = text.render(Dependencies(("r.txt",), "balanced", {}, (alone,), ()))
    legend = "\n".join(text.LEGEND)
    assert content.endswith(f"  alone:\n    - one person does it all\n\n{legend}\n")


def test_markdown_for_a_pull_request():
    content = markdown.render(ANSWER, 40.0)
    heading, summary, risky, *rest = content.split("\n\n")
    assert (heading, summary) == (
        "## Health of dependencies",
        "req.txt, env.yml: 3 of 4 packages have a score; 1 is below 40 (none for certain); 1 is excluded by a rule, which fails at any score: old. Goal balanced.",
    )
    assert risky.splitlines() == [
        "| package | score | range | evidence | abandoned in 24 months | at this score | repository | as of | needed by | risks and alternatives |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ("| **old** | out | 6–20 | 75% | ? | ? | [o/old](https://github.com/o/old) | 2026-07-01 | the project (dev, docs) | its end was declared"
        "<br>one person does it all<br>http clients with a higher score: new 72, newer 60 |"),
        (r"| **weak (npm)** | 30 | 20–40 | 75% | 25% \[20%–30%\] | 23% \[19%–26%\] | [o/weak](https://github.com/o/weak) | 2026-07-01 | the project"
        " | one person does it all<br>http clients with a higher score: new 72 |"),
    ]  # fmt: skip
    assert rest[0] == "<details><summary>1 more</summary>" and rest[1].splitlines()[2].startswith(
        "| **fine** |"
    )
    assert rest[2:] == [
        "</details>", "<details><summary>1 without a score</summary>",
        "- lost (conda) (env.yml:2): its repository is not known", "</details>\n",
    ]  # fmt: skip


def test_markdown_without_a_risk_shows_ten_and_folds_the_rest():
    fine = [build_health(f"p{n}", 80.0, 70.0, 90.0) for n in range(12)]
    content = markdown.render(Dependencies(("r.txt",), "balanced", {}, tuple(fine), ()))
    above, below = content.split("<details><summary>2 more</summary>")
    assert above.count("| **p") == 10 and below.count("| **p") == 2
    assert markdown.render(Dependencies(("r.txt",), "balanced", {}, (FINE,), ())).count("<details>") == 0
    unknown = markdown.render(Dependencies(("r.txt",), "balanced", {}, (), (NO_SCORE, NO_SCORE)))
    assert "<summary>2 without a score</summary>" in unknown and unknown.count("\n- lost (conda)") == 2
    # A package at the threshold passes; a point higher all fail.
    assert "12 more" not in markdown.render(Dependencies((), "balanced", {}, tuple(fine), ()), 80.0)
    assert markdown.render(Dependencies((), "balanced", {}, tuple(fine), ()), 81.0).count("more<") == 0


def test_sarif_of_findings_scores_and_packages_without_a_score():
    log = json.loads(sarif.render(ANSWER, 80.0))
    assert (log["$schema"], log["version"], len(log["runs"])) == (sarif.SCHEMA, "2.1.0", 1)
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("advisor", advisor.__version__)
    assert run["columnKind"] == "unicodeCodePoints"
    assert [
        (r["id"], r["shortDescription"]["text"], r["defaultConfiguration"]["level"]) for r in driver["rules"]
    ] == [
        ("below-score", "The health score is below --fail-under", "error"),
        ("declared-end", "Declared end", "error"),
        ("few-people", "Few people", "warning"),
    ]
    assert {tuple(r["properties"]["tags"]) for r in driver["rules"]} == {("dependencies", "maintenance")}
    both, one = (
        " (http clients with a higher score: new 72, newer 60)",
        " (http clients with a higher score: new 72)",
    )
    assert [(r["ruleId"], r["ruleIndex"], r["level"], r["message"]["text"]) for r in run["results"]] == [
        ("few-people", 2, "warning", "old: one person does it all"),
        ("declared-end", 1, "error", f"old: its end was declared{both}"),
        ("below-score", 0, "error", f"old: health 10 is below 80{both}"),
        ("few-people", 2, "warning", "weak (npm): one person does it all"),
        ("below-score", 0, "error", f"weak (npm): health 30 is below 80{one}"),
    ]
    first, last = run["results"][0], run["results"][-1]
    place = {"uri": "sub%20dir/req.txt", "uriBaseId": "%SRCROOT%"}
    assert first["locations"] == [
        {"physicalLocation": {"artifactLocation": place, "region": {"startLine": 4}}}
    ]
    fingerprints = [r["partialFingerprints"] for r in run["results"]]
    assert fingerprints[0]["advisor/v1"] == "few-people:pypi:old"
    assert len({f["primaryLocationLineHash"] for f in fingerprints}) == len(run["results"])
    assert first["properties"] == {"score": 10.4, "repository": "o/old", "is_claim": False}
    assert last["properties"] == {"score": 30.0, "repository": "o/weak", "is_claim": False}
    unknown = json.loads(sarif.render(replace(ANSWER, fails_unknown=True), 80.0))["runs"][0]["results"][-1]
    assert (unknown["ruleId"], unknown["level"], unknown["message"]["text"]) == (
        "unknown-health", "error", "lost (conda): its repository is not known",
    )  # fmt: skip
    assert unknown["properties"] == {"score": None, "repository": None, "is_claim": False}


def test_sarif_without_alternatives_and_with_an_absolute_path():
    alone = build_health("alone", 10.0, 0.0, 20.0, findings=(OUT,), file="/abs/my r.txt")
    answer = Dependencies((), "balanced", {}, (alone, build_health("unmeasured", None, 0.0, 100.0)), ())
    results = json.loads(sarif.render(answer, 20.0))["runs"][0]["results"]
    assert [r["message"]["text"] for r in results] == [
        "alone: its end was declared", "alone: health 10 is below 20; it may be up to 20",
    ]  # fmt: skip
    artifact = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "file:///abs/my%20r.txt"}
    without_threshold = json.loads(sarif.render(answer))["runs"][0]["results"]
    assert [r["ruleId"] for r in without_threshold] == ["declared-end"]


def test_csv_has_empty_cells_for_unknown_values():
    assert "\r" not in as_csv.render(ANSWER)
    rows = list(csv.DictReader(as_csv.render(ANSWER).splitlines()))
    assert list(rows[0].values()) == [
        "pypi", "old", "", "sub dir/req.txt", "4", "dev docs", "o/old", "a table", "2026-07-01", "10.4", "5.5", "20.4",
        "0.75", "True", "", "", "", "", "its end was declared; one person does it all", "new; newer", "",
        "False", "the project (dev, docs)", *[""] * 8,
    ]  # fmt: skip
    ends = ("", "_low", "_high")
    assert [rows[1][f"abandoned_at_this_score{end}"] for end in ends] == ["0.2265", "0.1939", "0.2628"]
    assert (rows[1]["version"], rows[1]["inactive_in_24_months"], rows[1]["excluded"]) == (
        "1.0", "0.25", "False",
    )  # fmt: skip
    assert list(rows[3].values()) == [
        "conda", "lost", "", "env.yml", "2", "", *[""] * 14, "its repository is not known", "False",
        "the project", *[""] * 8,
    ]  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_begins_a_formula(start):
    odd = Health(Dependency("npm", f"{start}x", "r"), unknown="?")
    (only,) = csv.DictReader(as_csv.render(Dependencies((), "g", {}, (), (odd,))).splitlines())
    assert only["package"] == f"'{start}x"


def test_json_has_every_number_and_no_rank():
    content = as_json.render(ANSWER, 31.0)
    assert content.startswith('{\n "schema": "urn:library-advisor:dependencies:1",\n') and content.endswith(
        "}\n"
    )
    assert '"its end was declared"' in content and "–" not in content
    content = json.loads(content)
    assert {k: content[k] for k in ("files", "goal", "weights", "fail_under", "below")} == {
        "files": ["req.txt", "env.yml"], "goal": "balanced", "weights": {"activity": 1.0}, "fail_under": 31.0,
        "below": ["old", "weak"],
    }  # fmt: skip
    assert [e["name"] for e in content["known"]] == ["old", "weak", "fine"]
    assert content["excluded"] == ["old"]
    shares = [e["abandoned_at_this_score"] for e in content["known"]]
    assert shares[:2] == [None, {"share": 0.2265, "low": 0.1939, "high": 0.2628}]
    weak, without_score = content["known"][1], content["unknown"][0]
    assert (weak["ecosystem"], weak["version"], weak["repository"], weak["as_of"]) == (
        "npm", "1.0", "o/weak", "2026-07-01",
    )  # fmt: skip
    assert {"rank", "wins", "acceptability", "central_weights"}.isdisjoint(weak["ranked"])
    assert weak["ranked"]["score"] == 30.0 and "dependency" not in weak
    assert (without_score["ranked"], without_score["unknown"]) == (None, "its repository is not known")
    assert json.loads(as_json.render(ANSWER))["below"] == []
    odd = Health(Dependency("npm", "ü", "r"), unknown="?")
    assert '"ü"' in as_json.render(Dependencies((), "g", {}, (), (odd,)))
