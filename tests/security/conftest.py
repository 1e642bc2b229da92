"""A small store that a test may damage."""

from __future__ import annotations

import shutil

import pytest
from star_store import build_store


@pytest.fixture(scope="session")
def small_store(tmp_path_factory):
    return build_store(tmp_path_factory.mktemp("small") / "store")


@pytest.fixture
def store(small_store, tmp_path):
    return shutil.copytree(small_store, tmp_path / "store")
