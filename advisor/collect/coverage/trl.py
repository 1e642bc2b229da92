"""trl: it trains every model that transformers loads; its chat templates name some models."""

from __future__ import annotations

from advisor.collect.coverage.extractor import Extractor, Name, find_loaders

_LOADERS = (
    "trl/trainer/sft_trainer.py",
    "trl/trainer/utils.py",
    "trl/models/utils.py",
    "trl/models/modeling_base.py",
)
_TEMPLATES = "trl/chat_templates/"


def _is_relevant(path: str) -> bool:
    return path in _LOADERS or (path.startswith(_TEMPLATES) and path.endswith(".jinja"))


def _find_names(path: str, text: str) -> set[Name]:
    if path in _LOADERS:
        return find_loaders(text)
    return {Name(path.removeprefix(_TEMPLATES).removesuffix(".jinja").removesuffix("_training"))}


EXTRACTOR = Extractor(
    "trl: what transformers loads, and its chat templates",
    (*_LOADERS, "trl/chat_templates"),
    _is_relevant,
    _find_names,
)
