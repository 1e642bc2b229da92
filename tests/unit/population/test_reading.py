"""The population: the bundled file is whole, and libraries are found by repository, package and category."""

from datetime import date

import duckdb
import pytest

from advisor.domain.files import data_folder
from advisor.errors import FactsError
from advisor.facts.database import copy_sql
from advisor.population import reading
from advisor.population.library import COLUMN_TYPES

BUNDLED = reading.population_file()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Write a population of three libraries; one has been renamed, and two claim the package ``soup``."""
    path = tmp_path_factory.mktemp("population") / "small.parquet"
    rows = [
        {"repository": "Now/Soup", "day": "2026-05-01", "source": "a", "pypi": "Soup_Kitchen", "stars": 5,
         "formerly": ["Old/Soup"], "categories": ["a/food", "b/hot"], "stars_365d": 2.5,
         "outlook_12": 0.25, "outlook_12_low": 0.1, "outlook_12_high": 0.5},
        {"repository": "copy/soup", "day": "2024-05-01", "source": "a", "pypi": "soup-kitchen", "stars": 900},
        {"repository": "x/bowl", "day": "2026-05-01", "source": "b", "conda": "conda-forge/Bowl", "npm": "@x/bowl",
         "stars": 7, "categories": ["a/food"]},
    ]  # fmt: skip
    with duckdb.connect() as db:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMN_TYPES.items())
        db.execute(f"CREATE TABLE library ({columns})")
        for row in rows:
            marks = ", ".join("?" * len(row))
            db.execute(f"INSERT INTO library ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        db.execute(copy_sql("SELECT * FROM library", path))
    return path


def test_a_library_is_found_by_its_name_now_or_before(file):
    found = reading.read_libraries(["OLD/soup", "now/SOUP", "x/none"], file)
    assert set(found) == {"old/soup", "now/soup"}
    assert found["old/soup"] == found["now/soup"]
    soup = found["now/soup"]
    assert (soup.repository, soup.day, soup.source, soup.stars) == ("Now/Soup", date(2026, 5, 1), "a", 5)
    assert soup.changes == {("stars", 365): 2.5}
    assert soup.outlooks == {12: (0.25, 0.1, 0.5)}
    assert (soup.forks, soup.licence, soup.npm) == (None, None, None)


def test_a_package_is_found_in_any_spelling_of_its_index(file):
    wishes = {
        "pypi": ["soup.kitchen", "SOUP__Kitchen", "bowl"],
        "conda": ["bowl"],
        "npm": ["@X/Bowl", "bowl"],
    }
    found = {wish: row.repository for wish, row in reading.read_packages(wishes, file).items()}
    assert found == {
        ("pypi", "soup.kitchen"): "Now/Soup",  # the newer figures, not the more stars
        ("pypi", "SOUP__Kitchen"): "Now/Soup",
        ("conda", "bowl"): "x/bowl",
        ("npm", "@X/Bowl"): "x/bowl",
    }


def test_categories_have_their_libraries(file):
    assert {c.name: c.libraries for c in reading.read_categories(file)} == {"a/food": 2, "b/hot": 1}
    assert [row.repository for row in reading.read_category("a/food", file)] == ["x/bowl", "Now/Soup"]
    assert reading.read_category("food", file) == []


def test_nothing_asked_reads_nothing(tmp_path):
    assert reading.read_libraries([], tmp_path / "absent") == {}
    assert reading.read_packages({"pypi": [], "cargo": []}, tmp_path / "absent") == {}


def test_a_damaged_file_is_an_error_with_a_remedy(tmp_path):
    damaged = tmp_path / "population.parquet"
    damaged.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(FactsError, match=r"population\.parquet.*install advisor again"):
        reading.read_categories(damaged)


def test_the_bundled_file_is_small_dated_and_from_named_lists():
    assert BUNDLED.stat().st_size < 1_500_000
    lists = reading.read_list_repositories()
    readme = (data_folder() / "population" / "README.md").read_text()
    assert all(repository in readme for repository in lists.values())
    with duckdb.connect() as db:
        rows = db.execute(
            "SELECT repository, day, source, categories FROM read_parquet($1)", [str(BUNDLED)]
        ).fetchall()
    assert len(rows) > 4000
    assert {source for _, _, source, _ in rows} <= set(lists)
    assert all(day is not None for _, day, _, _ in rows)
    assert len({repository.lower() for repository, *_ in rows}) == len(rows)
    assert len({c for *_, categories in rows for c in categories or ()}) >= 218


def test_the_bundled_figures_of_well_known_libraries_are_possible():
    found = reading.read_libraries(["pandas-dev/pandas", "django/django", "tiangolo/fastapi"])
    pandas, django = found["pandas-dev/pandas"], found["django/django"]
    assert pandas.pypi == "pandas"
    assert pandas.stars > 45_000
    assert pandas.last_commit.year == 2026
    assert pandas.closed_issues > 20_000
    assert pandas.changes["commits", 365] > 500
    assert django.open_issues is None, (
        "Django's issues are not on GitHub: its open number counts change requests"
    )
    assert found["tiangolo/fastapi"].repository == "fastapi/fastapi"
    assert all(low <= chance <= high for row in found.values() for chance, low, high in row.outlooks.values())
