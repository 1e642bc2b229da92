"""Split a file into units: a configuration, a command, a notebook or a block of code; each is one run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from advisor.collect.coverage.extractor import MODEL_ID
from advisor.domain.recipe_words import Kind

MAX_LENGTH = 200_000
"""Characters of a unit; a longer text is data."""
_MOST_PROSE = 1200  # characters of a notebook's prose: its beginning says where it runs, the rest is news
_LINES_BEFORE = 8  # of prose before a block of code that can say what hardware it needs
# A command with its continued lines; it trains only if it names a model.
_COMMAND = re.compile(
    r"^[ \t>$!]*(?:[A-Z_]+=\S+[ \t]+)*(?:uv[ \t]+run|accelerate|torchrun|python3?|deepspeed|trl|litgpt|tune"
    r"|axolotl|swift|xtuner|llamafactory-cli|autotrain)(?=[ \t])(?:[^\n]*\\\n)*[^\n]*",
    re.MULTILINE,
)
_SERVES = re.compile(r"vllm[ -]serve|\bserve\b|litgpt (?:chat|generate|download)|\btune (?:download|ls|cp)\b")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*\n(.*?)^[ \t]*(?:```|~~~)[ \t]*$", re.MULTILINE | re.DOTALL)
_RST_BLOCK = re.compile(r"^\.\. code(?:-block)?::[^\n]*\n((?:[ \t]+[^\n]*\n|[ \t]*\n)+)", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*#", re.MULTILINE)


class Unit(NamedTuple):
    """What one run needs, and what surrounds it.

    Attributes:
        text: a configuration without its comments, a command, the code of a notebook, a block of code.
        context: comments and prose, which can say what hardware it needs; for a configuration, a script and
            a page also the text.
        whole: the code of the file, which can say what the command does; "" if the unit is alone.
    """

    text: str
    context: str
    whole: str = ""


def split_file(kind: Kind, text: str) -> Iterator[Unit]:
    """Yield the units of a file."""
    if kind != "notebook" and len(text) > MAX_LENGTH:
        return
    match kind:
        case "config":
            yield Unit(_drop_comments(text), text)
        case "notebook":
            yield from _read_notebook(text)
        case "script":
            commands = [unit for unit in _find_commands(text) if _names_model(unit.text)]
            code = _drop_comments(_COMMAND.sub("", text))
            yield from (unit._replace(whole=code) for unit in commands)
            if not commands:
                yield Unit(_drop_comments(text), text)
        case "page":
            yield from _read_page(text)


def _find_commands(text: str) -> list[Unit]:
    """Return the commands in a text, also those in comments, each with the lines before it."""
    plain = re.sub(r"^[ \t]*# ?", "", text, flags=re.MULTILINE)
    return [
        Unit(match[0], f"{_find_lines_before(plain, match.start())}\n{match[0]}")
        for match in _COMMAND.finditer(plain)
        if not _SERVES.search(match[0])
    ]


def _find_lines_before(text: str, position: int) -> str:
    return "\n".join(text[max(0, position - _MOST_PROSE) : position].rsplit("\n", _LINES_BEFORE)[1:])


def _names_model(command: str) -> bool:
    return any("/" in word and MODEL_ID.fullmatch(word) for word in re.split(r"[\s=\"']+", command))


def _drop_comments(text: str) -> str:
    """Return the lines that are not comments; the one that downloads a model stays."""
    lines = text.split("\n")
    return "\n".join(line for line in lines if not _COMMENT.match(line) or "tune download" in line)


def _read_notebook(text: str) -> Iterator[Unit]:
    try:
        cells = json.loads(text)["cells"]
        sources = [(cell["cell_type"], _join_source(cell)) for cell in cells]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    code = "\n".join(source for kind, source in sources if kind == "code")
    prose = "\n".join(source for kind, source in sources if kind == "markdown")
    if len(code) <= MAX_LENGTH:
        yield Unit(_drop_comments(code), prose[:_MOST_PROSE])


def _join_source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(map(str, source))


def _read_page(text: str) -> Iterator[Unit]:
    for match in sorted([*_FENCE.finditer(text), *_RST_BLOCK.finditer(text)], key=lambda m: m.start()):
        block, before = match[1], _find_lines_before(text, match.start())
        commands = _find_commands(block)
        yield from (unit._replace(context=f"{before}\n{unit.context}") for unit in commands)
        if not commands and not _SERVES.search(block):
            yield Unit(_drop_comments(block), f"{before}\n{block}")
