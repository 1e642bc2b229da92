"""The people and the words of repositories, read from the facts."""

from __future__ import annotations

from advisor.answers.history import query_chart_facts
from advisor.answers.people import build_people
from advisor.answers.projects import build_projects


def read_people(facts):
    """Return repository → people."""
    charts = query_chart_facts(facts)
    return build_people(charts["people"], charts["stays"])


def read_projects(facts):
    """Return repository → its own words."""
    return build_projects(query_chart_facts(facts)["projects"])
