"""The small panel, which the tests of the outlook share."""

from __future__ import annotations

import pytest
import small_panel

from advisor.outlook import panel


@pytest.fixture(scope="module")
def table():
    return small_panel.rows()


@pytest.fixture
def read_series(tmp_path):
    return lambda rows: panel.read_panel(small_panel.write(tmp_path / "panel.parquet", rows))
