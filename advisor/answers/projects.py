"""What a repository says about itself: its licence, and the sentence in which its README declares its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Project:
    """A repository by its own words, as of a day.

    Attributes:
        licence: SPDX ids, as far as they are known; empty: not known.
        statement: a sentence of a file about its end; empty: there is none.
        path, commit: where the statement is.
    """

    licence: str = ""
    statement: str = ""
    path: str = ""
    commit: str = ""


def build_projects(rows: Iterable[Sequence[Any]]) -> dict[str, Project]:
    """Return the newest words of each repository of which there are some, from the rows of `PROJECTS_SQL`."""
    return {row[0]: Project(*row[1:]) for row in rows}


PROJECTS_SQL = """
WITH newest AS (
    SELECT repository, arg_max(licence, observed_on) FILTER (licence IS NOT NULL) AS licence,
           arg_max(struct_pack(evidence, evidence_path, evidence_commit), observed_on)
               FILTER (evidence_path IS NOT NULL AND declared_status IS NOT NULL) AS said
    FROM repositories GROUP BY repository
)
SELECT repository, coalesce(licence, ''), coalesce(said.evidence, ''), coalesce(said.evidence_path, ''),
       coalesce(said.evidence_commit, '')
FROM newest ORDER BY repository
"""
