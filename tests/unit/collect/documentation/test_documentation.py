"""What a library documents, counted in real repositories with the answers worked out by hand."""

from __future__ import annotations

import json
from datetime import date

import pytest
from repositories import Repo
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.collect.documentation.api import Module, find_module_name, find_packages, read_module
from advisor.collect.documentation.examples import read_imports, works
from advisor.collect.documentation.pages import is_page, read_page
from advisor.facts import reading

TRAINER = '''"""The trainer."""
class LoraTrainer:
    """Trains."""
    def __init__(self, model{more}): ...
    def train_model(self): ...
    def _step(self): ...
def merge_weights(path):
    """Merge."""
def _private(): ...
'''


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    repo = Repo(folder / "clone")
    repo.write("2023-01-11", {
        "src/lib/__init__.py": "from lib.trainer import LoraTrainer\n",
        "src/lib/trainer.py": TRAINER.format(more=""),
        "docs/trainer.md": "# Trainer\n\nUse `LoraTrainer` and `merge_weights` to train.\n```\ncode here\n```\n",
        "docs/quickstart.md": "Start with LoraTrainer here.\n",
        "examples/good.py": "from lib import LoraTrainer\nfrom lib.trainer import merge_weights\n",
        "examples/broken.py": "from lib.trainer import OldTrainer\n",
        "examples/odd.py": "print 'Python 2'\n",
        "examples/other.py": "import json\n",
    })  # fmt: skip
    repo.write("2023-09-01", {"src/lib/trainer.py": TRAINER.format(more=", peft=None")})
    repo.write("2024-03-01", {"docs/trainer.md": "Use `LoraTrainer` and `merge_weights` with peft.\n"})
    load("collect-docs")
    command = ["collect-docs", str(repo.path), "--name", "own/er", "--store", str(folder / "s")]
    result = CliRunner().invoke(app, [*command, "--retrieved-on", "2024-06-01"])
    assert result.exit_code == 0, result.output
    return reading.open_store(folder / "s")


def totals(store, day):
    rows = reading.read_rows(store, "counts", "own/er", "documentation")
    return {r["metric"]: r["value"] for r in rows if r["day"] == date.fromisoformat(day)}


def test_totals_of_a_tree(store):
    assert totals(store, "2023-01-11") == {
        "api_symbols": 3,  # LoraTrainer, LoraTrainer.train_model, merge_weights
        "api_docstrings": 2,
        "documentation_words": 12,  # 1 of the heading, 7 of the sentence, 4 of the quick start
        "api_mentions": 3,
        "fresh_api_mentions": 3,
        "code_examples": 3,  # other.py does not use the library, odd.py does not parse
        "working_code_examples": 1,
        "getting_started_pages": 1,
    }


def test_a_page_is_out_of_date_until_it_changes_after_the_api(store):
    fresh = {day: totals(store, day)["fresh_api_mentions"] for day in ("2023-09-01", "2024-03-01")}
    assert fresh == {
        "2023-09-01": 1,  # merge_weights did not change
        "2024-03-01": 2,  # the quick start still names LoraTrainer as it was
    }


def test_packages_are_the_folders_at_the_top():
    packages = find_packages(["src/lib/__init__.py", "src/lib/a/__init__.py", "lib2/__init__.py"])
    assert packages == {"src/lib", "lib2"}
    assert find_module_name("src/lib/a/__init__.py", packages) == "lib.a"
    assert find_module_name("src/lib/a/b.py", packages) == "lib.a.b"
    assert find_module_name("setup.py", packages) is None


LAZY = '_import_structure = {"sft": ["SFTTrainer"]}\n'


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("from lib import SFTTrainer", True),  # a lazy import names it in a text
        ("from lib import sft", True),
        ("import lib.sft", True),
        ("from lib.sft import Anything", True),  # a star import can bring it
        ("from lib import Gone", False),
        ("import lib.gone", False),
        ("from lib.gone import X", False),
        ("try:\n    from lib import Gone\nexcept ImportError:\n    pass", True),
        ("from other import Gone", True),
    ],
)
def test_an_example_works_if_its_imports_exist(code, answer):
    modules = {"lib": read_module(LAZY), "lib.sft": read_module("from x import *")}
    imports = read_imports("examples/x.py", code)
    assert works(imports, frozenset({"lib"}), modules) is answer


def test_a_notebook_has_commands_of_ipython():
    cells = ["%pip install lib\nfrom lib import A", "%%bash\nfor x", "!ls\nimport json"]
    text = json.dumps({"cells": [{"cell_type": "code", "source": [cell]} for cell in cells]})
    assert read_imports("nb/x.ipynb", text) == {("lib", "A"), ("json", "")}
    assert read_imports("nb/x.ipynb", "{") == frozenset(), "unknown is not broken"
    assert read_imports("x.py", "def") is None


def test_hostile_files_are_read_in_bounded_time():
    assert read_module("(" * 5000) == Module(frozenset(), is_open=False, symbols=())
    assert read_page("docs/x.md", "a" * 2_000_000).words == 0
    read_page("docs/x.md", "``` \n" * 50_000)
    read_page("docs/x.md", "\n" * 900_000)


def test_translations_and_change_logs_are_no_pages():
    paths = (
        "README.md",
        "docs/en/a.md",
        "docs/zh/a.md",
        "README_zh.md",
        "docs/changelog.md",
        "src/README.md",
    )
    assert [is_page(p) for p in paths] == [True, True, False, False, False, False]


@pytest.mark.parametrize(("path", "is_start"), [
    ("docs/10-minutes-to-dask.rst", True), ("docs/10min.ipynb", True), ("docs/quickstart.md", True),
    ("docs/110min.md", False), ("docs/10mining.md", False), ("docs/often_min.md", False)])  # fmt: skip
def test_names_of_pages_to_get_started(path, is_start):
    assert read_page(path, "").is_start == is_start
