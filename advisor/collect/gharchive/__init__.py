"""Import history from GH Archive (gharchive.org): hourly files of GitHub's public events.

`stage` selects the events of the repositories, `capture` finds the months that hold enough events, and
`rows` turns those months into facts. Event fields: docs.github.com, "GitHub event types"; GitHub removed
fields on 2025-10-07.
"""

from __future__ import annotations

from advisor.collect.gharchive.capture import Capture, measure_captures
from advisor.collect.gharchive.rows import write_facts
from advisor.collect.gharchive.stage import find_folder, parse_hour, stage_events

__all__ = [
    "SOURCE",
    "Capture",
    "find_folder",
    "measure_captures",
    "parse_hour",
    "stage_events",
    "write_facts",
]
# Sorts after "github": if both sources have a thread, the row of GitHub itself is newer and wins.
SOURCE = "public events (gharchive.org)"
