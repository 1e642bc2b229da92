"""docs/reference from the code: rules, command line, Python, and what each stack does with the run specification."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import typer.main

import advisor
from advisor import model
from advisor.decide import requirements, rules
from advisor.decide.requirements import NAMES
from advisor.domain.files import data_folder
from advisor.facts import tables
from advisor.metrics import METRICS
from advisor.metrics.shared import views

ROOT = Path(__file__).resolve().parents[1]
UNITS = {**{m.name: m.unit for m in METRICS.values()}, **NAMES}


def dependencies_page() -> str:
    """Advisor on what it stands on itself."""
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "advisor",
            "rank",
            "--from",
            "pyproject.toml",
            "--store",
            "bundled",
            "--format",
            "markdown",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = re.sub(r" \(pyproject\.toml:\d+\)", "", told)
    return (
        "# Advisor on its own dependencies\n\nMade by `make docs`: `advisor rank --from pyproject.toml --store bundled --format "
        "markdown`; do not edit. What\nis said about each: [dependencies](../explanation/dependencies.md).\n\n"
        + told
    )


def facts_page() -> str:
    """The tables that a metric reads, as their file describes them."""
    source = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (tables, views))
    found = re.findall(r"((?:^    # .*\n)+)    \"(\w+)\": ", source, re.MULTILINE)
    told = {name: " ".join(re.findall(r"# (.*)", comment)) for comment, name in found}
    lines = [
        "# The facts",
        "",
        "Made by `make docs` from `advisor/facts/tables.py`; do not edit. A metric's SQL sees these as they were known at",
        "the end of the day asked for: later rows are not there, and what closed later is open.",
    ]
    for table in tables.TABLES:
        of_it = ", ".join(f"`{name}` {kind}" for name, kind in tables.columns(table).items())
        lines += ["", f"## {table}", "", f"A row: {told[table]}.", "", of_it]
    for view in views.DERIVED:
        lines += ["", f"## {view} (a view)", "", f"{told[view].capitalize()}."]
    return "\n".join(lines) + "\n"


def rules_page() -> str:
    """Every bundled rule with its examples."""
    lines = [
        "# The rules",
        "",
        "Made by `make docs` from `data/rules/`; do not edit. A rule fires if its condition is true; a",
    ]
    lines += ["comparison with something unknown is unknown. [Add a rule](../how-to/add-a-rule.md)."]
    for file in sorted((data_folder() / "rules").glob("*.toml")):
        lines += [
            "",
            f"## {file.stem}",
            "",
            "| rule | verdict | fires if | says | fires on | stays silent on |",
        ]
        lines += ["|---|---|---|---|---|---|"]
        for rule in rules.load_rules(file, UNITS):
            condition = re.sub(r" \[unknown\]", "", rules.describe(rule.when, {}))
            cells = (
                f"`{rule.id}`",
                rule.verdict,
                condition,
                rule.reason,
                _examples(rule.fires),
                _examples(rule.silent),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _examples(examples: tuple[Any, ...]) -> str:
    return "; ".join(", ".join(f"{k} = {v}" for k, v in e.items()) or "nothing known" for e in examples)


def command_line_page() -> str:
    """The help of every command."""
    from advisor.cli import app, load

    load(None)
    lines = [
        "# The command line",
        "",
        "Made by `make docs` from the commands themselves; do not edit. This is what `--help` prints.",
    ]
    _helps(typer.main.get_command(app), "advisor", None, lines)
    return "\n".join(lines) + "\n"


def _helps(command: Any, name: str, parent: Any, lines: list[str]) -> None:
    context = click.Context(
        command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=100, max_content_width=100
    )
    told = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    lines += ["", f"## {name}", "", "```text", told, "```"]
    for inner in command.list_commands(context) if hasattr(command, "list_commands") else ():
        _helps(command.get_command(context, inner), f"{name} {inner}", context, lines)


def python_page() -> str:
    """What `import advisor` offers, and the values that come back."""
    lines = [
        "# Python",
        "",
        "Made by `make docs` from the docstrings; do not edit. These names stay; one that has to go works for a",
    ]
    lines += [
        "release more, marked with `typing_extensions.deprecated`: readers, type checkers and the running program see it.",
        "",
    ]
    for name in advisor.__all__:
        lines += _entry(advisor, name)
    lines += ["# The values in an answer", ""]
    for name in (
        "Recommendation",
        "Ranked",
        "CriterionScore",
        "MetricScore",
        "Measurement",
        "Finding",
        "Outlook",
        "Candidate",
    ):
        lines += _entry(model, name)
    return "\n".join([*lines, *_entry(requirements, "Requirements")]) + "\n"


def _entry(module: ModuleType, name: str) -> list[str]:
    thing = getattr(module, name)
    lines = [f"## {module.__name__}.{name}", ""]
    if inspect.isfunction(thing):
        signature = str(inspect.signature(thing)).replace("'", "")
        lines += [
            "```python",
            f"{name}{signature}".replace(", ", ",\n    ")
            .replace("(domain", "(\n    domain")
            .replace(") ->", ",\n) ->"),
            "```",
            "",
        ]
    lines += ["```text", inspect.cleandoc(thing.__doc__), "```", ""]
    if is_dataclass(thing):
        lines += ["| field | type |", "|---|---|"]
        lines += [f"| `{f}` | `{_kind(t)}` |" for f, t in thing.__annotations__.items() if f[0] != "_"] + [""]
    return lines


def _kind(annotation: object) -> str:
    told = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return told.replace("|", "\\|")


def spec_page() -> str:
    """For every field of the run specification, what each stack does with it: asked of the stacks, field by field."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "support")]
    from contract import test_spec_leaves as asked

    from finetune.errors import UnsupportedField
    from finetune.stacks import OURS, STACKS

    def answer(name: str, leaf: str) -> str:
        lora = asked.PLACES["one GPU, LoRA"] if leaf.startswith("devices.") else {}
        layers = [("place", lora), ("beside", asked.BESIDE.get(leaf, {}))]
        try:
            before = asked.rendered(name, *layers)[1]
            after = asked.rendered(name, *layers, asked.changed(name, leaf, asked.CHANGES[leaf], *layers))[1]
        except UnsupportedField as refused:
            notes.append(f"{name}, `{leaf}`: {str(refused).partition(': ')[2] or refused}")
            return f"refused ({len(notes)})"
        if new := [text for text in after if text not in before]:
            notes.append(f"{name}, `{leaf}`: {'; '.join(new)}")
            return f"deviates ({len(notes)})"
        return "honoured"

    notes: list[str] = []
    lines = [
        "# The run specification, by stack",
        "",
        "Made by `make docs`, which changes each field and looks at what each stack renders; do not edit. What a",
    ]
    lines += [
        "stack cannot do it refuses, or it names the deviation in the run's record; nothing is dropped in silence.",
        "",
    ]
    lines += ["| field | changed to | " + " | ".join(STACKS) + " |", "|---|---|" + "---|" * len(STACKS)]
    for leaf in sorted(asked.CHANGES):
        told = "another model" if leaf == "model.base" else asked.CHANGES[leaf]
        lines.append(f"| `{leaf}` | {told} | " + " | ".join(answer(name, leaf) for name in STACKS) + " |")
    lines += [
        "",
        "## Why",
        "",
        *(f"{n}. {note}" for n, note in enumerate(notes, 1)),
        "",
        "## What our half does itself",
        "",
    ]
    lines += [
        "The same for every stack: it sees its effect, never the field.",
        "",
        "| field | how |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| `{leaf}` | {how} |" for leaf, how in OURS.items())]) + "\n"
