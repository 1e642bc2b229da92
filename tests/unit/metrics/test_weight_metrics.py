"""Metrics of what an install brings, on locks whose values are computed by hand."""

from __future__ import annotations

import pytest

MIB = 1_048_576


def part(name, day="2023-12-01", **more):
    return {"day": day, "package": "lib", "version": "2.0", "python": "3.12", "part": name, "part_version": "1",
            "pythons": "3.10 3.11 3.12", "systems": "linux macos", **more}  # fmt: skip


LOCK = [
    part("lib", size_bytes=MIB, licence_kind="permissive", advisories=0),
    part("torch", size_bytes=500 * MIB, licence_kind="permissive", advisories=2),
    part("cuda", size_bytes=99 * MIB, licence_kind="restricted", advisories=1),
    part("reader", size_bytes=None, licence_kind=None, advisories=None),
]
OLD = [part("lib", "2023-06-01", size_bytes=9 * MIB, licence_kind="copyleft", advisories=5)]
NO_LOCK = [
    {
        "day": "2023-12-01",
        "package": "lib",
        "version": "2.0",
        "pythons": "",
        "systems": "",
        "reason": "a conflict",
    }
]


def test_install_packages(measure):
    measurement = measure("install_packages", installs=[*LOCK, *OLD])
    assert (measurement.value, measurement.n) == (4, 4), "the newest lock alone"
    early = measure("install_packages", installs=[part("lib", "2022-11-20")])
    assert early.status == "unavailable", "a lock of more than 400 days ago does not describe the day"
    unknown = measure("install_packages", installs=NO_LOCK)
    assert (unknown.value, unknown.reason) == (None, "no lock: a conflict")


def test_install_size(measure):
    measurement = measure("install_size", installs=[*LOCK, *OLD])
    assert (measurement.value, measurement.evidence_share) == (600, 0.75), "one package without a size"
    unknown = measure("install_size", installs=[part("lib")])
    assert unknown.reason == "the package index states no sizes"


def test_install_advisories(measure):
    assert measure("install_advisories", installs=[*LOCK, *OLD]).value == 3
    unknown = measure("install_advisories", installs=[part("lib")])
    assert unknown.value is None and unknown.reason == "pip-audit knows none of the packages"


def test_install_conditions(measure):
    measurement = measure("install_conditions", installs=[*LOCK, *OLD])
    assert (measurement.value, measurement.low, measurement.high) == (1, 1, 2), "reader may have conditions"


def test_supported_pythons(measure):
    assert measure("supported_pythons", installs=LOCK).value == 3
    assert measure("supported_pythons", installs=NO_LOCK).value == 0, "no Python installs version 2.0"
    assert measure("supported_pythons", installs=[{**NO_LOCK[0], "version": ""}]).status == "unavailable"


def test_supported_systems(measure):
    assert measure("supported_systems", installs=LOCK).value == 2
    assert measure("supported_systems", installs=NO_LOCK).value == 0


def test_import_time(measure):
    rows = [{"day": day, "metric": "import_seconds", "value": value, "definition": "import lib"}
            for day, value in (("2023-06-01", 4.0), ("2023-12-01", 1.5))]  # fmt: skip
    assert measure("import_time", counts=rows).value == pytest.approx(1.5), "the newest measurement"
