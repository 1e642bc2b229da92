"""The environment of a command under test: only what a process needs, and nothing of the developer's."""

from __future__ import annotations

import os

VARIABLES = ("PATH", "COVERAGE_PROCESS_CONFIG")  # `make coverage` sets the second one


def bare_environment(**more: str) -> dict[str, str]:
    return {name: os.environ[name] for name in VARIABLES if name in os.environ} | more
