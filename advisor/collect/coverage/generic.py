"""Any library: names of models on the Hub that its code and its configurations hold, and its model modules.

Tests, documents and notebooks say what somebody tried, not what the library supports, and are not
read. How well this works is measured in the tests on two libraries against lists made by hand.
"""

from __future__ import annotations

import re

from advisor.collect.coverage.extractor import MODEL_ID, Extractor, Name, constants, model_ids

_SOURCES = (".py", ".yaml", ".yml", ".json", ".toml")
_NOT_CODE = re.compile(r"(^|/)(tests?|docs?|scripts?|notebooks?|\.github|benchmarks?|asset|assets)(/|$)")
_LONGEST = 1_500_000  # bytes; above it a file is data
_LOADS = re.compile(r"\bAutoModelForCausalLM\b")
_EXAMPLE = re.compile(r"(^|/)(examples?|recipes|projects)(/|$)")
_QUOTED = re.compile(r"[\w.-]+/[\w.-]+")
# src/pkg/models/gemma2.py and src/pkg/model/moe/gpt_oss/__init__.py are named for what they implement.
_MODULE = re.compile(r"(?:^|/)models?/(?:[\w-]+/)*([\w-]+)\.py$")


def _reads(path: str) -> bool:
    return path.endswith(_SOURCES) and not _NOT_CODE.search(path)


def _names(path: str, text: str) -> set[Name]:
    if len(text) > _LONGEST:
        return set()
    if not path.endswith(".py"):
        return {Name(found) for found in _QUOTED.findall(text) if MODEL_ID.fullmatch(found)}
    found = model_ids(constants(text))
    if (module := _MODULE.search(path.replace("/__init__.py", ".py"))) and not _EXAMPLE.search(path):
        found.add(Name(module[1], "module"))
    if _LOADS.search(text) and not _EXAMPLE.search(path):
        found.add(Name("AutoModelForCausalLM", "anything"))
    return found


EXTRACTOR = Extractor("generic: models named in code, configurations and modules", (".",), _reads, _names)
