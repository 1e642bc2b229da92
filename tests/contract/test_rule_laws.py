"""Law 3: every rule shows both outcomes and stays silent on the unknown; malformed ones say so."""

from __future__ import annotations

import pytest

from advisor.decide.requirements import NAMES
from advisor.decide.rules import holds, judge, leaves, load_rules
from advisor.domain.files import data_folder
from advisor.errors import ConfigError
from advisor.metrics import METRICS

UNITS = {**{m.name: m.unit for m in METRICS.values()}, **NAMES}
RULES = [r for f in sorted((data_folder() / "rules").glob("*.toml")) for r in load_rules(f, UNITS)]


def test_there_are_rules():
    assert len(RULES) >= 5


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_a_rule_fires_on_its_example_with_its_numbers_and_on_nothing_unknown(rule):
    fired, _ = judge((rule,), rule.fires[0])
    assert fired[0].verdict == rule.verdict
    assert "{" not in fired[0].text
    assert all(holds(rule.when, e) is not True for e in rule.silent)
    silent, undecided = judge((rule,), {})
    assert silent == ()
    assert set(undecided[0].unknown) == {leaf.name for leaf in leaves(rule.when)}
    assert "unknown" in undecided[0].text


GOOD = """[[rule]]
id = "r"
verdict = "warn"
when = { name = "trend", op = "<", value = 0.5 }
reason = "{trend}"
fires = [{ trend = 0.1 }]
silent = [{ trend = 0.9 }]
"""


@pytest.mark.parametrize(("old", "new", "said"), [
    ('"trend", op', '"trned", op', "unknown name 'trned'"), ("value = 0.5", 'value = "x"', "number"),
    ('"<", value = 0.5', '"==", value = "x"', "never holds"), ('"<", value = 0.5', '"in", value = ["x"]', "a list of words"),
    ("{trend}", "{foo}", "unknown name {foo}"), ("{trend}", "{trend", "reason"),
    ('op = "<"', 'op = "<<"', "rule"), ("trend = 0.1", "trend = 0.8", "should fire"),
    ("trend = 0.9", "trend = 0.2", "should stay silent"), ('"warn"', '"maybe"', "verdict"),
    ("[[rule]]", "[[rule", ""), ("verdict", "verdikt", ""),
])  # fmt: skip
def test_a_malformed_rule_names_the_file_and_the_fault(tmp_path, old, new, said):
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    assert load_rules(path, UNITS)
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as raised:
        load_rules(path, UNITS)
    assert str(path) in str(raised.value)
    assert said in str(raised.value)
