"""The keys of a ranked candidate keep their order in JSON, however the class is built."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from sample_answer import ANSWER

from advisor.model import Ranked
from advisor.report import ranking
from advisor.report.formats import Format
from advisor.report.json import RANKED_KEYS


def test_every_field_of_a_ranked_candidate_has_its_place():
    assert sorted(RANKED_KEYS) == sorted(f.name for f in fields(Ranked))


def test_a_ranked_candidate_begins_with_its_rank():
    rows = json.loads(ranking.render(ANSWER, Format.json))["ranking"]
    assert [list(row) for row in rows] == [list(RANKED_KEYS)] * len(ANSWER.ranking)
    assert [row["rank"] for row in rows] == [asdict(r)["rank"] for r in ANSWER.ranking]
