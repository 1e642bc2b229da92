"""The environment of a command under test: what a process needs to start, and nothing of the developer's."""

from __future__ import annotations

import os

KEPT = ("PATH", "COVERAGE_PROCESS_CONFIG")  # the second is there where `make coverage` counts


def bare_environment(**more: str) -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ} | more
