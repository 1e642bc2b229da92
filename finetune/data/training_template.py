"""trl's training template of a chat template: the same chat, with marks around what the model writes.

Many chat templates of current families do not show which text the model writes, and drop the thoughts of
earlier turns. trl ships a training template for each that it knows: ``NAME_training.jinja`` beside
``NAME.jinja`` (its folder ``chat_templates`` has a README). A template is known if its text is equal.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

_SUFFIX = "_training.jinja"
_MARK = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")


def has_marks(template: str) -> bool:
    """Return whether a chat template has {% generation %} blocks around what the model writes."""
    return bool(_MARK.search(template))


def find_training_template(template: str) -> str | None:
    """Return trl's training template of a chat template; None if trl has none, or it needs none."""
    return None if has_marks(template) else _read_training_templates().get(template)


@functools.cache
def _read_training_templates() -> Mapping[str, str]:
    """Return chat template → training template; the import of trl would take seconds."""
    trl = find_spec("trl")
    folders = [Path(folder, "chat_templates") for folder in (trl and trl.submodule_search_locations) or ()]
    files = [file for folder in folders for file in sorted(folder.glob(f"*{_SUFFIX}"))]
    pairs = [(file.with_name(file.name.replace(_SUFFIX, ".jinja")), file) for file in files]
    return {
        original.read_text("utf-8"): training.read_text("utf-8")
        for original, training in pairs
        if original.is_file()
    }
