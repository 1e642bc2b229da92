"""Law 3: every rule fires on its example and not on unknown values; a malformed rule raises."""

from __future__ import annotations

import pytest

from advisor.decide.requirements import NAMES
from advisor.decide.rules import apply_rules, fires, list_comparisons, load_rules
from advisor.domain.files import data_folder
from advisor.errors import ConfigError
from advisor.metrics import METRICS

UNITS = {**{m.name: m.unit for m in METRICS.values()}, **NAMES}
RULES = [r for f in sorted((data_folder() / "rules").glob("*.toml")) for r in load_rules(f, UNITS)]


def test_there_are_rules():
    assert len(RULES) >= 5


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_a_rule_fires_on_its_example_and_not_on_unknown_values(rule):
    findings, _ = apply_rules((rule,), rule.fires[0])
    assert findings[0].verdict == rule.verdict
    assert "{" not in findings[0].text
    assert all(fires(rule, e) is not True for e in rule.silent)
    findings, open_findings = apply_rules((rule,), {})
    assert findings == ()
    assert set(open_findings[0].unknown) == {leaf.name for leaf in list_comparisons(rule.when)}
    assert "unknown" in open_findings[0].text


def test_an_exception_counts_only_where_it_is_known():
    (abandoned,) = (r for r in RULES if r.id == "abandoned")
    assert fires(abandoned, {"days_since_last_commit": 400}) is True
    assert fires(abandoned, {"days_since_last_commit": 400, "downloads": 5e6}) is False
    assert fires(abandoned, {"days_since_last_commit": 731, "downloads": 5e6}) is True
    assert fires(abandoned, {"downloads": 5e6}) is None


GOOD = """[[rule]]
id = "r"
verdict = "warn"
when = { name = "trend", op = "<", value = 0.5 }
reason = "{trend}"
fires = [{ trend = 0.1 }]
silent = [{ trend = 0.9 }]
"""


@pytest.mark.parametrize(("old", "new", "message"), [
    ('"trend", op', '"trned", op', "unknown name 'trned'"), ("value = 0.5", 'value = "x"', "number"),
    ('"<", value = 0.5', '"==", value = "x"', "is a number, so compare it with a number"), ('"<", value = 0.5', '"in", value = ["x"]', "a list of words"),
    ("{trend}", "{foo}", "unknown name {foo}"), ("{trend}", "{trend", "reason"),
    ('op = "<"', 'op = "<<"', "rule"), ("trend = 0.1", "trend = 0.8", "should fire"),
    ("trend = 0.9", "trend = 0.2", "should not fire"), ('"warn"', '"maybe"', "verdict"),
    ("[[rule]]", "[[rule", ""), ("verdict", "verdikt", ""),
    ("reason =", 'unless = { name = "trned", op = "<", value = 0.3 }\nreason =', "unknown name 'trned'"),
    ("reason =", 'unless = { name = "trend", op = "<", value = 0.3 }\nreason =', "should fire"),
])  # fmt: skip
def test_a_malformed_rule_names_the_file_and_the_fault(tmp_path, old, new, message):
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    assert load_rules(path, UNITS)
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as raised:
        load_rules(path, UNITS)
    assert str(path) in str(raised.value)
    assert message in str(raised.value)
