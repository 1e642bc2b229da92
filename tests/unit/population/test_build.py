"""The script that builds the population from a panel: one row per library, renames, blanks and changes."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import small_panel

from advisor.population.reading import read_category, read_libraries, read_packages

ROOT = Path(__file__).resolve().parents[3]
LISTS = """
[first]
title = "First"
repository = "by/first"
commit = "0"
last_day = 2025-01-01
panel_name = "one"

[two]
title = "Second"
repository = "by/second"
commit = "0"
last_day = 2025-01-01
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Build from a panel whose last month failed for one library and lacks the closed issues of another."""
    folder = tmp_path_factory.mktemp("build")
    table = small_panel.rows(8)
    table = table.assign(
        license="MIT", pypi_id=None, conda_id=None, npm_id=None, cargo_id=None, updated_github_id=None
    )
    table = pd.concat([table, table[table.repo == "owner1/lib1"].assign(list="unnamed", repo="un/listed")])
    last = table.snap.max()
    table.loc[(table.repo == "owner1/lib1"), "pypi_id"] = "Lib_One"
    failed = (table.repo == "owner1/lib1") & (table.snap == last)
    table.loc[failed, ["last_commit_pushed_at", "commit_count", "closed_issue_count"]] = None
    table.loc[(table.repo == "owner2/lib2") & (table.snap < last), "repo"] = "before/lib2"
    table.loc[table.repo == "before/lib2", "updated_github_id"] = "owner2/lib2"
    table.loc[table.repo == "owner3/lib3", "closed_issue_count"] = None
    table["dependent_project_count"] = 900.0
    lost = (table.repo == "owner5/lib5") & (table.snap == last)
    table.loc[lost, "dependent_project_count"] = 440.0
    fewer = (table.repo == "owner6/lib6") & (table.snap == last)
    table.loc[fewer, "dependent_project_count"] = 460.0
    table.loc[table.repo == "owner6/lib6", "latest_stable_release_published_at"] = pd.Timestamp(
        "2021-12-15 09:00"
    )
    claims = {
        "pypi_id": {"Lib4": ["owner3/lib3", "owner4/lib4"], "bowl": ["owner5/lib5", "owner0/lib7"]},
        "conda_id": {"conda-forge/lib_4": ["owner4/lib4", "owner5/lib5"]},
        "npm_id": {"@a/lib4": ["owner4/lib4"], "@b/lib4": ["owner5/lib5"]},
    }
    for column, packages in claims.items():
        for package, names in packages.items():
            table.loc[table.repo.isin(names), column] = package
    same = table.repo.isin(claims["pypi_id"]["bowl"]) & (table.snap == last)
    table.loc[same, "last_commit_pushed_at"] = last
    panel = small_panel.write(folder / "panel.parquet", table)
    (folder / "lists.toml").write_text(LISTS)
    out = folder / "population.parquet"
    command = [
        sys.executable,
        ROOT / "scripts/build_population.py",
        panel,
        "--lists",
        folder / "lists.toml",
        "-o",
        out,
    ]
    subprocess.run([*map(str, command)], check=True, cwd=ROOT)
    return out, last.date()


def test_each_library_of_the_named_lists_has_its_newest_row(file):
    path, last = file
    names = [f"owner{i}/lib{i}" for i in range(7)] + ["owner0/lib7"]
    found = read_libraries([*names, "un/listed"], path)
    assert set(found) == set(names)
    lib = found["owner4/lib4"]
    assert (lib.day, lib.source, lib.stars, lib.licence) == (last, "first", 10 * 4 + 47, "MIT")
    assert lib.downloads == 400 and lib.downloads_pypi == 360
    # The stars of the panel grow by one in 30 days.
    assert lib.changes["stars", 90] == pytest.approx(3.0)
    assert lib.changes["stars", 365] == pytest.approx(365 / 30, abs=0.06)
    assert all(low <= chance <= high for chance, low, high in lib.outlooks.values())


def test_a_number_of_dependents_under_half_of_an_earlier_one_is_unknown(file):
    libraries = read_libraries(["owner4/lib4", "owner5/lib5", "owner6/lib6"], file[0])
    assert {name: lib.dependents for name, lib in libraries.items()} == {
        "owner4/lib4": 900, "owner5/lib5": None, "owner6/lib6": 460,
    }  # fmt: skip


def test_the_day_that_lists_give_without_a_release_is_unknown(file):
    libraries = read_libraries(["owner4/lib4", "owner6/lib6"], file[0])
    assert libraries["owner4/lib4"].last_release and libraries["owner6/lib6"].last_release is None


def test_a_package_belongs_to_one_repository(file):
    names = ["owner3/lib3", "owner4/lib4", "owner5/lib5", "owner0/lib7"]
    libraries = [read_libraries(names, file[0])[name] for name in names]
    assert [lib.pypi for lib in libraries] == [None, "Lib4", None, None], "two have the name of neither"
    assert [lib.conda for lib in libraries] == [None, "conda-forge/lib_4", None, None]
    assert [lib.npm for lib in libraries] == [None, "@a/lib4", "@b/lib4", None], "these are two packages"
    assert [lib.downloads_pypi is None for lib in libraries] == [True, False, True, True]
    assert [lib.dependents for lib in libraries] == [None, 900, None, None]
    assert libraries[1].changes.keys() >= {("downloads", 365)}
    assert not [key for lib in libraries[2:] for key in lib.changes if key[0] in {"downloads", "dependents"}]


def test_a_run_that_failed_does_not_hide_the_row_before(file):
    path, last = file
    lib = read_libraries(["owner1/lib1"], path)["owner1/lib1"]
    assert (last - lib.day).days == 30
    assert lib.last_commit is not None and lib.closed_issues > 0
    assert read_packages({"pypi": ["lib-one"]}, path)["pypi", "lib-one"] == lib


def test_a_renamed_library_is_one(file):
    path, _ = file
    found = read_libraries(["before/lib2", "owner2/lib2"], path)
    assert found["before/lib2"] == found["owner2/lib2"]
    assert found["owner2/lib2"].formerly == ("before/lib2",)
    assert ("stars", 365) in found["owner2/lib2"].changes


def test_issues_kept_elsewhere_are_unknown(file):
    path, _ = file
    lib = read_libraries(["owner3/lib3"], path)["owner3/lib3"]
    assert (lib.open_issues, lib.closed_issues) == (None, None)


def test_a_library_is_in_the_categories_of_its_lists(file):
    path, _ = file
    lib = read_libraries(["owner5/lib5"], path)["owner5/lib5"]
    assert lib.categories == ("first/c2", "two/c2")
    assert {row.repository for row in read_category("first/c2", path)} == {"owner2/lib2", "owner5/lib5"}
