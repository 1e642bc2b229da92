"""Lint prose: `python prose.py [--hints] [--count] PATH...`.

A path is a Markdown file, a Python file (its docstrings and the texts of its `help=` and `epilog=`),
a folder of both, or `-` for Markdown on standard input. Exits with 1 on an error or a warning.
"""

import argparse
import ast
import collections
import io
import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harper import Dialect, Linter

RULES = tomllib.loads(Path(__file__).with_name("prose.toml").read_text(encoding="utf-8"))
WEIR = 'expr main {}\nlet message "{}"\nlet description "{}"\nlet kind "Style"\nlet becomes []\n'
HELP = {"help", "epilog", "short_help"}
OPTION = re.compile(r"--[a-z][a-z-]*")  # an option is a name, not prose
# Between the columns of a table drawn with spaces: no sentence spans them.
COLUMNS = re.compile(r"(?<=\S) {3}(?= *\S)")
MANIFEST = dict.fromkeys(("author", "version", "description", "license"), "-")


def linter(hints: bool) -> tuple[Linter, dict[str, tuple[str, str, str]]]:
    """Harper with our rules alone, and the level, name and advice of each (no advice: Harper's message)."""
    rules = {name: (level, name, "") for level, names in RULES["harper"].items() for name in names}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as pack:
        pack.writestr("manifest.json", json.dumps(MANIFEST))
        for table in ("avoid", "use", "terms", "hints") if hints else ("avoid", "use", "terms"):
            for number, (expression, advice) in enumerate(RULES[table].items()):
                rules[f"{table}{number}"] = ("hint" if table == "hints" else "error", table, advice)
                pack.writestr(f"{table}{number}.weir", WEIR.format(expression, advice, advice))
    harper = Linter(Dialect[RULES["dialect"]])
    if failed := harper.load_weirpack(archive.getvalue()):
        raise SystemExit(f"prose.toml: {failed}")
    if unknown := rules.keys() - harper.get_lint_config().keys():
        raise SystemExit(f"prose.toml: Harper has no rule {', '.join(sorted(unknown))}")
    harper.set_lint_config({name: name in rules for name in harper.get_lint_config()})
    return harper, rules


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """The docstrings and help texts of a module, each with the line that it begins on."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node):
                prose, _, _ = (ast.get_docstring(node) or "").partition("\n\nExamples:\n")
                yield node.body[0].lineno, OPTION.sub("it", COLUMNS.sub(".  ", prose))
        elif isinstance(node, ast.keyword) and node.arg in HELP:
            parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
            pieces = [str(part.value) if isinstance(part, ast.Constant) else "`x`" for part in parts]
            yield node.value.lineno, OPTION.sub("it", "".join(pieces))


def texts(path: Path) -> Iterator[tuple[Path, int, str]]:
    """The texts under a path: the file, the line that each begins on, the text."""
    if str(path) == "-":
        yield Path("<stdin>"), 1, sys.stdin.read()
    elif path.is_dir():
        for file in sorted(f for f in path.rglob("*") if f.suffix in {".md", ".py"}):
            yield from texts(file)
    elif path.suffix == ".py":
        yield from ((path, line, text) for line, text in python_texts(path.read_text(encoding="utf-8")))
    else:
        yield path, 1, path.read_text(encoding="utf-8")


def main() -> int:
    """Lint the paths given; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--hints", action="store_true", help="Show suggestions also.")
    parser.add_argument("--count", action="store_true", help="Print how often each rule and word was found.")
    options = parser.parse_args()
    harper, rules = linter(options.hints)
    found: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for file, first, text in (item for path in options.paths for item in texts(path)):
        hits = harper.organized_lints(text).items()
        lints = [(lint.span.start, name, lint) for name, of_rule in hits for lint in of_rule]
        for start, name, lint in sorted(lints, key=lambda item: item[:2]):
            level, rule, advice = rules[name]
            words = " ".join(lint.problem_text.split())
            short = words if len(words) < 60 else f"{words[:57]}…"
            found[level, rule, short.lower() if advice else ""] += 1
            if not options.count:
                line, column = first + text.count("\n", 0, start), start - text.rfind("\n", 0, start)
                print(f"{file}:{line}:{column}: {level} {rule}: {short!r}: {advice or lint.message}")
    if options.count:
        print(*(f"{count:5} {' '.join(key)}" for key, count in found.most_common()), sep="\n")
    return int(any(level != "hint" for level, _, _ in found))


if __name__ == "__main__":
    sys.exit(main())
