"""The dependencies of a project as SARIF 2.1.0, for code scanning on GitHub and elsewhere.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 27 March 2020.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report.dependencies.rows import alternatives, label
from advisor.report.json import plain
from advisor.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"exclude": "error", "warn": "warning"}
_RULES = {
    "below-score": ("The health score is below --fail-under", "error"),
    "unknown-health": ("The package has no health score", "note"),
}


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """Return a run with one result for each finding, at the line that names the package."""
    results: list[dict[str, Any]] = []
    rules: dict[str, dict[str, Any]] = {}
    for health in answer.known:
        for rule, level, text in _findings(health, fail_under):
            rules.setdefault(rule, _rule(rule, level))
            results.append(_result(health, rule, level, text))
    for health in answer.unknown:
        rules.setdefault("unknown-health", _rule("unknown-health", "note"))
        results.append(_result(health, "unknown-health", "note", f"{label(health)}: {health.unknown}"))
    names = sorted(rules)
    for result in results:
        result["ruleIndex"] = names.index(result["ruleId"])
    driver = {"name": "advisor", "version": __version__, "rules": [rules[n] for n in names]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps(plain({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}), indent=1) + "\n"


def _findings(health: Health, fail_under: float | None) -> list[tuple[str, str, str]]:
    candidate = health.ranked
    assert candidate is not None  # noqa: S101 - for the type checker
    suffix = f" ({alternatives(health)})" if health.alternatives else ""
    findings = [
        (f.rule, _LEVELS[f.verdict], f"{label(health)}: {f.text}{suffix if f.verdict == 'exclude' else ''}")
        for f in candidate.findings
        if f.verdict in _LEVELS
    ]
    if fail_under is not None and candidate.score is not None and candidate.score < fail_under:
        text = f"{label(health)}: health {candidate.score:.0f} is below {fail_under:g}{suffix}"
        findings.append(("below-score", "error", text))
    return findings


def _rule(name: str, level: str) -> dict[str, Any]:
    title = _RULES.get(name, (name.replace("-", " ").capitalize(), level))[0]
    return {
        "id": name,
        "shortDescription": {"text": title},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["dependencies", "maintenance"]},
    }


def _result(health: Health, rule: str, level: str, text: str) -> dict[str, Any]:
    d = health.dependency
    # GitHub recognises a result by this fingerprint; it must not change with the line.
    name = f"{rule}:{d.ecosystem}:{d.name}"
    artifact = {"uri": _uri(d.file)}
    if not d.file.startswith("/"):
        artifact["uriBaseId"] = "%SRCROOT%"
    location = {"artifactLocation": artifact, "region": {"startLine": d.line}}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"advisor/v1": name},
        "properties": {"score": health.score, "repository": health.repository, "is_claim": health.is_claim},
    }


def _uri(file: str) -> str:
    # as_uri() quotes, but it needs an absolute path.
    uri = PurePosixPath("/", file).as_uri()  # type: ignore[deprecated] # Path.as_uri depends on the system
    return uri if file.startswith("/") else uri.removeprefix("file:///")
