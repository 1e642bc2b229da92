"""What a choice is worth: groups of five of one category, and which of them were dead later."""

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
    """A share with its 95 % bootstrap interval over categories and days."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Selection:
    """Death rates of what was chosen in random groups of five libraries of one category and day.

    Attributes:
        months: how much later it was looked; dead means no commit for more than a year by then.
        groups: number of groups drawn.
        pick: the member with the best outlook.
        random: a member drawn by lot (the mean over the group).
        most_starred: the member with most stars.
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
    """Draw the groups and compare; None if no category has five members whose fate is known."""
    import numpy as np

    dead = panel.dead_after(series, members, MONTHS).to_numpy()
    table = np.column_stack(
        [
            dead,
            members.probability_inactive.to_numpy(),
            -values.stars.fillna(0).to_numpy(),
            values.idle_days.to_numpy(),
        ]
    )
    known = members[~np.isnan(dead)].reset_index()
    cells = [
        rows["index"].to_numpy()
        for _, rows in known.groupby(["as_of", "category"], sort=True)
        if len(rows) >= GROUP
    ]
    if not cells:
        return None
    chosen = np.random.default_rng(seed)
    sizes = np.array([len(cell) for cell in cells], dtype=float)
    cell_of = chosen.choice(len(cells), size=GROUPS, p=sizes / sizes.sum())
    outcomes = np.array([_group(table, cells[c], chosen) for c in cell_of])
    means = outcomes.mean(axis=0)
    samples = []
    used = np.unique(cell_of)
    of_cell = {c: np.flatnonzero(cell_of == c) for c in used}
    for _ in range(DRAWS):
        rows = np.concatenate([of_cell[c] for c in chosen.choice(used, size=len(used))])
        samples.append(outcomes[rows].mean(axis=0))
    low, high = np.quantile(np.array(samples), [0.025, 0.975], axis=0)
    shares = [Share(float(m), float(a), float(b)) for m, a, b in zip(means, low, high, strict=True)]
    return Selection(MONTHS, GROUPS, *shares)


def _group(table: np.ndarray, cell: np.ndarray, chosen: np.random.Generator) -> list[float]:
    """Fate of the pick, of a random member, of the most-starred, of the last committed to."""
    drawn = table[chosen.choice(cell, size=GROUP, replace=False)]
    pick, starred, recent = (float(drawn[drawn[:, column].argmin(), 0]) for column in (1, 2, 3))
    return [pick, float(drawn[:, 0].mean()), starred, recent]
