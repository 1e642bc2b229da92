"""Metrics of API stability, on releases whose values are computed by hand."""

from __future__ import annotations

import pytest


def release(version, day, step, **more):
    return {"tag": f"v{version}", "version": version, "released_on": day, "step": step, "names": 10, **more}


def change(version, day, name, member=None, announced=False, alias=False):
    return {"version": version, "released_on": day, "name": name, "member": member, "kind": "removed",
            "is_alias": alias, "was_deprecated": announced}  # fmt: skip


def name(path, added_on, removed_on=None, **more):
    return {"name": path, "kind": "class", "is_alias": False, "added_in": "1", "added_on": added_on,
            "removed_in": removed_on and "2", "removed_on": removed_on, **more}  # fmt: skip


RELEASES = [
    release("1.0", "2020-01-01", "first"),
    release("1.1", "2022-06-01", "minor"),
    release("2.0", "2022-07-01", "major"),
    release("2.0.1", "2022-08-01", "patch"),
    release("2.1", "2023-09-01", "minor"),
]
CHANGES = [
    change("1.1", "2022-06-01", "lib.A", "run", announced=True),
    change("1.1", "2022-06-01", "lib.A", "stop"),
    change("1.1", "2022-06-01", "lib.B"),
    change("2.0", "2022-07-01", "lib.C", announced=True),
    change("2.1", "2023-09-01", "lib.sub.D", alias=True),
]
FACTS = {"api_releases": RELEASES, "api_changes": CHANGES}


def test_breaking_changes(measure):
    measurement = measure("breaking_changes", **FACTS)
    assert (measurement.value, measurement.n) == (0.75, 4), "2 names and 1 in 4 releases; an alias is no name"


def test_announced_breaks(measure):
    measurement = measure("announced_breaks", **FACTS)
    assert (measurement.value, measurement.n) == (0.5, 4)
    quiet = measure("announced_breaks", api_releases=RELEASES, api_changes=[CHANGES[-1]])
    assert (quiet.status, quiet.reason) == (
        "not_applicable",
        "no release of the last three years broke anything",
    )


def test_semantic_versioning(measure):
    measurement = measure("semantic_versioning", **FACTS)
    assert (measurement.value, measurement.n) == (pytest.approx(2 / 3), 3), "1.1 broke names, 2.0 may"
    dates = [release("2023.1", "2023-01-01", None), release("2023.2", "2023-02-01", None)]
    assert (
        measure("semantic_versioning", api_releases=dates, api_changes=[]).reason == "its versions are dates"
    )


def test_a_library_in_another_language_is_unknown(measure):
    rows = [release("1.0", "2023-01-01", "first", names=None, reason="the release has no Python package"),
            release("1.1", "2023-02-01", "minor", names=None, reason="the release has no Python package")]  # fmt: skip
    for metric in ("breaking_changes", "announced_breaks", "semantic_versioning"):
        measurement = measure(metric, api_releases=rows, api_changes=[])
        assert (measurement.status, measurement.reason) == (
            "unavailable",
            "the release has no Python package",
        )


def test_api_lifetime(measure):
    names = [name("a", "2023-01-01", "2023-01-11"), name("b", "2023-01-01", "2023-01-31"),
             name("c", "2023-01-01"), name("d", "2023-01-01", "2023-01-02", is_alias=True),
             name("lib", "2023-01-01", "2023-01-02", kind="module")]  # fmt: skip
    measurement = measure("api_lifetime", api_names=names)
    assert (measurement.value, measurement.n) == (30, 3), "a third is left after 30 days"
    stable = measure("api_lifetime", api_names=names[2:])
    assert stable.reason == "more than half of the public names are expected to stay"


def test_api_retention(measure):
    names = [name("a", "2021-01-01"), name("b", "2021-01-01", "2023-01-01"), name("c", "2021-01-01", "2021-06-01"),
             name("e", "2021-01-01", "2022-06-01"), name("e", "2023-06-01"), name("new", "2023-01-01"),
             name("x", "2021-01-01", is_alias=True)]  # fmt: skip
    measurement = measure("api_retention", api_names=names)
    assert (measurement.value, measurement.n) == (0.75, 4), "a, e and x of a, b, e and x"
    assert (
        measure("api_retention", api_names=[name("new", "2023-01-01")]).reason
        == "it had no release two years ago"
    )
