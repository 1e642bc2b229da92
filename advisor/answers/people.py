"""The people behind each repository over the months, as in GitHub's Insights, without any name.

A person is a letter: A has the most commits of the last year. Bots do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

TOP = 10


@dataclass(frozen=True)
class Person:
    """One of the people with the most commits of the last year.

    Attributes:
        share: of the commits of all people in the last year, 0 to 1.
        first_day, last_day: of the person's commits ever.
        months: (first day of the month, commits), without months without commits.
    """

    share: float
    first_day: date
    last_day: date
    months: tuple[tuple[date, int], ...]


@dataclass(frozen=True)
class People:
    """The people of a repository as of a day.

    Attributes:
        top: at most ten, the one with the most commits first.
        newcomers: people whose first commit was 6 to 18 months ago.
        stayed_3, stayed_6: those of them with a commit at least 3 and 6 months after their first.
    """

    top: tuple[Person, ...]
    newcomers: int
    stayed_3: int
    stayed_6: int


def build_people(rows: Iterable[Sequence[Any]], stays: Iterable[Sequence[Any]]) -> dict[str, People]:
    """Return the people of each repository with a commit of a person in the last year.

    Args:
        rows: of `PEOPLE_SQL`.
        stays: of `STAYS_SQL`.
    """
    by_repository: dict[str, list[Person]] = {}
    for repository, share, first_day, last_day, months in rows:
        counts = tuple((date.fromisoformat(m["month"]), m["commits"]) for m in months)
        by_repository.setdefault(repository, []).append(Person(share, first_day, last_day, counts))
    of_newcomers = {row[0]: row[1:] for row in stays}
    return {
        repository: People(tuple(top), *_stay(of_newcomers.get(repository, ())))
        for repository, top in by_repository.items()
    }


def _stay(row: Sequence[int]) -> tuple[int, int, int]:
    newcomers, stayed_3, stayed_6 = row or (0, 0, 0)
    return newcomers, stayed_3, stayed_6


_COMMITS = "SELECT repository, author, day, commits FROM contributions WHERE NOT is_bot"

PEOPLE_SQL = f"""
WITH commits AS ({_COMMITS}),
people AS (
    SELECT repository, author, min(day) AS first_day, max(day) AS last_day,
           coalesce(sum(commits) FILTER (day > $as_of - INTERVAL 1 YEAR), 0) AS year_commits
    FROM commits GROUP BY repository, author
),
top AS (
    SELECT *, year_commits / sum(year_commits) OVER (PARTITION BY repository) AS share
    FROM people
    WHERE year_commits > 0
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY year_commits DESC, first_day, author) <= {TOP}
),
months AS (
    SELECT repository, author, strftime(date_trunc('month', day), '%Y-%m-%d') AS month,
           sum(commits)::INTEGER AS commits
    FROM commits GROUP BY ALL
)
SELECT t.repository, t.share, t.first_day, t.last_day,
       list(struct_pack(month := m.month, commits := m.commits) ORDER BY m.month) AS months
FROM top AS t JOIN months AS m USING (repository, author)
GROUP BY ALL ORDER BY t.repository, t.share DESC, t.first_day
"""

STAYS_SQL = f"""
WITH people AS (
    SELECT repository, author, min(day) AS first_day, max(day) AS last_day FROM ({_COMMITS}) GROUP BY ALL
)
SELECT repository, count(*), count(*) FILTER (last_day >= first_day + INTERVAL 3 MONTH),
       count(*) FILTER (last_day >= first_day + INTERVAL 6 MONTH)
FROM people
WHERE first_day > $as_of - INTERVAL 18 MONTH AND first_day <= $as_of - INTERVAL 6 MONTH
GROUP BY repository
"""
