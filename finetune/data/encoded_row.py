"""A row as tokens and labels, as it is in a tokenised data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from finetune.runners.emit import IGNORE_INDEX


@dataclass(frozen=True)
class EncodedRow:
    """A row as tokens.

    Attributes:
        input_ids: token ids, before truncation.
        labels: the same ids for trained tokens, -100 for the others.
        rejected: of a preference, the prompt with the rejected answer; the row itself has the chosen one.
        is_desirable: the label of an unpaired preference.
    """

    input_ids: list[int]
    labels: list[int]
    rejected: EncodedRow | None = None
    is_desirable: bool | None = None

    @property
    def sides(self) -> tuple[EncodedRow, ...]:
        """The row, and the one with the rejected answer if it is a preference."""
        return (self, self.rejected) if self.rejected else (self,)

    @property
    def trained_tokens(self) -> int:
        """The number of trained tokens, of both answers of a preference."""
        return sum(label != IGNORE_INDEX for side in self.sides for label in side.labels)

    @property
    def answer_start(self) -> int:
        """The place of the first trained token; the number of tokens if there is none."""
        places = (n for n, label in enumerate(self.labels) if label != IGNORE_INDEX)
        return next(places, len(self.labels))

    def truncate(self, limit: int) -> EncodedRow:
        """Return the first ``limit`` tokens of each side."""
        rejected = self.rejected.truncate(limit) if self.rejected else None
        return replace(self, input_ids=self.input_ids[:limit], labels=self.labels[:limit], rejected=rejected)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that the row has."""
        fields: dict[str, Any] = {"input_ids": self.input_ids, "labels": self.labels}
        if self.rejected:
            fields["rejected"] = self.rejected.to_json()
        return fields if self.is_desirable is None else {**fields, "is_desirable": self.is_desirable}


def row_from_json(fields: Mapping[str, Any]) -> EncodedRow:
    """Return the row of which `EncodedRow.to_json` wrote the fields."""
    rejected = fields.get("rejected")
    return EncodedRow(**{**fields, "rejected": row_from_json(rejected) if rejected else None})
