"""trl names no models: it trains what transformers loads. Its training templates name some of their own."""

from __future__ import annotations

from advisor.collect.coverage.extractor import Extractor, Name

_LOADS = (
    "trl/trainer/sft_trainer.py",
    "trl/trainer/utils.py",
    "trl/models/utils.py",
    "trl/models/modeling_base.py",
)
_TEMPLATES = "trl/chat_templates/"


def _reads(path: str) -> bool:
    return path in _LOADS or (path.startswith(_TEMPLATES) and path.endswith(".jinja"))


def _names(path: str, text: str) -> set[Name]:
    if path in _LOADS:
        return {Name("AutoModelForCausalLM", "anything")} if "AutoModelForCausalLM" in text else set()
    return {Name(path.removeprefix(_TEMPLATES).removesuffix(".jinja").removesuffix("_training"))}


EXTRACTOR = Extractor(
    "trl: what transformers loads, and its chat templates", (*_LOADS, "trl/chat_templates"), _reads, _names
)
