"""torchtune: every folder in torchtune/models is a model family, except encoders."""

from __future__ import annotations

from advisor.collect.coverage.extractor import Extractor, Name

# The last two are from before the library was public.
_FOLDERS = ("torchtune/models/", "torchtune/llm/", "llm/")
_ENCODERS = {"clip", "flux", "t5"}


def _find_family(path: str) -> str | None:
    for folder in _FOLDERS:
        if path.startswith(folder):
            name, _, file = path.removeprefix(folder).partition("/")
            return name if file.endswith(".py") and name not in _ENCODERS else None
    return None


def _find_names(path: str, text: str) -> set[Name]:
    del text
    name = _find_family(path)
    return {Name(name)} if name else set()


EXTRACTOR = Extractor(
    "torchtune: folders of torchtune/models",
    _FOLDERS,
    lambda path: _find_family(path) is not None,
    _find_names,
)
