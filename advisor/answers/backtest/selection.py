"""What a choice by the outlook is worth: groups of five libraries, and which of them were abandoned later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.outlook import panel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

GROUP = 5
GROUPS = 2000
MONTHS = 24
DRAWS = 200


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Selection:
    """Share of abandoned choices: one of each group of five random libraries of one category and day.

    Attributes:
        months: time between choice and outcome; abandoned as in `panel.label_abandonment`.
        groups: number of groups.
        pick: the member with the best outlook.
        random: a random member (the mean over the group).
        most_starred: the member with the most stars.
        last_committed: the member with the latest commit.
    """

    months: int
    groups: int
    pick: Share
    random: Share
    most_starred: Share
    last_committed: Share


def select(
    series: pd.DataFrame, members: pd.DataFrame, values: pd.DataFrame, seed: int = 0
) -> Selection | None:
    """Draw groups and compare the choices; None if no category has five members with a known outcome."""
    import numpy as np

    abandonments = panel.label_abandonment(series, members, MONTHS).to_numpy()
    table = np.column_stack(
        [
            abandonments,
            members.probability_inactive.to_numpy(),
            -values.stars.fillna(0).to_numpy(),
            values.idle_days.to_numpy(),
        ]
    )
    known_members = members[~np.isnan(abandonments)].reset_index()
    cells = [
        rows["index"].to_numpy()
        for _, rows in known_members.groupby(["as_of", "category"], sort=True)
        if len(rows) >= GROUP
    ]
    if not cells:
        return None
    generator = np.random.default_rng(seed)
    sizes = np.array([len(cell) for cell in cells], dtype=float)
    cell_of = generator.choice(len(cells), size=GROUPS, p=sizes / sizes.sum())
    outcomes = np.array([_group(table, cells[c], generator) for c in cell_of])
    means = outcomes.mean(axis=0)
    samples = []
    drawn_cells = np.unique(cell_of)
    groups_of = {c: np.flatnonzero(cell_of == c) for c in drawn_cells}
    for _ in range(DRAWS):
        rows = np.concatenate([groups_of[c] for c in generator.choice(drawn_cells, size=len(drawn_cells))])
        samples.append(outcomes[rows].mean(axis=0))
    low, high = np.quantile(np.array(samples), [0.025, 0.975], axis=0)
    shares = [Share(float(m), float(a), float(b)) for m, a, b in zip(means, low, high, strict=True)]
    return Selection(MONTHS, GROUPS, *shares)


def _group(table: np.ndarray, cell: np.ndarray, generator: np.random.Generator) -> list[float]:
    """Return the outcomes of the pick, a random member, the most starred and the last committed to."""
    group = table[generator.choice(cell, size=GROUP, replace=False)]
    pick, popular, recent = (float(group[group[:, column].argmin(), 0]) for column in (1, 2, 3))
    return [pick, float(group[:, 0].mean()), popular, recent]
