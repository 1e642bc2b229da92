"""Decorators of deprecation in git histories: what they still take is no break before they go."""

from __future__ import annotations

from datetime import date

import pytest
from repositories import Repo, put_release

from advisor.collect.public_api import collect_api
from advisor.facts import reading

NAME = "own/er"
CALLS = (
    "from tools import deprecate_kwarg, deprecate_positional_args, deprecate_size_parameter, rename_kwargs\n"
)


def collect(tmp_path, *texts):
    """Return the changes of releases that differ in one file."""
    repo = Repo(tmp_path / "clone")
    for number, text in enumerate(texts, 1):
        put_release(repo, {"er/__init__.py": CALLS + text}, f"2024-0{number}-01", f"v{number}.0.0")
    collect_api(
        str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=date(2025, 1, 1), repository=NAME
    )
    rows = reading.read_rows(reading.open_store(tmp_path / "s"), "api_changes", NAME)
    return {(r["version"], r["name"], r["member"], r["kind"], r["detail"], r["was_deprecated"]) for r in rows}


@pytest.mark.parametrize("decorator", [
    '@deprecate_kwarg("size", new_name="length", version="3.0")',
    '@deprecate_kwarg(old_arg_name="size", new_arg_name="length", mapping={"small": 1})',
    '@deprecate_kwarg("2.0", "size", "length")',
    '@rename_kwargs({"size": "length"})',
    '@deprecate_kwarg(["size", "layers"], version="2.0")',
])  # fmt: skip
def test_an_old_name_breaks_when_its_decorator_goes(tmp_path, decorator):
    changes = collect(
        tmp_path,
        "def make(length, size=1): ...\n",
        f"{decorator}\ndef make(length, layers=2): ...\n",
        "def make(length, layers=2): ...\n",
    )
    assert changes == {("3.0.0", "er.make", None, "parameter removed", "size", True)}


def test_a_decorator_can_name_the_parameter_in_its_own_name(tmp_path):
    changes = collect(
        tmp_path, "def make(size=1): ...\n", "@deprecate_size_parameter()\ndef make(length=1): ...\n"
    )
    assert changes == set()


def test_decorators_of_methods_and_of_other_parameters(tmp_path):
    changes = collect(
        tmp_path,
        "class Thing:\n    def __init__(self, size, colour, shape): ...\n",
        'class Thing:\n    @deprecate_kwarg("size", new_name="length")\n'
        "    def __init__(self, length, shape=1): ...\n",
        'class Thing:\n    @deprecate_kwarg("other", new_name="length")\n'
        "    def __init__(self, length, shape=1, **rest): ...\n",
    )
    assert changes == {("2.0.0", "er.Thing", "__init__", "parameter removed", "colour@1", False),
                       ("2.0.0", "er.Thing", "__init__", "parameter moved", "shape@2", False)}, (
        "with **rest the old name is no error")  # fmt: skip


def test_places_that_a_decorator_still_takes(tmp_path):
    changes = collect(
        tmp_path,
        "def make(size, layers=1): ...\n",
        '@deprecate_positional_args("v2.0")\ndef make(size, *, layers=1): ...\n',
        "def make(size, *, layers=1): ...\n",
    )
    assert changes == {("3.0.0", "er.make", None, "parameter by name only", "layers", True)}


def test_a_decorator_announces_that_places_go(tmp_path):
    changes = collect(
        tmp_path,
        '@deprecate_nonkeyword_arguments(allowed_args=["size"])\ndef make(size, layers=1): ...\n',
        "def make(size, *, layers=1): ...\n",
    )
    assert changes == {("2.0.0", "er.make", None, "parameter by name only", "layers@1", True)}


def test_other_decorators_say_nothing_about_parameters(tmp_path):
    changes = collect(
        tmp_path,
        "def make(length, size=1): ...\n",
        '@wraps("size")\ndef make(length): ...\n',
        '@deprecated("3.0", kind="function")\ndef make(length): ...\n',
        "def make(length): ...\n",
    )
    assert changes == {("2.0.0", "er.make", None, "parameter removed", "size@1", False)}


def test_imports_in_a_circle_hide_no_release(tmp_path):
    repo = Repo(tmp_path / "clone")
    circle = {"er/__init__.py": "from er.api import LIMIT, make\n", "er/api.py": "from er import LIMIT\n"}
    put_release(
        repo, {**circle, "er/api.py": circle["er/api.py"] + "def make(size): ...\n"}, "2024-01-01", "v1.0.0"
    )
    put_release(repo, {"er/api.py": circle["er/api.py"] + "def make(): ...\n"}, "2024-02-01", "v2.0.0")
    collect_api(
        str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=date(2025, 1, 1), repository=NAME
    )
    store = reading.open_store(tmp_path / "s")
    assert {r["reason"] for r in reading.read_rows(store, "api_releases", NAME)} == {None}
    assert [r["detail"] for r in reading.read_rows(store, "api_changes", NAME)] == ["size@0"]


def test_a_published_object_is_compared_where_it_is_defined(tmp_path):
    repo = Repo(tmp_path / "clone")
    files = {"er/__init__.py": "from er._one import make\n", "er/_one.py": "def make(size): ...\n",
             "er/part/__init__.py": "from er._one import make\n"}  # fmt: skip
    put_release(repo, files, "2024-01-01", "v1.0.0")
    put_release(repo, {"er/__init__.py": "from er._one import make\nX = 1\n"}, "2024-02-01", "v2.0.0")
    put_release(repo, {"er/_one.py": "def make(length): ...\n"}, "2024-03-01", "v3.0.0")
    collect_api(
        str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=date(2025, 1, 1), repository=NAME
    )
    rows = reading.read_rows(reading.open_store(tmp_path / "s"), "api_changes", NAME)
    assert [(r["version"], r["name"], r["detail"]) for r in rows] == [("3.0.0", "er.make", "size@0")]
