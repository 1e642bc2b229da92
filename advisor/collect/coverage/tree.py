"""The model families that the files of a tree name, updated file by file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

from advisor.collect.coverage.extractor import Extractor, Name
from advisor.collect.git.blobs import BlobReader
from advisor.domain.families import Family, family_of


class Key(NamedTuple):
    """What the files of a tree say: one family that they name or show, a model type, a loader or a pin."""

    level: Literal["named", "shown", "architecture", "anything", "pin"]
    name: str


ANYTHING = Key("anything", "text")  # every causal language model that transformers loads
ANYTHING_WITH_IMAGES = Key("anything", "images")  # every model of transformers that reads images and text


class Tree:
    """A changing set of files, and the families that they name."""

    def __init__(self, extractor: Extractor, families: Sequence[Family]) -> None:
        self._extractor = extractor
        self._families = families
        self._by_path: dict[str, dict[Key, Name]] = {}
        self._by_key: dict[Key, dict[str, Name]] = defaultdict(dict)
        self._names_by_content: dict[tuple[str, str], dict[Key, Name]] = {}
        self._keys_by_name: dict[Name, Key | None] = {}

    def put_blob(self, path: str, blob: str, blobs: BlobReader) -> None:
        """Set the content of a file; each content is read once, even if it returns."""
        self.remove(path)
        if (path, blob) not in self._names_by_content:
            self._names_by_content[path, blob] = self._map_to_keys(
                self._extractor.find_names(path, blobs.read_text(blob))
            )
        self._set_names(path, self._names_by_content[path, blob])

    def put_text(self, path: str, text: str) -> None:
        """Set the content of a file from a text in memory."""
        self.remove(path)
        self._set_names(path, self._map_to_keys(self._extractor.find_names(path, text)))

    def remove(self, path: str) -> None:
        """Remove a file."""
        for key in self._by_path.pop(path, ()):
            del self._by_key[key][path]

    @property
    def evidence(self) -> dict[Key, tuple[str, Name]]:
        """Key → (path, name) of the first path, in order, that names it."""
        return {key: self.find_evidence(key) for key in self.keys}

    @property
    def keys(self) -> set[Key]:
        """What the files say."""
        return {key for key, paths in self._by_key.items() if paths}

    def find_evidence(self, key: Key) -> tuple[str, Name]:
        """Return (path, name) of the first path, in order, that says it."""
        return min(self._by_key[key].items(), key=lambda p: p[0])

    def _set_names(self, path: str, keys: dict[Key, Name]) -> None:
        self._by_path[path] = keys
        for key, name in keys.items():
            self._by_key[key][path] = name

    def _map_to_keys(self, names: set[Name]) -> dict[Key, Name]:
        names_by_key: dict[Key, Name] = {}
        # The name of a model is better evidence than the name of a module.
        for name in sorted(names, key=lambda n: (n.kind != "model", n.text)):
            if (key := self._find_key(name)) is not None:
                names_by_key.setdefault(key, name)
        return names_by_key

    def _find_key(self, name: Name) -> Key | None:
        match name.kind:
            case "anything":
                return ANYTHING
            case "images":
                return ANYTHING_WITH_IMAGES
            case "architecture" | "pin":
                return Key(name.kind, name.text)
        if name not in self._keys_by_name:
            family = family_of(name.text, self._families)
            self._keys_by_name[name] = (
                Key("shown" if name.is_shown else "named", family.name) if family else None
            )
        return self._keys_by_name[name]
