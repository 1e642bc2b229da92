"""No command in README and docs is only for reading: each is carried out, here or beside, or taken by the command line.

What needs no network, hub, GPU or hours is carried out. Of the rest every option must exist and every value fit.
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
from finetune.spec import compose

load(None)
ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
# Their own tests carry them out: test_tutorial.py, test_how_to.py, test_how_tos.py.
BESIDE = {"tutorial", "use-in-ci", "rank-your-dependencies", "a-domain-of-your-own", "collect-many"}
BESIDE |= {f"add-a-{thing}" for thing in ("metric", "rule", "domain", "source", "stack")}
LOCAL = {"rank", "explain", "compare", "coverage", "dashboard", "methods", "schema"}
# A word for what only the reader has; a picture or a saved view, which a browser makes (tests/browser).
STANDS_FOR = re.compile(r"\b(FILE|FOLDER|NAME|PATH|DAY|GOAL)\b|--png|--replay")


def commands(page):
    """Every command of the fenced blocks, and of those in the text each that is more than a name or an option's."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced for line in block.replace("\\\n", " ").splitlines()]
    spans = [s for s in re.findall(r"`([^`]+)`", text) if len(s.split()) > 2 and s.split()[-1][0] != "-"]
    for line in (*lines, *spans):
        plain = re.sub(r"^(exec |[A-Z_]+=\S+ )+", "", line)
        if plain.startswith("advisor ") and "…" not in plain:
            yield tuple(shlex.split(re.sub(r"\s#.*|\s[|>&].*", "", plain))[1:])


def take(words):
    """Parse as the command line does, down to the command; nothing of it runs."""
    command, rest = typer.main.get_command(app), list(words)
    while hasattr(command, "list_commands") and rest:
        _, command, rest = command.resolve_command(typer.Context(command), rest)
    command.make_context(command.name, rest)


def in_helps():
    """The examples in the docstrings of the commands."""
    program = typer.main.get_command(app)
    for name in program.list_commands(typer.Context(program)):
        told = " ".join(program.get_command(typer.Context(program), name).help.split())
        for example in re.split(r"Examples?: ", told)[1:]:
            for one in example.split("; "):
                yield Path(f"help of {name}"), tuple(shlex.split(re.split(r"\.( |$)", one)[0])[1:])


ALL = sorted({*in_helps(), *((page.relative_to(ROOT), words) for page in PAGES for words in commands(page))})
RUN = sorted(
    {w for p, w in ALL if w[0] in LOCAL and p.stem not in BESIDE and not STANDS_FOR.search(" ".join(w))}
)


def test_they_are_found():
    assert len(ALL) > 90
    assert len(RUN) > 12


@pytest.mark.parametrize(
    ("page", "words"), ALL, ids=lambda part: " ".join(part) if isinstance(part, tuple) else part.stem
)
def test_the_command_line_takes_it(page, words):
    take(words)


@pytest.fixture(scope="session")
def facts(tmp_path_factory):
    """A store of measured facts, as `advisor collect` and `advisor measure` leave one."""
    store = tmp_path_factory.mktemp("store") / "facts"
    shutil.copytree(ROOT / "data/snapshots/finetuning", store)
    done = CliRunner().invoke(app, ["measure", str(store)])
    assert done.exit_code == 0, done.output
    return store


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_it_is_carried_out(words, facts, tmp_path, monkeypatch):
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
    done = CliRunner().invoke(app, list(words))
    if isinstance(done.exception, AdvisorError):
        raise done.exception
    assert done.exit_code == 0 or ("--fail-under" in words and done.exit_code == 4), done.output
    assert done.stdout or list(tmp_path.glob("*.html"))


def test_a_run_file_shown_is_one():
    (block,) = re.findall(
        r"^```toml\n(.*?)^```", (ROOT / "docs/how-to/train.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert compose([("file", tomllib.loads(block))]).spec.training.epochs == 2


def test_python_shown_in_the_readme_runs():
    (call,) = re.findall(r"`(advisor\.recommend\(.*?)`", (ROOT / "README.md").read_text())
    assert len(eval(call, {"advisor": advisor})) >= 4
