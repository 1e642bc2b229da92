"""Select the events of the repositories from hourly files, one file after the other.

The rows of a day are one Parquet file, written atomically and named after its hours, so an interrupted import
resumes. The rows hold logins, because a comment by a thread's author is not a response. So they are not in
the store, which people share, but in a folder that only the user can read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import FactsError, InputError
from advisor.facts.checks import check_folder
from advisor.facts.database import copy_sql, json_sql, open_database
from advisor.files import data_home
from advisor.write_errors import explain_write_error

if TYPE_CHECKING:
    import duckdb

MEMORY = "512MB"
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-(\d{1,2})\.json(?:\.gz)?")
# Earlier files hold records of the Timeline API: events without ids, issues as plain numbers.
FIRST_HOUR = datetime(2015, 1, 1)  # noqa: DTZ001 - all hours of the archive are UTC
_EVENTS = (
    "IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "PullRequestReviewEvent",
    "PullRequestReviewCommentEvent", "WatchEvent", "ReleaseEvent", "PushEvent",
)  # fmt: skip
_EVENT = {
    "id": "VARCHAR", "type": "VARCHAR", "actor": "STRUCT(login VARCHAR)", "created_at": "TIMESTAMP",
    "repo": "STRUCT(id BIGINT, name VARCHAR)", "payload": "JSON",
}  # fmt: skip
_OPTIONS = ", format = 'newline_delimited', maximum_object_size = 67108864"
_SELECT_EVENTS = """
SELECT id::BIGINT AS id, type, names.repository, actor.login AS actor, created_at AS told_at,
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
      FROM {files})
JOIN names ON lower(repo.name) = names.name
WHERE type IN (SELECT unnest($1::VARCHAR[]))
ORDER BY id
"""


def parse_hour(path: Path) -> datetime:
    """Return the hour of a file from its name.

    Raises:
        InputError: the name is not that of a file of GH Archive, or the hour is before 2015.
    """
    match = _NAME.fullmatch(path.name)
    try:
        hour = datetime.fromisoformat(f"{match[1]}T{int(match[2]):02}:00:00") if match else _refuse_name(path)
    except ValueError:
        return _refuse_name(path)
    if hour < FIRST_HOUR:
        raise InputError(
            f"{path}: files before 2015 hold records of the Timeline API, which do not say when an "
            "issue was opened or what a comment belongs to; start with 2015-01-01-0.json.gz"
        )
    return hour


def _refuse_name(path: Path) -> datetime:
    raise InputError(f"{path} is not a file of GH Archive: expected a name like 2025-03-01-15.json.gz")


def find_folder(store: Path) -> Path:
    """Return the folder for the events of a store; remove the one that earlier versions left in the store.

    Raises:
        FactsError: the store has links or special files.
    """
    check_folder(store)
    shutil.rmtree(store / ".gharchive", ignore_errors=True)
    name = hashlib.sha256(os.fsencode(os.path.realpath(store))).hexdigest()[:16]
    return data_home() / "gharchive" / name


def stage_events(
    files: Sequence[Path],
    folder: Path,
    repositories: Mapping[str, str],
    on_progress: Callable[[int, int], None],
) -> Path:
    """Select the events of the repositories from each file that was not read before.

    Args:
        files: hourly files, in any order.
        folder: where the rows are, from `find_folder`.
        repositories: name on GitHub, present or former → repository in the store.
        on_progress: called with the number of files read so far and the total.

    Returns:
        the folder of the rows.

    Raises:
        InputError: a file has an invalid name.
        FactsError: a file cannot be read or is damaged.
    """
    names = sorted((name.lower(), repository) for name, repository in repositories.items())
    key = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    folder = folder / key
    folder.mkdir(exist_ok=True)
    by_day: dict[date, dict[datetime, Path]] = {}
    for path in files:
        hour = parse_hour(path)
        by_day.setdefault(hour.date(), {})[hour] = path
    old_hours = set(list_hours(folder))
    settings = {
        "memory_limit": MEMORY, "temp_directory": os.path.realpath(folder / "spill"),
    }  # fmt: skip
    total = sum(map(len, by_day.values()))
    with open_database({folder, *(path.parent for path in files)}, settings) as db:
        db.execute("CREATE TABLE names (name VARCHAR, repository VARCHAR)")
        db.executemany("INSERT INTO names VALUES (?, ?)", names)
        count = 0
        for _, hours in sorted(by_day.items()):
            on_progress(count, total)
            new_hours = {hour: path for hour, path in sorted(hours.items()) if hour not in old_hours}
            try:
                _select_events(db, new_hours, folder)
            except FactsError:
                for hour, path in new_hours.items():  # find the damaged one, and store the others
                    _select_events(db, {hour: path}, folder)
                raise
            count += len(hours)
        on_progress(total, total)
    return folder


def _select_events(db: duckdb.DuckDBPyConnection, hours: Mapping[datetime, Path], folder: Path) -> None:
    import duckdb

    if not hours:
        return
    mask = sum(1 << hour.hour for hour in hours)
    target = folder / f"{min(hours):%Y-%m-%d}-{mask:06x}.parquet"
    temporary = target.with_suffix(".making")
    try:
        query = _SELECT_EVENTS.replace("{files}", json_sql(hours.values(), _EVENT, _OPTIONS))
        db.execute(copy_sql(query, temporary), [list(_EVENTS)])
    except (duckdb.Error, OSError) as error:
        temporary.unlink(missing_ok=True)
        if (write_error := explain_write_error(error)) is not None:
            raise write_error from None
        first = next(iter(hours.values()))
        raise FactsError(f"{first} is damaged or truncated: {str(error).splitlines()[0][:200]}") from None
    temporary.replace(target)


def list_hours(folder: Path) -> list[datetime]:
    """Return the hours that were read, in order."""
    hours = set()
    for path in folder.glob("*.parquet"):
        day, _, mask = path.stem.rpartition("-")
        start = datetime.fromisoformat(day)
        hours |= {start + timedelta(hours=h) for h in range(24) if int(mask, 16) >> h & 1}
    return sorted(hours)
