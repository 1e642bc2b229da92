"""Names are nouns of the model: no participle stands as a noun, no class is in lower case, each word is defined once."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(p for folder in ("advisor", "finetune") for p in (ROOT / folder).rglob("*.py"))
# Past participles that do not end in -ed.
IRREGULAR = frozenset(
    ("begun", "bought", "brought", "built", "caught", "chosen", "done", "drawn", "found", "given", "gone", "grown",
     "heard", "held", "hidden", "kept", "known", "laid", "led", "left", "lost", "made", "meant", "paid", "said", "seen",
     "sent", "shown", "sold", "spent", "taken", "thought", "thrown", "told", "understood", "won", "written")
)  # fmt: skip
# Words that end in -ed and are no participles.
NOUNS = frozenset(("feed", "need", "seed", "speed"))
# Names that end in a participle, each with its reason.
ALLOWED = {
    "GitFailed": "an error: its name says what happened",
    "Refused": "an error: its name says what happened",
    "Ranked": "a candidate with its place; part of the public interface",
    "abstained": "a key of the JSON answer: whether an outlook abstains",
    "benched": "a key of domain files: whether a criterion rests on benches alone",
    "chosen": "a column of TRL's preference format: the better answer",
    "ended": "a key of record.json: when a run ended",
    "excluded": "a key of the JSON answer: whether a rule excludes the candidate",
    "interleaved": "a key of the native config for torchtune",
    "tied": "a key of the native config for torchtune",
    "known": "a key of the JSON answer: what a rule knows beside an outlook",
    "left": "a key of the outlook's trees: the left branch",
    "blank_left": "a key of the outlook's trees: whether a blank goes to the left branch",
    "last_committed": "a key of the JSON back-test: the choice by the last commit",
    "listed": "a key of percentiles.json: the libraries on the lists",
    "most_starred": "a key of the JSON back-test: the choice by stars",
    "pooled": "a key of the JSON back-test: the figures over all days",
    "ranked": "a key of the JSON reports of one or several packages",
    "rejected": "a column of TRL's preference format: the worse answer",
    "released": "a key of model_families.toml: the day of the first public weights",
    "started": "a key of record.json and of benches: when a run started",
    "supported": "a key of the JSON coverage report: how many families a library supports",
    "measured": "a key of the JSON coverage report: the measurements of a library",
    "trained": "a key of the data summary: how many tokens count in the loss",
    "undecided": "a key of the JSON answer: rules whose condition is unknown",
}
PREDICATE = re.compile(r"_?(is|was|has|can)_")


def is_participle(name: str) -> bool:
    """Whether the last word of a name is a past participle, so that it names a thing by what was done to it."""
    last = name.strip("_").lower().rpartition("_")[2]
    if PREDICATE.match(name) or last in NOUNS:
        return False
    return last in IRREGULAR or re.fullmatch(r"[a-z]{2,}ed", last) is not None


def names(tree):
    """Every name that a module binds, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case (
                ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield name, node.lineno
            case ast.alias(asname=str(name)) | ast.MatchAs(name=str(name)):
                yield name, node.lineno


def test_there_are_files():
    assert len(FILES) > 200


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_participle_is_a_name(file):
    bound = [(name, line) for name, line in names(ast.parse(file.read_text())) if is_participle(name)]
    assert [(name, line) for name, line in bound if name not in ALLOWED] == []
    assert not is_participle(file.stem)


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_name_says_one_thing(file):
    assert [name for name, _ in names(ast.parse(file.read_text())) if "_and_" in name] == []


def test_every_allowed_name_is_used():
    bound = {name for file in FILES for name, _ in names(ast.parse(file.read_text()))}
    assert set(ALLOWED) <= bound


@pytest.mark.parametrize("name", ["found", "kept_draws_made", "asked", "_measured", "rows_seen", "wanted"])
def test_what_is_a_participle(name):
    assert is_participle(name)


@pytest.mark.parametrize(
    "name", ["kept_rows", "is_abandoned", "has_changed", "seed", "missing_names", "download_speed"]
)
def test_what_is_none(name):
    assert not is_participle(name)


def test_classes_are_in_cap_words():
    classes = [
        node.name
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in classes if not re.fullmatch(r"_?[A-Z][A-Za-z0-9]*", name)] == []


@pytest.mark.parametrize("name", ["Request", "Plan", "Progress", "Format", "Outcome", "Family"])
def test_a_word_is_one_class(name):
    """Each of these is one class, or is qualified: `HttpRequest`."""
    where = [
        file.relative_to(ROOT)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.strip("_") == name
    ]
    assert len(where) <= 1


def test_the_glossary_defines_each_term_once():
    text = (ROOT / "docs" / "reference" / "glossary.md").read_text()
    terms = re.findall(r"^\| ([^|]+) \| ", text, re.MULTILINE)
    terms = [term for cell in terms if cell != "term" for term in cell.split(", ")]
    assert len(terms) > 60
    assert sorted(terms) == sorted(set(terms))
