"""What an extractor is: which files it reads, and which names it finds in one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

# model: a model or a folder named for it. module: a module named so, which may be another generation's class
# of the same name. architecture: a model_type of transformers, which serves every
# family that loads as it. anything: the place where any causal LM that transformers knows is loaded.
Kind = Literal["model", "module", "architecture", "anything"]

MODEL_ID = re.compile(r"[\w.-]+/[\w.{}-]+")


@dataclass(frozen=True)
class Name:
    """A name found in a file, and what kind of thing it names."""

    text: str
    kind: Kind = "model"


@dataclass(frozen=True)
class Extractor:
    """How to read one library.

    Attributes:
        name: of the extractor, for the evidence.
        paths: git pathspecs of all that it may read, over the whole history.
        reads: whether a path is read.
        names: path, text → names. Depends on these two alone, so that a file is read once however
            many commits hold it.
    """

    name: str
    paths: tuple[str, ...]
    reads: Callable[[str], bool]
    names: Callable[[str, str], set[Name]]


def constants(text: str) -> Iterator[str]:
    """String constants of a Python file in reading order; none where it does not parse."""
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def parsed(text: str) -> ast.Module:
    """The syntax tree of a Python file; an empty one where it does not parse (templates, Python 2)."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # escapes in other people's strings
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module(body=[], type_ignores=[])


def model_ids(texts: Iterator[str]) -> set[Name]:
    """Those texts that look like ``owner/model`` on the Hub."""
    return {Name(text) for text in texts if MODEL_ID.fullmatch(text)}
