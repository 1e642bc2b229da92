"""What an upgrade breaks, from real histories through the command, and where code uses it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import date

import pytest
from repositories import Repo, put_release
from typer.testing import CliRunner

from advisor.answers.upgrade import find_library, read_upgrade
from advisor.cli import app, load
from advisor.collect.public_api import collect_api
from advisor.errors import FactsError, InputError
from advisor.facts import reading, writing

OLD = {
    "er/__init__.py": "from er.core import Trainer, load, plot\nfrom er.sub import Thing\n",
    "er/core.py": """
class Trainer:
    def __init__(self, model, tokenizer=None, *, steps=1): ...
    def train(self, resume=False): ...
    def predict(self, rows): ...
def load(path, mode="r"): ...
def plot(rows): ...
""",
    "er/sub.py": "class Thing: ...\n",
}
NEW = {
    "er/__init__.py": "from er.core import Trainer, load\n",
    "er/core.py": """
class Trainer:
    def __init__(self, model, *, processor, steps=1): ...
    def train(self, resume=False): ...
def load(path, *, mode="r"): ...
""",
    "er/things.py": "class Thing: ...\n",
}
CODE = """import er
from er import Trainer as T, plot
from er.core import load
import er.sub

def main(helper: "unknown", trainer: er.core.Trainer):
    trainer.predict([1])
    mine = T("model", tokenizer=None)
    mine.train()
    mine.predict([])
    load("a")
    load("a", "w")
    load("a", mode="w")
    options = {}
    er.Trainer("m", **options)
    er.Trainer("m", processor=1)
    er.sub.Thing()
    other.predict()
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upgrade")
    repo = Repo(folder / "clone")
    for files, day, tag in (
        (OLD, "2024-01-01", "v0.9.4"),
        ({}, "2024-02-01", "v0.9.6"),
        (NEW, "2024-03-01", "v1.0"),
    ):
        for path in list((repo.path / "er").glob("*.py")) if files else []:
            path.unlink()
        for path, text in files.items():
            (repo.path / path).parent.mkdir(exist_ok=True)
            (repo.path / path).write_text(text)
        repo.git("add", "-A", day=day)
        repo.git("commit", "-q", "--allow-empty", "-m", tag, day=day)
        repo.git("tag", tag, day=day)
    (repo.path / "er/things.py").write_text("")
    collect_api(
        str(repo.path), folder / "store", folder / "cache", retrieved_on=date(2024, 6, 1), repository="own/er"
    )
    return folder / "store"


def read(store, old, new=None, as_of=None):
    return read_upgrade(find_library("er", [reading.open_store(store)], as_of), old, new)


def run(*words):
    load("upgrade")
    result = CliRunner().invoke(app, ["upgrade", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_breaks_between_a_series_and_the_newest_release(store):
    upgrade = read(store, "0.9")
    assert (upgrade.old, upgrade.new, upgrade.releases) == ("0.9.6", "1.0", 1)
    assert upgrade.notes == ("0.9 is read as 0.9.6, the newest release of this series",)
    assert {(b.name, b.member, b.kind, b.detail) for b in upgrade.breaks} == {
        ("er.Thing", None, "removed", None), ("er.sub", None, "removed", None),
        ("er.sub.Thing", None, "removed", None),
        ("er.plot", None, "removed", None), ("er.core.plot", None, "removed", None),
        ("er.Trainer", "predict", "removed", None),
        ("er.Trainer", "__init__", "parameter removed", "tokenizer@1"),
        ("er.Trainer", "__init__", "parameter required", "processor"),
        ("er.load", None, "parameter by name only", "mode@1"),
    }  # fmt: skip
    (thing,) = [b for b in upgrade.breaks if b.name == "er.Thing"]
    assert thing.other_names == ("er.things.Thing",)
    assert not read(store, "0.9.4", "0.9.6").breaks


def test_json_has_each_break_and_each_place(store, tmp_path):
    (tmp_path / "train.py").write_text("from er import plot, load\nload('x', 'w')\n")
    words = ("er", "--from", "0.9", "--store", store, "--format", "json")
    report = json.loads(run(*words, "--code", tmp_path))
    assert (report["schema"], report["repository"]) == ("urn:library-advisor:upgrade:1", "own/er")
    assert (report["old"], report["old_day"], report["new"], report["releases"]) == (
        "0.9.6", "2024-02-01", "1.0", 1,
    )  # fmt: skip
    assert len(report["breaks"]) == 9 and report["generated_from"][0]["as_of"] == report["as_of"]
    places = [(p["line"], p["is_certain"], report["breaks"][p["change"]]["text"]) for p in report["places"]]
    assert places == [(1, True, "er.plot: removed"), (2, True, "er.load: parameter mode only by name")]
    assert json.loads(run(*words))["places"] is None, "no code was searched"


def test_versions_are_those_of_the_day(store):
    with pytest.raises(InputError, match=r"0\.9\.6 \(--to\) is not after 0\.9\.6 \(--from\)"):
        read(store, "0.9.6", as_of=date(2024, 2, 15))
    with pytest.raises(InputError, match=r"no release 7 \(--to\): the facts have 0\.9\.4 to 1\.0"):
        read(store, "0.9", "7")
    with pytest.raises(InputError, match="invalid version 'new' of --from"):
        read(store, "new")
    with pytest.raises(FactsError, match="run `advisor collect-stability nobody` first"):
        find_library("nobody", [reading.open_store(store)])


def test_a_series_is_not_its_first_release(tmp_path):
    repo = Repo(tmp_path / "clone")
    for number, tag in enumerate(("v1.5.0", "v1.5.3", "v2.0", "v2.0.1"), 1):
        put_release(repo, {"er/__init__.py": f"def f{number}(): ...\n"}, f"2024-0{number}-01", tag)
    collect_api(
        str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=date(2024, 6, 1), repository="own/er"
    )
    upgrade = read(tmp_path / "s", "1.5", "2.0")
    assert (upgrade.old, upgrade.new) == ("1.5.3", "2.0"), "2.0 is the name of a release"
    assert read(tmp_path / "s", "1.5.0").old == "1.5.0"


def test_a_library_has_the_name_of_its_package_too(store, tmp_path):
    folder = shutil.copytree(store, tmp_path / "store")
    row = {"repository": "own/er", "ecosystem": "pypi", "package": "er-python", "source": "pypi",
           "retrieved_at": "2024-06-01"}  # fmt: skip
    writing.write_rows(folder, "packages", "own/er", [row])
    assert find_library("er-python", [reading.open_store(folder)]).repositories == ("own/er",)


def test_places_in_the_code_of_the_user(store, tmp_path):
    (tmp_path / "train.py").write_text(CODE)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/other.py").write_text("from er import plot\n")
    text = run("er", "--from", "0.9", "--code", tmp_path, "--store", store, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["path"] for row in rows} == {str(tmp_path / "train.py")}
    places = {(int(r["line"]), r["name"], r["member"], r["kind"], r["fails"]) for r in rows}
    assert places == {
        (2, "er.plot", "", "removed", "True"),
        (4, "er.sub", "", "removed", "True"),
        (7, "er.Trainer", "predict", "removed", "True"),
        (8, "er.Trainer", "__init__", "parameter removed", "True"),
        (8, "er.Trainer", "__init__", "parameter required", "True"),
        (10, "er.Trainer", "predict", "removed", "True"),
        (12, "er.load", "", "parameter by name only", "True"),
        (15, "er.Trainer", "__init__", "parameter removed", "False"),
        (15, "er.Trainer", "__init__", "parameter required", "False"),
        (17, "er.Thing", "", "removed", "True"),
        (17, "er.sub", "", "removed", "True"),
    }


def test_report_in_words(store, tmp_path):
    text = run("own/er", "--from", "0.9.6", "--to", "1.0", "--store", store, "--format", "markdown")
    assert (
        "9 incompatible changes: 5 names removed, 4 other changes; 0 were announced by a deprecation." in text
    )
    assert "er.Trainer.\\_\\_init\\_\\_: without parameter tokenizer" in text
    assert "er.Thing: removed, now er.things.Thing" in text
    blocks = run("own/er", "--from", "0.9.6", "--to", "1.0", "--store", store).split("\n\n")
    assert blocks[1].startswith("1.0 (")
    assert "  - er.Thing: removed, now er.things.Thing" in blocks[1].splitlines()
    assert max(map(len, "\n".join(blocks).splitlines())) <= 80
    (tmp_path / "a.py").write_text("import er\nprint(er.Trainer)\n")
    (tmp_path / "b.py").write_text("import er\nprint er.plot\n")
    load("upgrade")
    result = CliRunner().invoke(
        app, ["upgrade", "er", "--from", "0.9", "--code", str(tmp_path), "--store", str(store)]
    )
    assert "Your code meets none of them." in result.stdout
    assert "b.py was not read: SyntaxError" in result.stderr
