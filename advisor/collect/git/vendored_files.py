"""Tell the files of a project from vendored ones: copies of the code of others.

GitHub's rule (github-linguist): a path is vendored if it matches a list of patterns (`data/vendored.toml`),
unless ``.gitattributes`` sets or unsets ``linguist-vendored`` for it.
"""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.collect.git.blobs import BlobReader
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import stream_fields
from advisor.domain.files import data_folder, read_toml
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Set as AbstractSet

    from advisor.collect.git.dates import Warn

_ATTRIBUTE = "linguist-vendored"
_START = "(^|/)"  # most patterns begin so: they share one look at each place of a path


@cache
def _build_pattern() -> re.Pattern[str]:
    patterns: list[str] = read_toml(data_folder() / "vendored.toml")["patterns"]
    in_folders = [p.removeprefix(_START) for p in patterns if p.startswith(_START)]
    others = [p for p in patterns if not p.startswith(_START)]
    return re.compile("|".join([f"(?:^|/)(?:{'|'.join(in_folders)})", *others]))


def is_vendored(path: str) -> bool:
    """Return whether a path matches the list of vendored paths."""
    return bool(_build_pattern().search(path))


def read_declarations(
    folder: Path, commit: str, paths: Collection[str], blobs: AbstractSet[str], warn: Warn
) -> dict[str, bool]:
    """Return path → whether it is vendored, where a ``.gitattributes`` of the commit says so.

    Args:
        folder: the repository; a blobless clone fetches the files named ``.gitattributes``.
        commit: the commit.
        paths: the files to tell apart.
        blobs: the contents of all of the commit's ``.gitattributes``.
        warn: receives a sentence if they cannot be read.

    Raises:
        GitFailed: git failed.
    """
    if not blobs or not _name_attribute(folder, blobs, warn):
        return {}
    with tempfile.TemporaryDirectory() as work_folder:
        # git 2.39 reads attributes of a commit only through an index.
        index = {"GIT_INDEX_FILE": str(Path(work_folder) / "index")}
        for _ in stream_fields(folder, "read-tree", commit, variables=index):
            pass
        output = stream_fields(
            folder, "check-attr", "--cached", "-z", "--stdin", _ATTRIBUTE,
            stdin=(f"{path}\0" for path in paths), variables=index,
        )  # fmt: skip
        fields = (field.decode("utf-8", "replace") for field in output)
        values = {path: value for path, _, value in zip(fields, fields, fields, strict=True)}
    words = {"set": True, "true": True, "unset": False, "false": False}
    return {path: words[value] for path, value in values.items() if value in words}


def _name_attribute(folder: Path, blobs: AbstractSet[str], warn: Warn) -> bool:
    """Return whether one of these files names the attribute; False if they cannot be fetched."""
    try:
        fetch_blobs(folder, set(blobs))
    except GitFailed as error:
        warn(f"the contents of .gitattributes cannot be fetched: {error}")
        return False
    with BlobReader(folder, blobs) as reader:
        return any(reader.has(blob) and _ATTRIBUTE in reader.read_text(blob) for blob in blobs)
