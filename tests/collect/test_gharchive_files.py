"""The files and records of GH Archive: names, months that count, and the timeline API."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from advisor.collect.gharchive import Capture, parse_hour
from advisor.collect.gharchive.rows import find_last_run
from advisor.errors import InputError


def test_only_the_last_unbroken_run_of_months_counts():
    def month(m, kind, good):
        return Capture(kind, date(2024, m, 1), 1.0, 1.0, "", good)

    captures = [month(m, k, m != 3 and not (m == 6 and k == "B")) for m in range(1, 7) for k in ("A", "B")]
    assert find_last_run(captures, "A") == (date(2024, 4, 1), date(2024, 7, 1))
    assert find_last_run(captures, "A", "B") == (date(2024, 4, 1), date(2024, 6, 1))
    assert find_last_run(captures, "C") is None


@pytest.mark.parametrize("name", ["events.json.gz", "2025-02-30-1.json.gz", "2025-02-01-24.json.gz"])
def test_names_of_files(name):
    with pytest.raises(InputError, match="not a file of GH Archive"):
        parse_hour(Path(name))
    assert parse_hour(Path("2025-02-01-9.json.gz")) == datetime(2025, 2, 1, 9)  # noqa: DTZ001 - hours in DuckDB have no time zone


def test_records_of_the_timeline_api_are_refused():
    with pytest.raises(InputError, match="files before 2015 hold records of the Timeline API"):
        parse_hour(Path("2014-12-31-23.json.gz"))
    assert parse_hour(Path("2015-01-01-0.json.gz")).year == 2015
