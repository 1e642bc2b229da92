"""A small world of facts that the tests share; nothing here reaches out."""

from __future__ import annotations

import random
from datetime import date, timedelta

from advisor.facts import reading, writing

AS_OF = date(2024, 6, 1)
# The first belongs to a backer in organisations.toml that publishes models of its own.
NAMES = ("huggingface/lively", "mid/steady", "small/fading")


def rows(shift: int = 0, seed: int = 7) -> dict[tuple[str, str], list[dict]]:
    """(table, repository) → rows over three years before AS_OF, shifted by days."""
    rng = random.Random(seed)
    start, end = AS_OF - timedelta(days=1200), AS_OF
    found: dict[tuple[str, str], list[dict]] = {}

    def day(d: date) -> str:
        return (d + timedelta(days=shift)).isoformat()

    def add(table: str, name: str, **row: object) -> None:
        about = {"repository": name, "source": "test", "retrieved_at": day(AS_OF)}
        found.setdefault((table, name), []).append({**about, **row})

    for name, people, pace in zip(NAMES, (40, 12, 5), (3, 9, 30), strict=True):
        d = start
        while d <= end:
            author = min(rng.randrange(people), rng.randrange(people))
            org = ("huggingface.co", "org1", "org2", "org3")[author % 4] if author % 3 else None
            add("contributions", name, day=day(d), author=author, organisation=org, is_bot=author == 3,
                commits=rng.randrange(1, 6))  # fmt: skip
            d += timedelta(days=rng.randrange(1, pace + 1))
        for number in range(1, 60):
            opened = start + timedelta(days=number * 20)
            lasts = timedelta(days=rng.randrange(0, 60))
            merged = rng.random() < 0.8 and opened + lasts <= end
            at = f"{day(opened + lasts)} 12:00:00" if merged else None
            add("threads", name, kind="change_request", number=number, opened_at=f"{day(opened)} 00:00:00",
                merged_at=at, closed_at=at, is_bot=False, first_response_at=at, responses_seen=True,
                merged_by=number % 5 if number % 3 else None,
                merged_by_organisation="huggingface.co" if number % 6 == 1 else None)  # fmt: skip
        # The issues draw from a source of their own: the rows of the other tables stay what they were.
        lot = random.Random(f"{seed} issues of {name}")
        for number in range(100, 140):
            opened = end - timedelta(days=(number - 100) * 25)
            answered, closed = (opened + timedelta(days=lot.randrange(0, 40)) for _ in range(2))
            add("threads", name, kind="issue", number=number, opened_at=f"{day(opened)} 00:00:00", is_bot=False,
                closed_at=f"{day(closed)} 12:00:00" if closed <= end and lot.random() < 0.9 else None,
                first_response_at=f"{day(answered)} 06:00:00" if answered <= end else None,
                responses_seen=True)  # fmt: skip
        for month in range(36):
            d = day(end - timedelta(days=30 * month))
            for metric, scale in (("stars", 90), ("forks", 9), ("open_issues", 5), ("closed_issues", 30),
                                  ("downloads_30d", 900), ("truck_factor", 0.1)):  # fmt: skip
                value = max(1, round(scale * (40 - month) * people / 40))
                add("counts", name, day=d, metric=metric, value=value, definition="made up")
            add(
                "releases",
                name,
                tag=f"v1.{40 - month}",
                released_on=d,
                is_prerelease=month % 5 == 4,
            )
        for i in range(12):
            released = end - timedelta(days=1000 - 80 * i)
            late = rng.randrange(0, 40)
            yes = rng.random() < 0.8 or i % 5 == 0
            add("model_support", name, family=f"family{i}", vendor="Hugging Face" if i % 5 == 0 else f"vendor{i % 5}",
                family_released_on=day(released), known_until=day(end),
                supported_on=day(released + timedelta(days=late)) if yes else None)  # fmt: skip
        for month, speed in enumerate((0.8, 1.1)):
            add("benchmarks", name, day=day(end - timedelta(days=200 - 30 * month)), stack="lively", version="1.0",
                figure="relative_throughput", unit="times trl", value=speed, low=speed - 0.1, high=speed + 0.1,
                setting="round A", machine="a machine")  # fmt: skip
            add("benchmarks", name, day=day(end - timedelta(days=200 - 30 * month)), stack="lively", version="1.0",
                figure="relative_peak_memory", unit="times trl", value=1.2, low=1.2, high=1.2,
                setting="round A", machine="a machine")  # fmt: skip
        add("repositories", name, observed_on=day(start), declared_status="active", evidence="")
    return found


def fill(store, found):
    for (table, name), table_rows in found.items():
        writing.write(store, table, name, table_rows)
    return reading.open_store(store)
