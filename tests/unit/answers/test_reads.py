"""A command opens each file of its question once: rules, organisations, manifest and fact files."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from advisor.answers import coverage
from advisor.answers.question import Request, read_request
from advisor.cli import app, load
from advisor.domain import domain
from advisor.facts.facts_view import FactsView

FACTS = read_request(Request()).facts
FACT_FILES = sum(len(FACTS.store.files[repository]) for repository in FACTS.repositories)
# Command → the number of fact files that it must check.
COMMANDS = {
    "rank": FACT_FILES,
    "rank --as-of 2024-06-05": FACT_FILES,
    "rank --model google/gemma-2-9b --method qlora --prefer community": FACT_FILES,
    "explain axolotl": FACT_FILES,
    "explain axolotl --as-of 2024-06-05": FACT_FILES,
    "coverage": FACT_FILES,
    "compare trl unsloth": None,
    "dashboard --months 2": FACT_FILES,
}


@pytest.fixture
def counts(monkeypatch):
    """File → how often it is opened; ``hashes`` and ``connections`` count calls."""
    counter: Counter[str] = Counter()

    def count(name, function):
        def call(*args, **kwargs):
            counter[str(args[0]) if name is None else name] += 1
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(Path, "open", count(None, Path.open))
    monkeypatch.setattr(hashlib, "file_digest", count("hashes", hashlib.file_digest))
    monkeypatch.setattr(duckdb, "connect", count("connections", duckdb.connect))
    return counter


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reads_each_file_once(command, counts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load(None)
    domain.load_bundled_domain.cache_clear()
    result = CliRunner().invoke(app, [*command.split(), "--store", "bundled"])
    assert result.exit_code == 0, result.output
    for name in ("rules/library.toml", "rules/models.toml", "domains/finetuning.toml", "manifest.json"):
        assert [n for file, n in counts.items() if file.endswith(name)] == [1], name
    assert max(n for file, n in counts.items() if file.endswith(".parquet")) == 1
    assert counts["hashes"] == (COMMANDS[command] or counts["hashes"])
    # One for the candidates; `explain` has one more for the model coverage of its candidate.
    assert counts["connections"] <= 1 + command.startswith("explain")


def test_a_view_is_checked_and_opened_once(counts):
    question = read_request(Request())
    assert counts["hashes"] == counts["connections"] == 0, "on first use"
    for _ in range(2):
        assert question.facts.damages == ()
        coverage.read_coverage(question, "any")  # "main" is kept and opens nothing
    assert (counts["hashes"], counts["connections"]) == (FACT_FILES, 1)
    other = FactsView(question.store, question.facts.repositories[:1], question.as_of)
    assert other.intact_repositories == question.facts.repositories[:1]
    assert counts["hashes"] == FACT_FILES, "views of one store share what they checked"


def test_a_selection_of_the_same_repositories_is_the_same_view():
    facts = read_request(Request()).facts
    assert facts.select(facts.repositories) is facts
    assert facts.select(facts.repositories[1:]).repositories == facts.repositories[1:]
