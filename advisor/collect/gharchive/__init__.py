"""History from GH Archive (gharchive.org): hourly files of GitHub's public events, as they were then.

`stage` makes few rows of many, `gate` says of which months enough was captured, `rows` makes facts of those.
Source of the shapes: docs.github.com, "GitHub event types"; payloads were cut on 2025-10-07.
"""

from __future__ import annotations

from advisor.collect.gharchive.gate import Capture, captures
from advisor.collect.gharchive.rows import write_facts
from advisor.collect.gharchive.stage import hour_of, stage

__all__ = ["SOURCE", "Capture", "captures", "hour_of", "stage", "write_facts"]
# After "github" in the order of names: where both tell of a thread, GitHub's own row is the fresher one.
SOURCE = "public events (gharchive.org)"
