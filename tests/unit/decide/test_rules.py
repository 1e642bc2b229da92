"""The logic of rules, against Kleene's tables; comparisons at their very edge; what a rule may know, and says."""

from __future__ import annotations

from itertools import product

import pytest
from pydantic import TypeAdapter

from advisor.decide import rules
from advisor.model import Candidate, Measurement

KNOWN = {True: {"name": "a", "op": "==", "value": 1}, False: {"name": "a", "op": "==", "value": 2},
         None: {"name": "b", "op": "==", "value": 1}}  # fmt: skip
VALUES = {"a": 1.0}
LOGIC = (True, False, None)
read = TypeAdapter(rules.Condition).validate_python


def kleene_and(parts):
    return False if False in parts else None if None in parts else True


@pytest.mark.parametrize("parts", [*product(LOGIC, LOGIC)])
def test_all_any_and_not_are_kleenes(parts):
    written = [KNOWN[p] for p in parts]
    assert rules.holds(read({"all": written}), VALUES) is kleene_and(parts)
    turned = kleene_and([None if p is None else not p for p in parts])
    assert rules.holds(read({"any": written}), VALUES) is (None if turned is None else not turned)
    first = parts[0]
    assert rules.holds(read({"not": written[0]}), VALUES) is (None if first is None else not first)


@pytest.mark.parametrize(("op", "below", "at", "above"), [
    ("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True),
    ("==", False, True, False), ("!=", True, False, True),
])  # fmt: skip
def test_an_operator_below_at_and_above(op, below, at, above):
    leaf = read({"name": "a", "op": op, "value": 2.0})
    assert [rules.holds(leaf, {"a": v}) for v in (1.0, 2.0, 3.0)] == [below, at, above]
    assert rules.holds(leaf, {}) is None


def test_words_are_in_a_list_or_not_and_have_no_order():
    leaf = read({"name": "w", "op": "in", "value": ["x", "y"]})
    assert [rules.holds(leaf, {"w": w}) for w in ("x", "z")] == [True, False]
    assert rules.holds(read({"name": "w", "op": "<", "value": 2.0}), {"w": "x"}) is None
    assert rules.holds(read({"name": "a", "op": "<", "value": "x"}), {"a": 1.0}) is None


def test_a_condition_in_words_with_what_was_found():
    no_word = {"not": {"name": "w", "op": "in", "value": ["x", "y"]}}
    both = {"all": [{"name": "a", "op": "<", "value": 2.0}, no_word]}
    assert rules.describe(read(both), {"a": 1234.5}) == "(a < 2.0 [1,234] and not w in x, y [unknown])"
    either = read({"any": [KNOWN[True], KNOWN[None]]})
    assert rules.describe(either, {"a": 1.0, "b": "word"}) == "(a == 1.0 [1] or b == 1.0 [word])"
    nested = read({"any": [{"not": KNOWN[None]}, both]})
    assert [leaf.name for leaf in rules.leaves(nested)] == ["b", "a", "w"]


def measured(metric, value, reason=None):
    return Measurement(
        "o/n", metric, "measured" if value is not None else "unavailable", value, reason=reason
    )


def test_a_rule_knows_the_measured_the_backer_and_the_sentence():
    candidate = Candidate(repository="o/n", name="n", backer="B", backer_kind=None)
    found = {"stars": measured("stars", 3.0), "forks": measured("forks", None, "no facts"),
             "declared_status": measured("declared_status", "archived", "We stop.")}  # fmt: skip
    assert rules.values_of(candidate, found) == {
        "stars": 3.0, "declared_status": "archived", "backer": "B", "evidence": "We stop."}  # fmt: skip
    quiet = {"declared_status": measured("declared_status", "active", "")}
    assert "evidence" not in rules.values_of(candidate, quiet)
    assert "evidence" not in rules.values_of(candidate, {})


def test_what_fired_and_what_could_not_be_told():
    rule = rules.Rule.model_validate({
        "id": "r", "verdict": "warn", "when": {"any": [KNOWN[True], KNOWN[None], {"not": KNOWN[None]}]},
        "reason": "{a} of {b}, {a:.0%}", "fires": [{"a": 1.0}], "silent": [{}],
    })  # fmt: skip
    (fired,), undecided = rules.judge((rule,), VALUES)
    assert (fired.rule, fired.verdict, fired.text, undecided) == (
        "r",
        "warn",
        "1 of an unknown number of, 100%",
        (),
    )
    fired_now, (open_,) = rules.judge((rule,), {"a": 2.0})
    assert (fired_now, open_.rule, open_.verdict, open_.unknown) == ((), "r", "warn", ("b",))


def test_two_rules_of_one_id(tmp_path):
    text = (
        '[[rule]]\nid = "r"\nverdict = "warn"\nwhen = { name = "s", op = ">", value = 1 }\nreason = "{s}"\n'
    )
    text += "fires = [{ s = 2 }]\nsilent = [{ s = 1 }]\n"
    (tmp_path / "r.toml").write_text(text + text)
    with pytest.raises(rules.ConfigError, match=r"rule 'r': there are two rules of this name"):
        rules.load_rules(tmp_path / "r.toml", {"s": "stars"})
