"""The dependencies of a project as SARIF 2.1.0, for code scanning on GitHub and elsewhere.

Sources: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 27 March 2020;
docs.github.com, "SARIF support for code scanning" (limits, fingerprints).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.domain.files import data_folder, read_toml
from advisor.measure.definitions import DEFINITIONS
from advisor.report.dependencies.rows import alternatives, exemption, index_warnings, label
from advisor.report.json import plain
from advisor.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RESULT_LIMIT = 5_000
"""Most results; GitHub shows no more of a run, and refuses 25,000."""
_LEVELS = {"exclude": "error", "warn": "warning"}
_ORDER = ("error", "warning", "note")
_RULES = {
    "below-score": ("The health score is below --fail-under", "error"),
    "unknown-health": ("The package has no health score", "note"),
    "yanked-version": ("The package index withdrew the version", "warning"),
    "deprecated-version": ("The authors of the package advise against the version", "warning"),
}


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """Return a run with one result for each finding, at the line that names the package.

    A package without a score is a result only if it fails the run. Of too many results the worst remain.
    """
    results: list[dict[str, Any]] = []
    rules: dict[str, dict[str, Any]] = {}
    for health in (*answer.known, *answer.unknown):
        for rule, level, text in _findings(health, fail_under, is_certain=answer.is_certain):
            rules.setdefault(rule, _rule(rule, level))
            results.append(_result(health, rule, level, text))
    for health in answer.unknown if answer.fails_unknown else ():
        rules.setdefault("unknown-health", _rule("unknown-health", "note"))
        results.append(_result(health, "unknown-health", "error", f"{label(health)}: {health.unknown}"))
    total = len(results)
    if total > RESULT_LIMIT:
        results = sorted(results, key=lambda result: _ORDER.index(result["level"]))[:RESULT_LIMIT]
    names = sorted(rules)
    for result in results:
        result["ruleIndex"] = names.index(result["ruleId"])
    driver = {"name": "advisor", "version": __version__, "rules": [rules[n] for n in names]}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    if total > RESULT_LIMIT:
        text = f"{total - RESULT_LIMIT} of {total} results are left out: code scanning shows {RESULT_LIMIT}"
        note = {"level": "warning", "message": {"text": text}}
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": [note]}]
    return json.dumps(plain({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}), indent=1) + "\n"


def _findings(health: Health, fail_under: float | None, *, is_certain: bool) -> list[tuple[str, str, str]]:
    """Return (rule, level, text); a score that may be above the line is a warning."""
    candidate = health.ranked
    suffix = f" ({alternatives(health)})" if health.alternatives else ""
    findings = [
        (f.rule, _LEVELS[f.verdict], f"{label(health)}: {f.text}{suffix if f.verdict == 'exclude' else ''}")
        for f in (candidate.findings if candidate else ())
        if f.verdict in _LEVELS
    ]
    findings += [
        (rule, "warning", f"{label(health)}: {text}") for rule, text in index_warnings(health).items()
    ]
    if fail_under is not None and candidate and candidate.score is not None and candidate.score < fail_under:
        may_pass = candidate.high >= fail_under
        doubt = f"; it may be up to {candidate.high:.0f}" if may_pass else ""
        if not (may_pass and is_certain):
            text = f"{label(health)}: health {candidate.score:.0f} is below {fail_under:g}{doubt}{suffix}"
            findings.append(("below-score", "warning" if may_pass else "error", text))
    return findings


def _rule(name: str, level: str) -> dict[str, Any]:
    title = _RULES.get(name, (name.replace("-", " ").capitalize(), level))[0]
    page = _definitions().get(name, 0)
    return {
        "id": name,
        "shortDescription": {"text": title},
        "help": {"text": f"{title}. `advisor explain OWNER/NAME` shows the figures behind it."},
        **({"helpUri": f"https://chaoss.community/?p={page}"} if page else {}),
        "defaultConfiguration": {"level": _RULES.get(name, (title, level))[1]},
        "properties": {"tags": ["dependencies", "maintenance"]},
    }


@cache
def _definitions() -> dict[str, int]:
    """Return rule → the page of CHAOSS that defines the first metric of its condition."""
    rules = read_toml(data_folder() / "rules" / "library.toml")["rule"]
    return {rule["id"]: page for rule in rules if (page := next(_pages(rule["when"]), 0))}


def _pages(condition: Any) -> Iterator[int]:
    if isinstance(condition, list):
        for part in condition:
            yield from _pages(part)
    elif isinstance(condition, dict):
        name = str(condition.get("name", "")).removesuffix("_low").removesuffix("_high")
        if name in DEFINITIONS and (page := DEFINITIONS[name].chaoss):
            yield page
        for part in condition.values():
            yield from _pages(part)


def _result(health: Health, rule: str, level: str, text: str) -> dict[str, Any]:
    d = health.dependency
    # These names must not change with the line. GitHub reads the first one only; without it, its action adds
    # a hash of the lines around the result.
    name = f"{rule}:{d.ecosystem}:{d.name}"
    artifact = {"uri": _uri(d.file)}
    if not d.file.startswith("/"):
        artifact["uriBaseId"] = "%SRCROOT%"
    location = {"artifactLocation": artifact, "region": {"startLine": d.line}}
    result = {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{hashlib.sha256(name.encode()).hexdigest()[:16]}:1",
            "advisor/v1": name,
        },
        "properties": {"score": health.score, "repository": health.repository, "is_claim": health.is_claim},
    }
    if health.exemption is not None:
        result["suppressions"] = [{"kind": "external", "justification": exemption(health)}]
    return result


def _uri(file: str) -> str:
    # as_uri() quotes, but it needs an absolute path.
    uri = PurePosixPath("/", file).as_uri()  # type: ignore[deprecated] # Path.as_uri depends on the system
    return uri if file.startswith("/") else uri.removeprefix("file:///")
