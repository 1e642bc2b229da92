"""The model families that the files of a tree name, kept up to date file by file."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self, cast

from advisor.collect.coverage.extractor import Extractor, Name
from advisor.collect.git.command import environment
from advisor.domain.families import Family, family_of, with_architecture
from advisor.errors import GitFailed

ANYTHING = "*"  # stands where a family would for "whatever transformers loads"


class Blobs:
    """Contents of files by their hash, from one git process; nothing is fetched while reading."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["git", "-C", str(self._folder), "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(remote=False),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def text(self, blob: str) -> str:
        """The text of a blob.

        Raises:
            GitFailed: the history does not hold it.
        """
        asked, answered = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        asked.write(f"{blob}\n".encode())
        asked.flush()
        header = answered.readline().split()
        if len(header) != 3:  # hash, type, size
            raise GitFailed(f"git cat-file on {self._folder} failed: {blob} is missing from the history")
        content = answered.read(int(header[2]) + 1)
        return content[:-1].decode("utf-8", "replace")


class Tree:
    """A changing set of files, and the families that they name."""

    def __init__(self, extractor: Extractor, families: Sequence[Family]) -> None:
        self._extractor = extractor
        self._families = families
        self._by_path: dict[str, dict[str, Name]] = {}
        self._by_key: dict[str, dict[str, Name]] = defaultdict(dict)
        self._read: dict[tuple[str, str], dict[str, Name]] = {}
        self._meanings: dict[Name, tuple[str, ...]] = {}

    def put(self, path: str, blob: str, blobs: Blobs) -> None:
        """A file now has this content; each content is read once, however often it comes back."""
        self.remove(path)
        if (path, blob) not in self._read:
            self._read[path, blob] = self._keys(self._extractor.names(path, blobs.text(blob)))
        self._hold(path, self._read[path, blob])

    def put_text(self, path: str, text: str) -> None:
        """The same of a text in memory."""
        self.remove(path)
        self._hold(path, self._keys(self._extractor.names(path, text)))

    def remove(self, path: str) -> None:
        """A file is gone."""
        for key in self._by_path.pop(path, ()):
            del self._by_key[key][path]

    @property
    def holders(self) -> dict[str, tuple[str, Name]]:
        """Family → (path, name) of the first path in order that names it."""
        return {key: min(paths.items(), key=lambda p: p[0]) for key, paths in self._by_key.items() if paths}

    def _hold(self, path: str, keys: dict[str, Name]) -> None:
        self._by_path[path] = keys
        for key, name in keys.items():
            self._by_key[key][path] = name

    def _keys(self, names: set[Name]) -> dict[str, Name]:
        found: dict[str, Name] = {}
        # A model's own name is better evidence than that of its architecture.
        for name in sorted(names, key=lambda n: (n.kind != "model", n.text)):
            for key in self._meaning(name):
                found.setdefault(key, name)
        return found

    def _meaning(self, name: Name) -> tuple[str, ...]:
        if name not in self._meanings:
            if name.kind == "anything":
                self._meanings[name] = (ANYTHING,)
            elif name.kind == "architecture":
                self._meanings[name] = tuple(f.name for f in with_architecture(name.text, self._families))
            else:
                family = family_of(name.text, self._families)
                self._meanings[name] = (family.name,) if family else ()
        return self._meanings[name]
