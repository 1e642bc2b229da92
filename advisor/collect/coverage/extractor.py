"""Extractors: the files to read in a library, and the model names in each file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

# model: a model, or a folder with its name. module: a Python module, maybe for another generation of the
# model. architecture: a model_type that the own code accepts; all families that load as it share it.
# anything, images: the place where the library loads any causal LM of transformers, or any model that reads
# images and text. pin: the versions of transformers that the library allows.
Kind = Literal["model", "module", "architecture", "anything", "images", "pin"]

MODEL_ID = re.compile(r"[\w.-]+/[\w.{}-]+")
LOADERS: Mapping[str, Kind] = {
    "AutoModelForCausalLM": "anything",
    "AutoModelForImageTextToText": "images",
    "AutoModelForVision2Seq": "images",
}
_LOADER = re.compile(rf"\b(?:{'|'.join(LOADERS)})\b")


@dataclass(frozen=True)
class Name:
    """A name in a file, and the kind of thing that it names.

    Attributes:
        is_shown: whether the file shows how to use the model (a test, an example, a recipe, a page).
    """

    text: str
    kind: Kind = "model"
    is_shown: bool = False


@dataclass(frozen=True)
class Extractor:
    """Rules to find the model names of one library.

    Attributes:
        name: of the extractor, for the evidence.
        paths: git pathspecs of all files that it may read, over the whole history.
        is_relevant: whether to read a path.
        find_names: path, text → names. The result depends only on these two, so a file is read once
            even if many commits contain it.
    """

    name: str
    paths: tuple[str, ...]
    is_relevant: Callable[[str], bool]
    find_names: Callable[[str, str], set[Name]]


def list_strings(text: str) -> Iterator[str]:
    """Yield the string constants of a Python file in order; none if it does not parse."""
    for node in ast.walk(parse_module(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def parse_module(text: str) -> ast.Module:
    """Return the syntax tree of a Python file; an empty one if it does not parse (templates, Python 2)."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes in the strings of the library
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module(body=[], type_ignores=[])


def select_model_ids(texts: Iterator[str]) -> set[Name]:
    """Return the texts that look like ``owner/model`` on the Hub."""
    return {Name(text) for text in texts if MODEL_ID.fullmatch(text)}


def find_loaders(text: str) -> set[Name]:
    """Return the classes of transformers in a file that load any model."""
    return {Name(loader, LOADERS[loader]) for loader in _LOADER.findall(text)}
