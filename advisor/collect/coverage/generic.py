"""Any library: names of models on the Hub in its code and configurations, and its model modules.

Tests, examples and pages show models; `shown` reads them. The tests measure the result on two libraries
against manual lists.
"""

from __future__ import annotations

import re

from advisor.collect.coverage.extractor import (
    MODEL_ID,
    Extractor,
    Name,
    find_loaders,
    list_strings,
    select_model_ids,
)

_SOURCES = (".py", ".yaml", ".yml", ".json", ".toml")
_NOT_CODE = re.compile(r"(^|/)(tests?|docs?|scripts?|notebooks?|\.github|benchmarks?|asset|assets)(/|$)")
_MAX_LENGTH = 1_500_000  # characters; a longer file is data
_EXAMPLE = re.compile(r"(^|/)(examples?|recipes|projects)(/|$)")
_OWNER_AND_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# src/pkg/models/gemma2.py and src/pkg/model/moe/gpt_oss/__init__.py have the name of the model.
_MODULE = re.compile(r"(?:^|/)models?/(?:[\w-]+/)*([\w-]+)\.py$")


def _is_relevant(path: str) -> bool:
    return path.endswith(_SOURCES) and not _NOT_CODE.search(path)


def _find_names(path: str, text: str) -> set[Name]:
    if len(text) > _MAX_LENGTH:
        return set()
    if not path.endswith(".py"):
        return {Name(text) for text in _OWNER_AND_NAME.findall(text) if MODEL_ID.fullmatch(text)}
    names = select_model_ids(list_strings(text))
    if (module := _MODULE.search(path.replace("/__init__.py", ".py"))) and not _EXAMPLE.search(path):
        names.add(Name(module[1], "module"))
    return names if _EXAMPLE.search(path) else names | find_loaders(text)


EXTRACTOR = Extractor(
    "generic: models named in code, configurations and modules", (".",), _is_relevant, _find_names
)
