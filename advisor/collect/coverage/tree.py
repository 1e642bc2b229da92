"""The model families that the files of a tree name, updated file by file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from advisor.collect.coverage.extractor import Extractor, Name
from advisor.collect.git.blobs import BlobReader
from advisor.domain.families import Family, families_with_architecture, family_of

ANYTHING = "*"  # in place of a family: every model that transformers loads


class Tree:
    """A changing set of files, and the families that they name."""

    def __init__(self, extractor: Extractor, families: Sequence[Family]) -> None:
        self._extractor = extractor
        self._families = families
        self._by_path: dict[str, dict[str, Name]] = {}
        self._by_key: dict[str, dict[str, Name]] = defaultdict(dict)
        self._names_by_content: dict[tuple[str, str], dict[str, Name]] = {}
        self._families_by_name: dict[Name, tuple[str, ...]] = {}

    def put_blob(self, path: str, blob: str, blobs: BlobReader) -> None:
        """Set the content of a file; each content is read once, even if it returns."""
        self.remove(path)
        if (path, blob) not in self._names_by_content:
            self._names_by_content[path, blob] = self._map_to_families(
                self._extractor.find_names(path, blobs.read_text(blob))
            )
        self._set_names(path, self._names_by_content[path, blob])

    def put_text(self, path: str, text: str) -> None:
        """Set the content of a file from a text in memory."""
        self.remove(path)
        self._set_names(path, self._map_to_families(self._extractor.find_names(path, text)))

    def remove(self, path: str) -> None:
        """Remove a file."""
        for key in self._by_path.pop(path, ()):
            del self._by_key[key][path]

    @property
    def evidence(self) -> dict[str, tuple[str, Name]]:
        """Family → (path, name) of the first path, in order, that names it."""
        return {key: min(paths.items(), key=lambda p: p[0]) for key, paths in self._by_key.items() if paths}

    def _set_names(self, path: str, keys: dict[str, Name]) -> None:
        self._by_path[path] = keys
        for key, name in keys.items():
            self._by_key[key][path] = name

    def _map_to_families(self, names: set[Name]) -> dict[str, Name]:
        names_by_family: dict[str, Name] = {}
        # The name of a model is better evidence than the name of its architecture.
        for name in sorted(names, key=lambda n: (n.kind != "model", n.text)):
            for key in self._find_families(name):
                names_by_family.setdefault(key, name)
        return names_by_family

    def _find_families(self, name: Name) -> tuple[str, ...]:
        if name not in self._families_by_name:
            if name.kind == "anything":
                self._families_by_name[name] = (ANYTHING,)
            elif name.kind == "architecture":
                self._families_by_name[name] = tuple(
                    f.name for f in families_with_architecture(name.text, self._families)
                )
            else:
                family = family_of(name.text, self._families)
                self._families_by_name[name] = (family.name,) if family else ()
        return self._families_by_name[name]
