"""What callers write, with the types that a checker must infer. test_public_api.py also runs it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import assert_type

import pandas as pd

import advisor
from advisor import (
    CriterionScore,
    Explanation,
    Finding,
    Measurement,
    Outlook,
    Ranked,
    Recommendation,
    Requirements,
)

answer = advisor.recommend("finetuning", goal="balanced", as_of=date(2025, 1, 1), weights={"issues": 2})
assert_type(answer, Recommendation)
assert_type(answer.choice, str | None)
assert_type(answer.as_of, date)
assert_type(answer.weights, Mapping[str, float])
assert_type(answer.reasons, tuple[str, ...])
assert_type(answer.to_frame(), pd.DataFrame)
assert_type(answer.explain("trl"), Explanation)
assert_type(answer.compare("trl", "unsloth").first, Ranked)

ranking = advisor.rank(repositories=["trl", "axolotl"], goal="long-lived")
assert_type(ranking, tuple[Ranked, ...])
first = ranking[0]
assert_type(first.rank, int | None)
assert_type(first.score, float | None)
assert_type(first.criteria, tuple[CriterionScore, ...])
assert_type(first.findings, tuple[Finding, ...])
assert_type(first.measurements, tuple[Measurement, ...])
assert_type(first.outlook, tuple[Outlook, ...])


def healthiest(store: Path | None) -> str:
    """Catch errors by their base class, and handle an answer without a choice."""
    requirements = Requirements(method="qlora")
    try:
        recommendation = advisor.recommend(requirements=requirements, store=store)
    except advisor.InputError as error:
        assert_type(error, advisor.InputError)
        assert_type(error.exit_code, int)
        return str(error)
    except advisor.AdvisorError:
        raise
    return recommendation.choice or "nothing suitable"


assert healthiest(None) != "nothing suitable"
