"""Rules as data: a condition over what is known of a candidate, a verdict, a reason with numbers.

Logic is three-valued (Kleene): a comparison with something unknown is unknown, and a rule whose
condition is not true does not fire. Names that a condition may use: every metric, and the facts
``backer_kind`` and ``backer``. Unknown names and wrong types fail when the file is read, and
every rule carries an example that fires and one that does not, which are its test.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from advisor.domain.files import StrictModel, describe_error, read_toml
from advisor.errors import ConfigError
from advisor.model import Candidate, Finding, Measurement, Verdict

Value = float | str
FACTS = ("backer", "backer_kind")


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
    """One rule with its examples (name → value; a name that is not given is unknown)."""

    id: str
    verdict: Verdict
    when: Condition
    reason: str
    fires: tuple[Mapping[str, Value], ...] = Field(min_length=1)
    silent: tuple[Mapping[str, Value], ...] = Field(min_length=1)


class _RuleFile(StrictModel):
    rule: tuple[Rule, ...]


def leaves(condition: Condition) -> Iterator[Comparison]:
    """The comparisons of a condition, from left to right."""
    match condition:
        case AllOf(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from leaves(part)
        case NoneOf(not_=part):
            yield from leaves(part)
        case Comparison():
            yield condition


def holds(condition: Condition, values: Mapping[str, Value]) -> bool | None:
    """Whether the condition is true; None if that depends on something unknown."""
    match condition:
        case AllOf(all=parts):
            found = [holds(p, values) for p in parts]
            return False if False in found else None if None in found else True
        case AnyOf(any=parts):
            found = [holds(p, values) for p in parts]
            return True if True in found else None if None in found else False
        case NoneOf(not_=part):
            inner = holds(part, values)
            return None if inner is None else not inner
        case Comparison():
            return _compare(condition, values.get(condition.name))


def _compare(leaf: Comparison, known: Value | None) -> bool | None:
    if known is None:
        return None
    if leaf.op == "in":
        return isinstance(leaf.value, tuple) and known in leaf.value
    if leaf.op in ("==", "!="):
        return (known == leaf.value) is (leaf.op == "==")
    if not isinstance(known, int | float) or not isinstance(leaf.value, int | float):
        return None
    return {
        "<": known < leaf.value,
        "<=": known <= leaf.value,
        ">": known > leaf.value,
        ">=": known >= leaf.value,
    }[leaf.op]


def describe(condition: Condition, values: Mapping[str, Value]) -> str:
    """The condition in words, leaf by leaf, with what was found for each."""
    match condition:
        case AllOf(all=parts):
            return "(" + " and ".join(describe(p, values) for p in parts) + ")"
        case AnyOf(any=parts):
            return "(" + " or ".join(describe(p, values) for p in parts) + ")"
        case NoneOf(not_=part):
            return "not " + describe(part, values)
        case Comparison(name=name, op=op, value=value):
            wanted = ", ".join(value) if isinstance(value, tuple) else value
            return f"{name} {op} {wanted} [{_show(values.get(name))}]"


def _show(value: Value | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.4g}" if isinstance(value, int | float) else value


class _Numbers(string.Formatter):
    """``{name}`` as a number with a few digits; ``{name:.0%}`` as Python writes it."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002 - string.Formatter calls it so
        return kwargs.get(str(key))

    def format_field(self, value: Any, spec: str) -> str:
        if value is None:
            return "an unknown number of"
        return format(value, spec) if spec else _show(value)


def load_rules(path: Path, metrics: Mapping[str, str]) -> tuple[Rule, ...]:
    """Read rules and check them against the metrics (name → unit).

    Raises:
        ConfigError: not TOML, a malformed rule, an unknown name, a value of the wrong type, a
            reason that cannot be filled in, two rules of one id, or an example that is not kept.
    """
    try:
        rules = _RuleFile.model_validate(read_toml(path)).rule
    except ValidationError as error:
        raise describe_error(path, error) from None
    known = {**metrics, **dict.fromkeys((*FACTS, "evidence"), "status")}
    seen: set[str] = set()
    for rule in rules:
        where = f"{path}: rule {rule.id!r}"
        if rule.id in seen:
            raise ConfigError(f"{where}: there are two rules of this name")
        seen.add(rule.id)
        _check_names(rule, known, where)
        for example, expected in [(e, True) for e in rule.fires] + [(e, False) for e in rule.silent]:
            if (holds(rule.when, example) is True) is not expected:
                raise ConfigError(
                    f"{where}: its example {dict(example)} should "
                    f"{'fire' if expected else 'stay silent'}: {describe(rule.when, example)}"
                )
    return rules


def _check_names(rule: Rule, known: Mapping[str, str], where: str) -> None:
    for leaf in leaves(rule.when):
        if leaf.name not in known:
            raise ConfigError(f"{where}: unknown name {leaf.name!r}; known: {', '.join(known)}")
        is_word = known[leaf.name] == "status"
        if leaf.op in ("<", "<=", ">", ">=") and (is_word or not isinstance(leaf.value, float)):
            raise ConfigError(f"{where}: {leaf.name} {leaf.op} needs a number on both sides")
        if leaf.op in ("==", "!=") and is_word is not isinstance(leaf.value, str):
            raise ConfigError(f"{where}: {leaf.name} {leaf.op} {leaf.value!r} never holds")
        if leaf.op == "in" and (not is_word or not isinstance(leaf.value, tuple)):
            raise ConfigError(f"{where}: {leaf.name} in needs a word and a list of words")
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(rule.reason) if name]
    except ValueError as error:
        raise ConfigError(f"{where}: reason: {error}") from None
    for name in fields:
        if name not in known:
            raise ConfigError(f"{where}: reason: unknown name {{{name}}}")


def values_of(candidate: Candidate, measurements: Mapping[str, Measurement]) -> dict[str, Value]:
    """What the rules may ask of a candidate: measured values and the facts of the domain file."""
    values: dict[str, Value] = {name: m.value for name, m in measurements.items() if m.value is not None}
    for fact in FACTS:
        if (value := getattr(candidate, fact)) is not None:
            values[fact] = value
    if (status := measurements.get("declared_status")) and status.reason:
        values["evidence"] = status.reason
    return values


def judge(
    rules: tuple[Rule, ...], values: Mapping[str, Value]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Findings of the rules that fire, and of those that would need something unknown."""
    fired, undecided = [], []
    for rule in rules:
        outcome = holds(rule.when, values)
        if outcome is True:
            text = _Numbers().vformat(rule.reason, (), dict(values))
            fired.append(Finding(rule.id, rule.verdict, text))
        elif outcome is None:
            unknown = tuple(dict.fromkeys(x.name for x in leaves(rule.when) if x.name not in values))
            undecided.append(Finding(rule.id, rule.verdict, describe(rule.when, values), unknown))
    return tuple(fired), tuple(undecided)
