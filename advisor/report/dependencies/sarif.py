"""What a project depends on as SARIF 2.1.0, for the code scanning of GitHub and others.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 27 March 2020.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from advisor import __version__
from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report.dependencies import alternatives, label
from advisor.report.json import plain

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"exclude": "error", "warn": "warning"}
_RULES = {
    "below-score": ("Its health is below the score that was asked for", "error"),
    "unknown-health": ("Nothing is known of its health", "note"),
}


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """A run with one result a finding: each at the line that names the package."""
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
    ranked = health.ranked
    assert ranked is not None  # noqa: S101 - for the type checker
    instead = f" ({alternatives(health)})" if health.alternatives else ""
    found = [
        (f.rule, _LEVELS[f.verdict], f"{label(health)}: {f.text}{instead if f.verdict == 'exclude' else ''}")
        for f in ranked.findings
        if f.verdict in _LEVELS
    ]
    if fail_under is not None and ranked.score is not None and ranked.score < fail_under:
        text = f"{label(health)}: health {ranked.score:.0f} is below {fail_under:g}{instead}"
        found.append(("below-score", "error", text))
    return found


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
    # GitHub tells one result from another by this; it must not move with the line.
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
        "properties": {"score": health.score, "repository": health.repository},
    }


def _uri(file: str) -> str:
    # Quoted as URIs are; a relative path without the root that as_uri() asks for.
    uri = PurePosixPath("/", file).as_uri()  # type: ignore[deprecated] # Path's own asks for the local root
    return uri if file.startswith("/") else uri.removeprefix("file:///")
