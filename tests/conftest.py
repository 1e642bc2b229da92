"""Fixtures that all tests share."""

from __future__ import annotations

import pytest
from small_world import fill, rows


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("world"), rows())
