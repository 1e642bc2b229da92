"""Hourly files, one after the other, to the few rows about the repositories in question.

The rows of a day are one Parquet file, written in one step and named after the hours in it: an interrupted
import goes on where it stopped. The rows hold logins, to tell a response from an author's own comment; they
stay with the user.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import FactsError, InputError

if TYPE_CHECKING:
    import duckdb

MEMORY = "512MB"
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-(\d{1,2})\.json(?:\.gz)?")
# Before, the archive holds another interface's records: events without ids, issues as bare numbers.
FIRST_HOUR = datetime(2015, 1, 1)  # noqa: DTZ001 - hours of the archive are UTC throughout
_EVENTS = (
    "IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "PullRequestReviewEvent",
    "PullRequestReviewCommentEvent", "WatchEvent", "ReleaseEvent", "PushEvent",
)  # fmt: skip
_SLIM = """
SELECT id::BIGINT AS id, type, wanted.repository, actor.login AS actor, created_at AS told_at,
       payload->>'$.action' AS action,
       coalesce(t->>'$.number', payload->>'$.number')::INTEGER AS number,
       type LIKE 'PullRequest%' OR json_extract(t, '$.pull_request') IS NOT NULL AS is_change_request,
       (t->>'$.created_at')::TIMESTAMP AS opened_at, (t->>'$.closed_at')::TIMESTAMP AS closed_at,
       (t->>'$.merged_at')::TIMESTAMP AS merged_at, t->>'$.user.login' AS author,
       t->>'$.author_association' AS association, (t->>'$.comments')::INTEGER AS comments,
       coalesce(payload->>'$.comment.created_at', payload->>'$.review.submitted_at')::TIMESTAMP AS said_at,
       payload->>'$.release.tag_name' AS tag, (payload->>'$.release.published_at')::TIMESTAMP AS published_at,
       (payload->>'$.release.prerelease')::BOOLEAN AS is_prerelease,
       payload->>'$.ref' AS ref, payload->>'$.before' AS before, payload->>'$.head' AS head
FROM (SELECT *, coalesce(json_extract(payload, '$.issue'), json_extract(payload, '$.pull_request')) AS t
      FROM read_json($1, format='newline_delimited', maximum_object_size=67108864, columns={
        id: 'VARCHAR', type: 'VARCHAR', actor: 'STRUCT(login VARCHAR)', created_at: 'TIMESTAMP',
        repo: 'STRUCT(id BIGINT, name VARCHAR)', payload: 'JSON'}))
JOIN wanted ON lower(repo.name) = wanted.name
WHERE type IN (SELECT unnest($2::VARCHAR[]))
ORDER BY id
"""


def hour_of(path: Path) -> datetime:
    """The hour that a file holds, from its name.

    Raises:
        InputError: it is not named as GH Archive names its files, or is of before 2015.
    """
    found = _NAME.fullmatch(path.name)
    try:
        hour = datetime.fromisoformat(f"{found[1]}T{int(found[2]):02}:00:00") if found else _no_hour(path)
    except ValueError:
        return _no_hour(path)
    if hour < FIRST_HOUR:
        raise InputError(
            f"{path}: before 2015 GH Archive holds the Timeline API's records, which do not say when an "
            "issue was opened nor what a comment belongs to; begin with 2015-01-01-0.json.gz"
        )
    return hour


def _no_hour(path: Path) -> datetime:
    raise InputError(f"{path} is no file of GH Archive: its name must be like 2025-03-01-15.json.gz")


def stage(
    files: Sequence[Path], store: Path, wanted: Mapping[str, str], tell: Callable[[int, int], None]
) -> Path:
    """Take the rows about the wanted repositories out of each file that was not read before.

    Args:
        files: hourly files, in any order.
        store: the store; the rows lie under ``.gharchive`` in it.
        wanted: name on GitHub, also a former one → repository in the store.
        tell: called with the number of files done and of all.

    Returns:
        the folder of the rows.

    Raises:
        InputError: a file is not named as it should be.
        FactsError: a file cannot be read or is damaged.
    """
    import duckdb

    names = sorted((name.lower(), repository) for name, repository in wanted.items())
    key = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]
    folder = store / ".gharchive" / key
    folder.mkdir(parents=True, exist_ok=True)
    by_day: dict[date, dict[datetime, Path]] = {}
    for path in files:
        hour = hour_of(path)
        by_day.setdefault(hour.date(), {})[hour] = path
    known = set(hours_in(folder))
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2, "memory_limit": MEMORY, "temp_directory": str(folder / "spill"),
    }  # fmt: skip
    total = sum(map(len, by_day.values()))
    with duckdb.connect(config=settings) as db:
        db.execute("CREATE TABLE wanted (name VARCHAR, repository VARCHAR)")
        db.executemany("INSERT INTO wanted VALUES (?, ?)", names)
        done = 0
        for _, hours in sorted(by_day.items()):
            tell(done, total)
            fresh = {hour: path for hour, path in sorted(hours.items()) if hour not in known}
            try:
                _read(db, fresh, folder)
            except FactsError:
                for hour, path in fresh.items():  # which of them it is; the sound ones are kept
                    _read(db, {hour: path}, folder)
                raise
            done += len(hours)
        tell(total, total)
    return folder


def _read(db: duckdb.DuckDBPyConnection, hours: Mapping[datetime, Path], folder: Path) -> None:
    import duckdb

    if not hours:
        return
    mask = sum(1 << hour.hour for hour in hours)
    target = folder / f"{min(hours):%Y-%m-%d}-{mask:06x}.parquet"
    fresh = target.with_suffix(".making")
    try:
        places = [str(path) for path in hours.values()]
        db.execute(f"COPY ({_SLIM}) TO '{fresh}' (FORMAT parquet)", [places, list(_EVENTS)])
    except (duckdb.Error, OSError) as error:
        fresh.unlink(missing_ok=True)
        first = next(iter(hours.values()))
        raise FactsError(f"{first} is damaged or cut off: {str(error).splitlines()[0][:200]}") from None
    fresh.replace(target)


def hours_in(folder: Path) -> list[datetime]:
    """The hours that were read, in order."""
    found = set()
    for path in folder.glob("*.parquet"):
        day, _, mask = path.stem.rpartition("-")
        start = datetime.fromisoformat(day)
        found |= {start + timedelta(hours=h) for h in range(24) if int(mask, 16) >> h & 1}
    return sorted(found)
