"""The badge says the choice in a README, and stays a valid SVG whatever a name contains."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.report import badge

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def answer():
    return recommend(read_request(Request()))


def read_texts(text):
    root = ET.fromstring(text)
    return root, [node.text for node in root.iter(f"{SVG}text")]


def test_the_badge_says_the_choice_its_score_and_its_wins(answer):
    choice = answer.first_choice
    root, texts = read_texts(badge.render(answer))
    assert texts == ["advisor: finetuning", f"{choice.candidate.name} {choice.score:.0f}, first in {choice.wins:.0%}"]  # fmt: skip
    assert root.find(f"{SVG}title").text.endswith(f"a clear choice, as of {answer.as_of}")
    assert root.get("aria-label") == root.find(f"{SVG}title").text
    assert badge.render(answer) == badge.render(answer)
    boxes = list(root.iter(f"{SVG}rect"))[1:]
    assert int(root.get("width")) == sum(int(box.get("width")) for box in boxes)


def test_a_hostile_name_stays_text(answer):
    evil = '"><script>alert(1)</script>&'
    ranking = [
        replace(r, candidate=replace(r.candidate, name=evil)) if r.repository == answer.choice else r
        for r in answer.ranking
    ]
    root, texts = read_texts(badge.render(replace(answer, ranking=tuple(ranking))))
    assert evil in texts[1]
    assert not list(root.iter(f"{SVG}script"))


@pytest.mark.parametrize(("changes", "message"), [
    ({"choice": None, "certainty": "none"}, "nothing suitable"),
    ({"certainty": "only"}, "unsloth 74"),
])  # fmt: skip
def test_without_a_comparison_no_share_is_said(answer, changes, message):
    assert read_texts(badge.render(replace(answer, **changes)))[1][1] == message
