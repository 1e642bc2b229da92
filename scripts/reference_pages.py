"""Generate the reference pages of dependencies, facts, rules, command line, Python and run specification."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import click
import typer.main

import advisor
from advisor.decide import rules
from advisor.decide.requirements import NAMES
from advisor.domain.files import data_folder
from advisor.facts import tables
from advisor.metrics import METRICS
from advisor.metrics.shared import views

ROOT = Path(__file__).resolve().parents[1]
UNITS = {**{m.name: m.unit for m in METRICS.values()}, **NAMES}


def dependencies_page() -> str:
    """Return the page about advisor's own dependencies."""
    output = subprocess.run(
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
    output = re.sub(r" \(pyproject\.toml:\d+\)", "", output)
    return (
        "# Advisor on its own dependencies\n\n`make docs` generates this page with `advisor rank --from pyproject.toml --store bundled --format "
        "markdown`; do not edit\nit. Notes on each dependency: [dependencies](../explanation/dependencies.md).\n\n"
        + output
    )


def facts_page() -> str:
    """Return the page about the fact tables and derived views, from the comments in their modules."""
    source = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (tables, views))
    comments = re.findall(r"((?:^    # .*\n)+)    \"(\w+)\": ", source, re.MULTILINE)
    descriptions = {name: " ".join(re.findall(r"# (.*)", comment)) for comment, name in comments}
    lines = [
        "# The facts",
        "",
        "`make docs` generates this page from `advisor/facts/tables.py`; do not edit it. The SQL of a metric reads these",
        "tables as they were known at the end of the as-of date: without later rows, and without later events (for",
        "example, an issue that was closed later is open).",
    ]
    for table in tables.TABLES:
        column_list = ", ".join(f"`{name}` {kind}" for name, kind in tables.columns(table).items())
        lines += ["", f"## {table}", "", descriptions[table], "", column_list]
    for view in views.DERIVED_VIEWS:
        lines += ["", f"## {view} (a view)", "", f"{descriptions[view][0].upper()}{descriptions[view][1:]}."]
    return "\n".join(lines) + "\n"


def rules_page() -> str:
    """Return the page with every bundled rule and its examples."""
    lines = [
        "# The rules",
        "",
        "`make docs` generates this page from `data/rules/`; do not edit it. A rule fires if its condition is true. A",
    ]
    lines += ["comparison with an unknown value is unknown. See [Add a rule](../how-to/add-a-rule.md)."]
    for file in sorted((data_folder() / "rules").glob("*.toml")):
        lines += [
            "",
            f"## {file.stem}",
            "",
            "| rule | verdict | fires if | reason | example that fires | example that does not fire |",
        ]
        lines += ["|---|---|---|---|---|---|"]
        for rule in rules.load_rules(file, UNITS):
            parts = [rule.when] if rule.unless is None else [rule.when, rule.unless]
            texts = [re.sub(r" \[unknown\]", "", rules.describe_condition(part, {})) for part in parts]
            condition = " unless ".join(texts)
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
    return "; ".join(", ".join(f"{k} = {v}" for k, v in e.items()) or "no known value" for e in examples)


def command_line_page() -> str:
    """Return the page with the help of every command."""
    from advisor.cli import app, load

    load(None)
    lines = [
        "# The command line",
        "",
        "`make docs` generates this page from the commands; do not edit it. It shows what `--help` prints.",
    ]
    _helps(typer.main.get_command(app), "advisor", None, lines)
    return "\n".join(lines) + "\n"


def _helps(command: Any, name: str, parent: Any, lines: list[str]) -> None:
    context = click.Context(
        command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=100, max_content_width=100,
        **command.context_settings,
    )  # fmt: skip
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    lines += ["", f"## {name}", "", "```text", text, "```"]
    for inner in command.list_commands(context) if hasattr(command, "list_commands") else ():
        _helps(command.get_command(context, inner), f"{name} {inner}", context, lines)


def man_page() -> str:
    """Return the man page: the help of every command as text that `man` shows as it is."""
    text = command_line_page()
    lines = [
        f'.TH ADVISOR 1 "" "advisor {advisor.__version__}" "User Commands"',
        ".SH NAME",
        r"advisor \- which library should I build on?",
    ]
    for name, help_text in re.findall(
        r"^## ([^\n]+)\n\n```text\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL
    ):
        lines += [f".SH {name.upper()}", ".nf", *map(_escape_roff, help_text.splitlines()), ".fi"]
    return "\n".join(lines) + "\n"


def _escape_roff(line: str) -> str:
    line = line.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{line}" if line.startswith((".", "'")) else line


def python_page() -> str:
    """Return the page about the Python interface: functions, the values that they return, and errors."""
    lines = [
        "# Python",
        "",
        "`make docs` generates this page from the docstrings; do not edit it. Import every name from `advisor`. These names",
        "are stable: before a name is removed, it works for one more release with `typing_extensions.deprecated`, so that",
        "type checkers and the running program warn about it.",
        "",
    ]
    exports = {name: getattr(advisor, name) for name in advisor.__all__}
    functions = [name for name, value in exports.items() if inspect.isfunction(value)]
    errors = [name for name in exports if name not in functions and issubclass(exports[name], BaseException)]
    values = [name for name in exports if name not in (*functions, *errors)]
    for title, names in (("Functions", functions), ("Values", values), ("Errors", errors)):
        lines += [f"## {title}", ""]
        for name in names:
            lines += _entry(name, exports[name])
    return "\n".join(lines).rstrip() + "\n"


def _entry(name: str, value: Any) -> list[str]:
    lines = [f"### advisor.{name}", ""]
    if inspect.isfunction(value):
        return [*lines, *_function(name, value)]
    lines += ["```text", inspect.cleandoc(value.__doc__), "```", ""]
    if is_dataclass(value):
        lines += ["| field | type | default |", "|---|---|---|"]
        lines += [
            f"| `{f.name}` | `{str(f.type).replace('|', chr(92) + '|')}` | {_default(f)} |"
            for f in fields(value)
        ]
        lines += [""]
        for method in (m for c in reversed(value.__mro__) for m in vars(c).values() if inspect.isfunction(m)):
            if not method.__name__.startswith("_"):
                lines += _function(f"{name}.{method.__name__}", method)
    return lines


def _function(name: str, function: Any) -> list[str]:
    """Return the signature, one parameter on a line, and the docstring."""
    signature = inspect.signature(function)
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        if parameter.name != "self":
            default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
            parameters.append(f"{parameter.name}: {parameter.annotation}{default}")
    inside = (
        "\n" + "".join(f"    {text},\n" for text in parameters)
        if len(parameters) > 1
        else "".join(parameters)
    )
    code = f"{name}({inside}) -> {signature.return_annotation}"
    return ["```python", code, "```", "", "```text", inspect.cleandoc(function.__doc__), "```", ""]


def _default(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"`{field.default!r}`"
    return f"`{field.default_factory()!r}`" if field.default_factory is not MISSING else ""


def spec_page() -> str:
    """Return the page about the run specification: what each stack does with each field."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "support")]
    from contract import test_spec_leaves as spec_tests

    from finetune.errors import UnsupportedField
    from finetune.stacks import COMMON_FIELDS, STACKS

    def answer(name: str, leaf: str) -> str:
        lora = spec_tests.PLACES["one GPU, LoRA"] if leaf.startswith("devices.") else {}
        layers = [("place", lora), ("required", spec_tests.REQUIRED_SETTINGS.get(leaf, {}))]
        try:
            before = spec_tests.render_stack(name, *layers)[1]
            after = spec_tests.render_stack(
                name, *layers, spec_tests.change_leaf(name, leaf, spec_tests.CHANGES[leaf], *layers)
            )[1]
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
        "`make docs` generates this page; do not edit it. It changes each field and compares what each stack renders. If a",
    ]
    lines += [
        "stack cannot do something, it refuses the run, or it writes the deviation to the run's record. No field is ignored.",
        "",
    ]
    lines += ["| field | changed to | " + " | ".join(STACKS) + " |", "|---|---|" + "---|" * len(STACKS)]
    for leaf in sorted(spec_tests.CHANGES):
        value = "another model" if leaf == "model.base" else spec_tests.CHANGES[leaf]
        lines.append(f"| `{leaf}` | {value} | " + " | ".join(answer(name, leaf) for name in STACKS) + " |")
    lines += [
        "",
        "## Why",
        "",
        *(f"{n}. {note}" for n, note in enumerate(notes, 1)),
        "",
        "## Fields that advisor handles itself",
        "",
    ]
    lines += [
        "These fields work the same for every stack. A stack never reads them.",
        "",
        "| field | how |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| `{leaf}` | {how} |" for leaf, how in COMMON_FIELDS.items())]) + "\n"
