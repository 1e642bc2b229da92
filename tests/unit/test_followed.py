"""Each figure that `advisor explain` shows can be followed: to a commit, or to a dated source."""

from __future__ import annotations

import json
import re
import sys
from contextlib import redirect_stdout
from datetime import date
from io import StringIO

import pytest

from advisor.cli import main
from advisor.domain.domain import load_domain

CANDIDATES = [c.repository for c in load_domain("finetuning").candidates]
# A history at a commit, a file of a repository at a commit, an index by name; nothing else can be looked up.
SOURCE = re.compile(
    r"git:[\w.-]+/[\w.-]+@[0-9a-f]{12}( \([^()]+\))?"
    r"|[\w.-]+/[\w.-]+@[0-9a-f]{12} [\w./-]+"
    r"|history of [\w.-]+/[\w.-]+ by \d{4}-\d\d-\d\d: numbers of its issues and change requests"
    r"|package index: transformers, mappings of its language models"
    r"|uv lock of [\w.-]+"  # of the version that the package index had on that day
)
SHA = "[0-9a-f]{40}"


@pytest.fixture(scope="module", params=CANDIDATES)
def explained(request):
    arguments = ["explain", request.param, "--store", "bundled", "--format"]
    return json.loads(run(*arguments, "json")), run(*arguments, "table")


def run(*arguments):
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setattr(sys, "argv", ["advisor", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    return out.getvalue()


def test_every_number_names_its_sources_and_their_days(explained):
    content, text = explained
    as_of = date.fromisoformat(content["as_of"])
    measured = [m for m in content["ranked"]["measurements"] if m["status"] == "measured"]
    assert len(measured) > 20
    for m in measured:
        assert m["sources"], m["metric"]
        assert [s for s in m["sources"] if not SOURCE.fullmatch(s)] == [], m["metric"]
        assert date.fromisoformat(m["first_day"]) <= date.fromisoformat(m["last_day"]) <= as_of, m["metric"]
        block = re.split(rf"\n  \S.* = .*\({m['metric']}\)\n", text)[1].split("\n  ", 1)[1]
        assert f"facts from {m['first_day']} to {m['last_day']}" in block
        assert all(f"source: {s}\n" in block for s in m["sources"])


def test_what_is_not_measured_says_why(explained):
    content, _ = explained
    assert [
        m["metric"]
        for m in content["ranked"]["measurements"]
        if m["status"] != "measured" and not m["reason"]
    ] == []


def test_coverage_leads_to_a_path_and_a_commit_and_the_weights_to_an_address(explained):
    content, text = explained
    for e in content["models"]:
        commit = f"transformers [\\d.]+; {SHA}" if e["route"] == "transformers" else SHA
        assert re.fullmatch(commit, e["commit"]), e
        assert e["path"] and e["name"], e
        assert e["release_source"].startswith("https://"), e
        assert f"{e['path']} at commit {e['commit']}; weights public since {e['released_on']}" in text


def test_the_backer_has_a_dated_source(explained):
    content, text = explained
    backer = content["ranked"]["candidate"]
    assert backer["backer_source"].startswith("https://")
    assert date.fromisoformat(backer["backer_as_of"])
    assert f"({backer['backer_source']}, read {backer['backer_as_of']})" in text
