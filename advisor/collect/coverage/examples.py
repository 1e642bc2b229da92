"""What a library shows: models that its tests, examples, recipes and pages use by their name on the Hub."""

from __future__ import annotations

import re

from advisor.collect.coverage.extractor import Name

_FOLDERS = re.compile(
    r"(^|/)(examples?|recipes?|projects?|tests?|docs?|notebooks?|tutorials?|scripts|config_hub)/",
    re.IGNORECASE,
)
_SUFFIXES = (".py", ".ipynb", ".sh", ".yaml", ".yml", ".toml", ".json", ".md", ".mdx", ".qmd", ".rst")
_MAX_LENGTH = 1_500_000  # characters; a longer file is data
# Each part of a path is followed by the next, so an address that ends in owner/model names the model too.
_PAIR = re.compile(r"(?<![\w.-])([\w.-]+)/(?=([\w.-]*\w))")
_DIGIT = re.compile(r"\d")
_NO_OWNERS = {
    "blob",
    "blog",
    "collections",
    "datasets",
    "docs",
    "models",
    "papers",
    "posts",
    "spaces",
    "tree",
}


def is_example(path: str) -> bool:
    """Return whether a file shows how to use the library: a test, an example, a recipe or a page."""
    return path.endswith(_SUFFIXES) and _FOLDERS.search(path) is not None


def find_example_names(text: str) -> set[Name]:
    """Return what can be ``owner/model`` in a text; the name of a model has a digit."""
    if len(text) > _MAX_LENGTH:
        return set()
    pairs = {match.groups() for match in _PAIR.finditer(text)}
    return {
        Name(f"{owner}/{name}", is_shown=True)
        for owner, name in pairs
        if _DIGIT.search(name) and owner not in _NO_OWNERS
    }
