"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings
from small_world import fill, rows

# A property holds or does not; on a busy machine its first example may take seconds.
settings.register_profile("any machine", deadline=None)
# mutmut runs the tests a thousand times; ten examples find nearly all that a hundred find.
settings.register_profile("mutants", deadline=None, max_examples=10, database=None)
settings.load_profile("mutants" if "MUTANT_UNDER_TEST" in os.environ else "any machine")
# A shell that starts the tests in the background has Ctrl-C ignored, and so would every program that the
# tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("world"), rows())


@pytest.fixture(scope="session", autouse=True)
def no_store_of_ones_own(tmp_path_factory):
    """The tests rank the bundled snapshot, whatever the person who runs them has collected."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATA", "STATE"):
            patch.setenv(f"XDG_{name}_HOME", str(tmp_path_factory.mktemp(f"{name.lower()}-home")))
        yield
