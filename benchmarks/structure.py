"""How real histories spread commits over people and days, and people of made-up histories that do the same.

The bundled snapshots have real histories (`data/snapshots/*/contributions`): commits per day of people who
have numbers and no names. A made-up history uses aggregates only: shares, and means of tenths of the people.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

SNAPSHOTS = Path(__file__).parents[1] / "data" / "snapshots" / "*" / "contributions" / "*.parquet"
TENTHS = 10
SEED = 20250630

PEOPLE = """
WITH history AS (
    SELECT repository, max(day) - min(day) AS span,
           coalesce(sum(commits) FILTER (is_bot), 0) / sum(commits) AS bot_share,
           count(DISTINCT organisation) AS organisations
    FROM facts GROUP BY repository
)
SELECT facts.repository, author, sum(commits)::BIGINT AS commits, count(*) AS active_days,
       (max(day) - min(day)) / greatest(1, any_value(span)) AS tenure,
       count(organisation) AS organisation_days,
       any_value(bot_share) AS bot_share, any_value(organisations) AS organisations
FROM facts JOIN history USING (repository) WHERE NOT is_bot GROUP BY facts.repository, author
ORDER BY facts.repository, commits DESC, author
"""


def read_people(files: Path | str = SNAPSHOTS) -> pd.DataFrame:
    """Return one row for each person of each history, the person with the most commits first.

    Returns:
        Columns ``repository``, ``author``, ``commits``, ``active_days``, ``tenure`` (from the first to the
        last commit, as a share of the history), ``organisation_days`` (active days with an organisation's
        address), ``bot_share`` (of all commits of the history) and ``organisations`` (of the history).
    """
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute(f"CREATE VIEW facts AS FROM read_parquet('{files}', union_by_name=true)")
        return db.execute(PEOPLE).df()


def summarise(people: pd.DataFrame) -> pd.DataFrame:
    """Return the aggregates of each history from `read_people`.

    Returns:
        Index: the repository. Columns ``people``, ``commits``, ``top_share`` (of the commits, by the person
        with the most), ``single_share`` (of the people, with one commit), ``commits_a_day`` (of a person on
        an active day), ``affiliated_share`` (of the people, with an organisation) and ``bot_share``.
    """
    marked = people.assign(is_single=people.commits == 1, is_affiliated=people.organisation_days > 0)
    groups = marked.groupby("repository")
    commits = groups.commits.sum()
    return pd.DataFrame(
        {
            "people": groups.size(),
            "commits": commits,
            "top_share": groups.commits.max() / commits,
            "single_share": groups.is_single.mean(),
            "commits_a_day": commits / groups.active_days.sum(),
            "affiliated_share": groups.is_affiliated.mean(),
            "bot_share": groups.bot_share.first(),
        }
    )


def read_structures() -> list[dict]:
    """Return the aggregates that `draw_people` needs, one dictionary for each real history."""
    people = read_people()
    structures = []
    for (_, rows), (_, summary) in zip(
        people.groupby("repository"), summarise(people).iterrows(), strict=True
    ):
        several = rows[rows.commits > 1]
        others = np.array_split(np.arange(1, len(several)), TENTHS)
        tenths = [several.iloc[part] for part in others if len(part)]
        affiliated = rows[rows.organisation_days > 0]
        structures.append(
            summary.to_dict()
            | {
                "commits_of_several": several.commits.sum() / several.active_days.sum(),
                "log_commits": [np.log(group.commits).mean() for group in tenths],
                "top_tenure": several.tenure.iloc[0],
                "tenure": [group.tenure.mean() for group in tenths],
                "affiliated": [(group.organisation_days > 0).mean() for group in tenths],
                "affiliated_singles": (rows[rows.commits == 1].organisation_days > 0).mean(),
                "affiliated_days": affiliated.organisation_days.sum() / max(1, affiliated.active_days.sum()),
                "organisations": int(rows.organisations.iloc[0]),
            }
        )
    return structures


def draw_people(structure: dict, identity: int, people: int, commits: int) -> pd.DataFrame:
    """Return the people of a made-up history with the structure of a real one.

    The first person has the top share of the commits. The share of people with a single commit is that of the
    real history. The others divide the rest as its tenths do.

    Args:
        structure: from `read_structures`.
        identity: number of the repository; the same number gives the same people.
        people: how many; fewer if there are not enough commits.
        commits: of all people and bots together.

    Returns:
        Columns ``id``, ``author``, ``author_commits``, ``active_days``, ``first`` and ``tenure`` (as shares
        of the history), ``organisation_number`` (-1: none), ``affiliated_days`` (share of the active days)
        and ``is_bot``.
    """
    rng = np.random.default_rng([SEED, identity])
    by_bots = int(structure["bot_share"] * commits)
    commits -= by_bots
    top = max(1, round(structure["top_share"] * commits))
    people = int(np.clip(people, 1, 1 + (commits - top) / (2 - structure["single_share"])))
    singles = min(people - 1, round(structure["single_share"] * people))
    middle = people - 1 - singles
    counts = np.ones(people, dtype="int64")
    # From the second person to the last one with several commits.
    place = np.linspace(0, 1, max(2, middle))[:middle]
    steps = np.linspace(0, 1, len(structure["log_commits"]))
    rest = commits - top - singles
    if middle:
        weights = np.exp(np.interp(place, steps, structure["log_commits"]))
        spare = np.floor(max(0, rest - 2 * middle) * weights / weights.sum())
        counts[1 : 1 + middle] = np.minimum(2 + spare, max(2, top))
    counts[0] = commits - counts[1:].sum()  # more than the top share where few people cannot have the rest
    several = counts > 1
    tenure = np.zeros(people)
    affiliation = np.full(people, np.nan_to_num(structure["affiliated_singles"]))
    tenure[1 : 1 + middle] = np.interp(place, steps, structure["tenure"])
    affiliation[1 : 1 + middle] = np.interp(place, steps, structure["affiliated"])
    tenure[0], affiliation[0] = structure["top_tenure"], structure["affiliated"][0]
    tenure = np.clip(tenure * rng.uniform(0.5, 1.5, people), 0, 1) * several
    days = np.where(several, np.maximum(1, np.round(counts / structure["commits_of_several"])), 1)
    number = np.floor(structure["organisations"] * rng.random(people) ** 2)
    organisation = np.where(rng.random(people) < affiliation, number, -1)
    frame = pd.DataFrame(
        {
            "id": identity,
            "author": range(people),
            "author_commits": counts,
            "active_days": days.astype("int64"),
            "first": rng.random(people) * (1 - tenure),
            "tenure": tenure,
            "organisation_number": organisation.astype("int64"),
            "affiliated_days": structure["affiliated_days"],
            "is_bot": False,
        }
    )
    if by_bots:
        frame.loc[people] = [identity, people, by_bots, by_bots, 0.0, 1.0, -1, 0.0, True]
    return frame
