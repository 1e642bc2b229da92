"""Rules as data: a condition over the values of a candidate, a verdict, and a reason with numbers.

Logic is three-valued (Kleene): a comparison with an unknown value is unknown, and a rule fires only if its
condition is true. A condition may name every metric, its bounds, and the facts ``backer_kind`` and
``backer``. Unknown names and wrong types fail when the file is read. Every rule has an example that fires
and one that does not; reading the file tests them.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from advisor.domain.files import StrictModel, describe_error, read_toml
from advisor.errors import ConfigError, describe_unknown
from advisor.model import Candidate, Finding, Measurement, Verdict

Value = float | str
FACTS = ("backer", "backer_kind")
BOUNDS = ("_low", "_high")  # after the name of a metric: the bounds of its value


class Comparison(StrictModel):
    """``name op value``; ``in`` takes a list of words."""

    name: str
    op: Literal["<", "<=", ">", ">=", "==", "!=", "in"]
    value: float | str | tuple[str, ...]


class AllOf(StrictModel):
    """True if every part is true."""

    all: tuple[Condition, ...] = Field(min_length=1)


class AnyOf(StrictModel):
    """True if at least one part is true."""

    any: tuple[Condition, ...] = Field(min_length=1)


class NoneOf(StrictModel):
    """True if its part is false."""

    not_: Condition = Field(alias="not")


def _kind(value: Any) -> str:
    keys = value if isinstance(value, dict) else {}
    return next((k for k in ("all", "any", "not") if k in keys), "comparison")


Condition = Annotated[
    Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[NoneOf, Tag("not")]
    | Annotated[Comparison, Tag("comparison")],
    Discriminator(_kind),
]


class Rule(StrictModel):
    """One rule with its examples (name → value; a name without a value is unknown).

    A rule does not fire where ``unless`` is true; where that depends on an unknown value, it fires.
    """

    id: str
    verdict: Verdict
    when: Condition
    unless: Condition | None = None
    reason: str
    fires: tuple[Mapping[str, Value], ...] = Field(min_length=1)
    silent: tuple[Mapping[str, Value], ...] = Field(min_length=1)


class _RuleFile(StrictModel):
    rule: tuple[Rule, ...]


def list_comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield the comparisons of a condition, from left to right."""
    match condition:
        case AllOf(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from list_comparisons(part)
        case NoneOf(not_=part):
            yield from list_comparisons(part)
        case Comparison():
            yield condition


def is_true(condition: Condition, values: Mapping[str, Value]) -> bool | None:
    """Return whether the condition is true; None if that depends on an unknown value."""
    match condition:
        case AllOf(all=parts):
            results = [is_true(p, values) for p in parts]
            return False if False in results else None if None in results else True
        case AnyOf(any=parts):
            results = [is_true(p, values) for p in parts]
            return True if True in results else None if None in results else False
        case NoneOf(not_=part):
            result = is_true(part, values)
            return None if result is None else not result
        case Comparison():
            return _compare(condition, values.get(condition.name))


def _compare(comparison: Comparison, value: Value | None) -> bool | None:
    if value is None:
        return None
    limit, op = comparison.value, comparison.op
    if op == "in":
        return isinstance(limit, tuple) and value in limit
    if op in ("==", "!="):
        return (value == limit) is (op == "==")
    if not isinstance(value, int | float) or not isinstance(limit, int | float):
        return None
    return {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[op]


def fires(rule: Rule, values: Mapping[str, Value]) -> bool | None:
    """Return whether the rule fires; None if that depends on an unknown value of its condition."""
    if rule.unless is not None and is_true(rule.unless, values):
        return False
    return is_true(rule.when, values)


def describe_condition(condition: Condition, values: Mapping[str, Value]) -> str:
    """Write the condition as text, with the value of each name in brackets."""
    match condition:
        case AllOf(all=parts):
            return "(" + " and ".join(describe_condition(p, values) for p in parts) + ")"
        case AnyOf(any=parts):
            return "(" + " or ".join(describe_condition(p, values) for p in parts) + ")"
        case NoneOf(not_=part):
            return "not " + describe_condition(part, values)
        case Comparison(name=name, op=op, value=value):
            limit = ", ".join(value) if isinstance(value, tuple) else value
            return f"{name} {op} {limit} [{_format(values.get(name))}]"


def _format(value: Value | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.4g}" if isinstance(value, int | float) else value


class _ReasonFormatter(string.Formatter):
    """Write ``{name}`` as a number with a few digits, and ``{name:.0%}`` as Python does."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002 - string.Formatter calls it so
        return kwargs.get(str(key))

    def format_field(self, value: Any, spec: str) -> str:
        if value is None:
            return "an unknown number of"
        return format(value, spec) if spec else _format(value)


def load_rules(path: Path, metrics: Mapping[str, str]) -> tuple[Rule, ...]:
    """Read rules and check them.

    Args:
        path: the TOML file.
        metrics: name → unit of the values that a condition may use, besides the facts.

    Raises:
        ConfigError: not TOML, a malformed rule, an unknown name, a value of the wrong type, a reason that
            cannot be filled in, two rules with one id, or an example that gives the wrong result.
    """
    try:
        rules = _RuleFile.model_validate(read_toml(path)).rule
    except ValidationError as error:
        raise describe_error(path, error) from None
    units = {
        **{name + suffix: unit for name, unit in metrics.items() for suffix in ("", *BOUNDS)},
        **{f"{name}_reason": "status" for name in metrics},
        **dict.fromkeys((*FACTS, "evidence"), "status"),
    }
    ids: set[str] = set()
    for rule in rules:
        where = f"{path}: rule {rule.id!r}"
        if rule.id in ids:
            raise ConfigError(f"{where}: another rule has the same id")
        ids.add(rule.id)
        _check_names(rule, units, where)
        for example, should_fire in [(e, True) for e in rule.fires] + [(e, False) for e in rule.silent]:
            if (fires(rule, example) is True) is not should_fire:
                raise ConfigError(
                    f"{where}: the rule should {'fire' if should_fire else 'not fire'} on its example "
                    f"{dict(example)}: {describe_condition(rule.when, example)}"
                )
    return rules


def _check_names(rule: Rule, units: Mapping[str, str], where: str) -> None:
    conditions = [rule.when] if rule.unless is None else [rule.when, rule.unless]
    for comparison in (c for condition in conditions for c in list_comparisons(condition)):
        name, op, value = comparison.name, comparison.op, comparison.value
        if name not in units:
            known = {n: u for n, u in units.items() if not n.endswith((*BOUNDS, "_reason"))}
            raise ConfigError(f"{where}: {describe_unknown('name', name, known)}")
        is_word = units[name] == "status"
        if op in ("<", "<=", ">", ">=") and (is_word or not isinstance(value, float)):
            raise ConfigError(f"{where}: {name} {op} needs a number on both sides")
        if op in ("==", "!=") and is_word is not isinstance(value, str):
            kind = "a word" if is_word else "a number"
            raise ConfigError(f"{where}: {name} {op} {value!r}: {name} is {kind}, so compare it with {kind}")
        if op == "in" and (not is_word or not isinstance(value, tuple)):
            raise ConfigError(f"{where}: {name} in needs a word and a list of words")
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(rule.reason) if name]
    except ValueError as error:
        raise ConfigError(f"{where}: reason: {error}") from None
    for name in fields:
        if name not in units:
            raise ConfigError(f"{where}: reason: unknown name {{{name}}}; known: {', '.join(units)}")


def rule_values(candidate: Candidate, measurements: Mapping[str, Measurement]) -> dict[str, Value]:
    """Return the values that a condition may use: measured values, and facts of the domain file."""
    values: dict[str, Value] = {}
    for name, m in measurements.items():
        bounds = zip(("", *BOUNDS), (m.value, m.low, m.high), strict=True)
        values |= {name + suffix: value for suffix, value in bounds if value is not None}
        if m.reason and m.value is not None:
            values[f"{name}_reason"] = m.reason
    for fact in FACTS:
        if (value := getattr(candidate, fact)) is not None:
            values[fact] = value
    if (status := measurements.get("declared_status")) and status.reason:
        values["evidence"] = status.reason
    return values


def apply_rules(
    rules: tuple[Rule, ...], values: Mapping[str, Value]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings of the rules that fire, and of the rules that need an unknown value."""
    findings, open_findings = [], []
    for rule in rules:
        outcome = fires(rule, values)
        if outcome is True:
            text = _ReasonFormatter().vformat(rule.reason, (), dict(values))
            findings.append(Finding(rule.id, rule.verdict, text))
        elif outcome is None:
            unknown = tuple(
                dict.fromkeys(x.name for x in list_comparisons(rule.when) if x.name not in values)
            )
            open_findings.append(
                Finding(rule.id, rule.verdict, describe_condition(rule.when, values), unknown)
            )
    return tuple(findings), tuple(open_findings)
