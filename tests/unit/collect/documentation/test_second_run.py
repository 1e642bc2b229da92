"""A second run reads only the files that the first did not, and its facts equal those of a fresh run."""

from __future__ import annotations

from datetime import date

import pytest
from repositories import Repo

from advisor.collect.documentation import collect_documentation
from advisor.collect.git import blobs
from advisor.collect.recipes import collect_recipes
from advisor.domain.families import load_families
from advisor.domain.recipe_words import load_words
from advisor.facts import reading

MODULE = "def merge_weights(path{more}):\n    '''Merge.'''\n"
SCRIPT = "from own import merge_weights\nmodel = 'meta-llama/Llama-3.1-8B'\nSFTTrainer(model, peft_config=LoraConfig(r={r}))\n"


@pytest.fixture
def repo(tmp_path):
    repo = Repo(tmp_path / "clone")
    repo.write(
        "2023-01-11",
        {"own/__init__.py": MODULE.format(more=""), "docs/guide.md": "Call `merge_weights` to merge.\n"},
    )
    repo.write(
        "2023-09-01",
        {"examples/train.py": SCRIPT.format(r=8), "own/__init__.py": MODULE.format(more=", r=8")},
    )
    return repo


@pytest.fixture
def texts(monkeypatch):
    """The texts that were read from the history."""
    seen, read_text = [], blobs.BlobReader.read_text

    def read(self, blob):
        seen.append(text := read_text(self, blob))
        return text

    monkeypatch.setattr(blobs.BlobReader, "read_text", read)
    return seen


def collect(repo, folder, cache):
    options = {"retrieved_on": date(2024, 6, 1), "repository": "own/er"}
    collect_recipes(str(repo.path), folder, cache, load_words(), load_families(), **options)
    collect_documentation(str(repo.path), folder, cache, **options)
    store = reading.open_store(folder, may_lack_days=True)
    tables = {
        table: reading.read_rows(store, table, "own/er", part)
        for table, part in (("recipes", ""), ("counts", "documentation"))
    }
    assert any(row["model"] for row in tables["recipes"]) and len(tables["counts"]) >= 8
    return tables


def test_an_unchanged_history_is_not_read_again(repo, tmp_path, texts):
    first = collect(repo, tmp_path / "s", tmp_path / "cache")
    assert len(texts) >= 4
    texts.clear()
    assert collect(repo, tmp_path / "s", tmp_path / "cache") == first
    assert texts == []


def test_new_commits_cost_their_own_files(repo, tmp_path, texts):
    collect(repo, tmp_path / "s", tmp_path / "cache")
    texts.clear()
    repo.write(
        "2024-03-01",
        {"examples/train.py": SCRIPT.format(r=16), "docs/guide.md": "`merge_weights` takes r.\n"},
    )
    second = collect(repo, tmp_path / "s", tmp_path / "cache")
    assert {text.count("r=16") + text.count("takes r") for text in texts} == {1}, (
        "both changed files, and no other"
    )
    assert second == collect(repo, tmp_path / "fresh", tmp_path / "another")


def test_a_run_that_was_interrupted_goes_on(repo, tmp_path, texts, monkeypatch):
    fresh = collect(repo, tmp_path / "fresh", tmp_path / "another")
    count = len(texts)
    texts.clear()
    monkeypatch.setattr(
        "advisor.collect.documentation.pages.read_page", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        collect(repo, tmp_path / "s", tmp_path / "cache")
    monkeypatch.undo()
    assert 0 < len(texts) < count
    assert collect(repo, tmp_path / "s", tmp_path / "cache") == fresh


def test_other_words_of_recipes_read_everything_again(repo, tmp_path, texts):
    collect(repo, tmp_path / "s", tmp_path / "cache")
    texts.clear()
    options = {"retrieved_on": date(2024, 6, 1), "repository": "own/er"}
    collect_recipes(
        str(repo.path), tmp_path / "s", tmp_path / "cache", load_words(), load_families()[:3], **options
    )
    assert any("SFTTrainer" in text for text in texts)
