"""Every command in README, docs and help works.

The tests run each command that needs no network, hub, GPU or hours. Of the others they check all options.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import tiny_model
import typer
from typer.testing import CliRunner

import advisor
from advisor.cli import app, load
from advisor.errors import AdvisorError
from finetune.spec import compose_spec

load(None)
ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    # The commands of add-a-*.md need what the page adds: test_how_to.py runs them.
    *sorted(p for p in (ROOT / "docs" / "how-to").glob("*.md") if not p.stem.startswith("add-a-")),
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
# test_tutorial.py and test_how_to.py run these pages.
OTHER_TESTS = {"tutorial", "use-in-ci", "rank-your-dependencies", "a-domain-of-your-own", "collect-many"}
LOCAL = {"rank", "explain", "compare", "coverage", "dashboard", "methods", "schema"}
# Names of files that only the reader has; a picture or a saved view needs a browser (tests/browser); --collect
# needs the network (tests/collect).
PLACEHOLDER = re.compile(r"\b(FILE|FOLDER|NAME|PATH|DAY|GOAL)\b|--png|--replay|--collect")


def commands(page):
    """Yield every command of the fenced blocks, and those in the text that have arguments."""
    fenced_blocks = re.findall(r"^```[^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced_blocks for line in block.replace("\\\n", " ").splitlines()]
    spans = [s for s in re.findall(r"`([^`]+)`", text) if len(s.split()) > 2 and s.split()[-1][0] != "-"]
    for line in (*lines, *spans):
        plain = re.sub(r"^(exec |[A-Z_]+=\S+ )+", "", line)
        if plain.startswith("advisor ") and "…" not in plain:
            yield tuple(shlex.split(re.sub(r"\s#.*|\s[|>&].*", "", plain))[1:])


def parse(words):
    """Parse a command without running it."""
    command, rest = typer.main.get_command(app), list(words)
    while hasattr(command, "list_commands") and rest:
        _, command, rest = command.resolve_command(typer.Context(command), rest)
    command.make_context(command.name, rest)


def help_examples():
    """Yield the examples in the help of every command, one a line."""
    program = typer.main.get_command(app)
    for name in program.list_commands(typer.Context(program)):
        _, _, examples = program.get_command(typer.Context(program), name).help.partition("\b\nExamples:\n")
        for line in examples.splitlines():
            command = re.sub(r"^  ([A-Z_]+=\S+ )*", "", line)
            assert command.startswith("advisor "), f"help of {name}: {line}"
            yield Path(f"help of {name}"), tuple(shlex.split(command)[1:])


ALL = sorted(
    {*help_examples(), *((page.relative_to(ROOT), words) for page in PAGES for words in commands(page))}
)
RUN = sorted(
    {w for p, w in ALL if w[0] in LOCAL and p.stem not in OTHER_TESTS and not PLACEHOLDER.search(" ".join(w))}
)


def test_the_pages_contain_commands():
    assert len(ALL) > 90
    assert len(RUN) > 12


@pytest.mark.parametrize(
    ("page", "words"), ALL, ids=lambda part: " ".join(part) if isinstance(part, tuple) else part.stem
)
def test_a_command_parses(page, words):
    parse(words)


@pytest.fixture(scope="session")
def facts(tmp_path_factory):
    """A store after `advisor collect` and `advisor measure`."""
    store = tmp_path_factory.mktemp("store") / "facts"
    shutil.copytree(ROOT / "data/snapshots/finetuning", store)
    result = CliRunner().invoke(app, ["measure", str(store)])
    assert result.exit_code == 0, result.output
    return store


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_a_command_runs(words, facts, tmp_path, monkeypatch):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "requirements.txt").write_text("flask\ntrl\n")
    if store := {"facts", "FACTS"} & set(words):
        shutil.copytree(facts, tmp_path / store.pop())
    if "run.toml" in words:
        base = tiny_model.model(tmp_path / "tiny")
        data = tiny_model.write(tmp_path / "sums.jsonl", tiny_model.sums())
        (tmp_path / "run.toml").write_text(
            f'[model]\nbase = "{base}"\n[data]\ntrain = "{data}"\n[devices]\nkind = "cpu"\n'
        )
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, AdvisorError):
        raise result.exception
    allowed = (
        {0, 4} if "--fail-under" in words else {0, 3} if "fast" in words else {0}
    )  # 3: nothing was measured
    assert result.exit_code in allowed, result.output
    output = words[words.index("-o") + 1] if "-o" in words else "*.html"
    assert result.stdout or list(tmp_path.glob(output))


def test_the_run_spec_in_the_docs_is_valid():
    (block,) = re.findall(
        r"^```toml\n(.*?)^```", (ROOT / "docs/how-to/train.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert compose_spec([("file", tomllib.loads(block))]).spec.training.epochs == 2


def test_python_in_the_readme_runs():
    (call,) = re.findall(r"`(advisor\.recommend\(.*?)`", (ROOT / "README.md").read_text())
    assert len(eval(call, {"advisor": advisor}).to_frame()) >= 4
