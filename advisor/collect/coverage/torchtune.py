"""torchtune: a folder under torchtune/models is a model family; encoders are not."""

from __future__ import annotations

from advisor.collect.coverage.extractor import Extractor, Name

# Where the models lay before it was public.
_FOLDERS = ("torchtune/models/", "torchtune/llm/", "llm/")
_ENCODERS = {"clip", "flux", "t5"}


def _family(path: str) -> str | None:
    for folder in _FOLDERS:
        if path.startswith(folder):
            name, _, file = path.removeprefix(folder).partition("/")
            return name if file.endswith(".py") and name not in _ENCODERS else None
    return None


def _names(path: str, text: str) -> set[Name]:
    del text
    name = _family(path)
    return {Name(name)} if name else set()


EXTRACTOR = Extractor(
    "torchtune: folders of torchtune/models", _FOLDERS, lambda path: _family(path) is not None, _names
)
