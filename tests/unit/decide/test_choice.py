"""Which candidate is recommended: the first, or in a tie a default that the first does not clearly beat."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_answer import FIRST

from advisor.decide.acceptability import Acceptability
from advisor.decide.choice import choose
from advisor.model import Candidate


def contender(name, wins):
    return replace(FIRST, candidate=Candidate(f"o/{name}", name), wins=wins)


def shares(first_beats_default):
    return Acceptability({}, {"o/a": {"o/b": 0.5, "o/c": first_beats_default}}, {})


THREE = [contender("a", 0.5), contender("b", 0.3), contender("c", 0.2)]


@pytest.mark.parametrize(
    ("default", "beats", "expected"),
    [
        ("o/c", 0.7, "o/c"),
        ("o/c", 0.8, "o/a"),  # the first clearly beats the default
        ("o/a", 0.7, "o/a"),
        (None, 0.7, "o/a"),
        ("o/excluded", 0.7, "o/a"),
    ],
)
def test_a_tie(default, beats, expected):
    choice, certainty = choose(THREE, default, shares(beats))
    assert (choice.repository, certainty) == (expected, "tie")


@pytest.mark.parametrize(("wins", "certainty"), [(0.6, "leaning"), (0.8, "clear")])
def test_the_first_is_the_choice_if_it_is_not_a_tie(wins, certainty):
    contenders = [contender("a", wins), *THREE[1:]]
    choice, how_certain = choose(contenders, "o/c", shares(0.5))
    assert (choice.repository, how_certain) == ("o/a", certainty)


def test_one_candidate_is_no_comparison():
    choice, certainty = choose([contender("a", 1.0)], "o/a", Acceptability({}, {}, {}))
    assert (choice.repository, certainty) == ("o/a", "only")
    assert choose([], "o/a", Acceptability({}, {}, {})) == (None, "none")
