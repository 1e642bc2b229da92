"""Rules: Kleene's logic, comparisons at their limits, and the values and texts of rules."""

from __future__ import annotations

from itertools import product

import pytest
from pydantic import TypeAdapter

from advisor.decide import rules
from advisor.model import Candidate, Measurement

COMPARISONS = {True: {"name": "a", "op": "==", "value": 1}, False: {"name": "a", "op": "==", "value": 2},
         None: {"name": "b", "op": "==", "value": 1}}  # fmt: skip
VALUES = {"a": 1.0}
LOGIC = (True, False, None)
read = TypeAdapter(rules.Condition).validate_python


def kleene_and(parts):
    return False if False in parts else None if None in parts else True


@pytest.mark.parametrize("parts", [*product(LOGIC, LOGIC)])
def test_all_any_and_not_are_kleenes(parts):
    conditions = [COMPARISONS[p] for p in parts]
    assert rules.is_true(read({"all": conditions}), VALUES) is kleene_and(parts)
    negation = kleene_and([None if p is None else not p for p in parts])
    assert rules.is_true(read({"any": conditions}), VALUES) is (None if negation is None else not negation)
    first = parts[0]
    assert rules.is_true(read({"not": conditions[0]}), VALUES) is (None if first is None else not first)


@pytest.mark.parametrize(("op", "below", "at", "above"), [
    ("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True),
    ("==", False, True, False), ("!=", True, False, True),
])  # fmt: skip
def test_an_operator_below_at_and_above_its_limit(op, below, at, above):
    leaf = read({"name": "a", "op": op, "value": 2.0})
    assert [rules.is_true(leaf, {"a": v}) for v in (1.0, 2.0, 3.0)] == [below, at, above]
    assert rules.is_true(leaf, {}) is None


def test_words_may_be_in_a_list_and_have_no_order():
    leaf = read({"name": "w", "op": "in", "value": ["x", "y"]})
    assert [rules.is_true(leaf, {"w": w}) for w in ("x", "z")] == [True, False]
    assert rules.is_true(read({"name": "w", "op": "<", "value": 2.0}), {"w": "x"}) is None
    assert rules.is_true(read({"name": "a", "op": "<", "value": "x"}), {"a": 1.0}) is None


def test_a_condition_as_text_with_its_values():
    no_word = {"not": {"name": "w", "op": "in", "value": ["x", "y"]}}
    both = {"all": [{"name": "a", "op": "<", "value": 2.0}, no_word]}
    assert (
        rules.describe_condition(read(both), {"a": 1234.5}) == "(a < 2.0 [1,234] and not w in x, y [unknown])"
    )
    either = read({"any": [COMPARISONS[True], COMPARISONS[None]]})
    assert rules.describe_condition(either, {"a": 1.0, "b": "word"}) == "(a == 1.0 [1] or b == 1.0 [word])"
    nested = read({"any": [{"not": COMPARISONS[None]}, both]})
    assert [leaf.name for leaf in rules.list_comparisons(nested)] == ["b", "a", "w"]


def measurement(metric, value, reason=None):
    return Measurement(
        "o/n", metric, "measured" if value is not None else "unavailable", value, reason=reason
    )


def test_a_rule_uses_measurements_backer_and_declared_status():
    candidate = Candidate(repository="o/n", name="n", backer="B", backer_kind=None)
    measurements = {"stars": measurement("stars", 3.0), "forks": measurement("forks", None, "no facts"),
             "declared_status": measurement("declared_status", "archived", "We stop.")}  # fmt: skip
    assert rules.rule_values(candidate, measurements) == {
        "stars": 3.0, "declared_status": "archived", "backer": "B", "evidence": "We stop.",
        "declared_status_reason": "We stop."}  # fmt: skip
    without_reason = {"declared_status": measurement("declared_status", "active", "")}
    assert "evidence" not in rules.rule_values(candidate, without_reason)
    assert "evidence" not in rules.rule_values(candidate, {})


def test_findings_and_open_findings():
    rule = rules.Rule.model_validate({
        "id": "r", "verdict": "warn", "when": {"any": [COMPARISONS[True], COMPARISONS[None], {"not": COMPARISONS[None]}]},
        "reason": "{a} of {b}, {a:.0%}", "fires": [{"a": 1.0}], "silent": [{}],
    })  # fmt: skip
    (finding,), open_findings = rules.apply_rules((rule,), VALUES)
    assert (finding.rule, finding.verdict, finding.text, open_findings) == (
        "r",
        "warn",
        "1 of an unknown number of, 100%",
        (),
    )
    findings, (open_finding,) = rules.apply_rules((rule,), {"a": 2.0})
    assert (findings, open_finding.rule, open_finding.verdict, open_finding.unknown) == (
        (),
        "r",
        "warn",
        ("b",),
    )


def test_two_rules_with_one_id(tmp_path):
    text = (
        '[[rule]]\nid = "r"\nverdict = "warn"\nwhen = { name = "s", op = ">", value = 1 }\nreason = "{s}"\n'
    )
    text += "fires = [{ s = 2 }]\nsilent = [{ s = 1 }]\n"
    (tmp_path / "r.toml").write_text(text + text)
    with pytest.raises(rules.ConfigError, match=r"rule 'r': another rule has the same id"):
        rules.load_rules(tmp_path / "r.toml", {"s": "stars"})
