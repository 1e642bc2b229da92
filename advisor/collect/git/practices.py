"""Count the files that show how a project works: tests, CI, funding, governance (`data/practices.toml`)."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from advisor.domain.files import data_folder, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet


_DEPTH = 2  # files that are not code are in the root folder or at most so many folders below


class Practice(NamedTuple):
    """One figure: how many files match, or how many of the patterns have a file.

    Attributes:
        metric: name of the figure.
        title: what is counted, for people.
        is_of_code: whether only source files of the project itself count.
        counts_kinds: whether each pattern counts at most once.
        patterns: of whole paths.
    """

    metric: str
    title: str
    is_of_code: bool
    counts_kinds: bool
    patterns: tuple[re.Pattern[str], ...]


@cache
def load_practices() -> tuple[Practice, ...]:
    """Read the practices and their patterns.

    Raises:
        ConfigError: the file cannot be read.
    """
    return tuple(
        Practice(
            entry["metric"],
            entry["title"],
            entry.get("of") == "own code",
            entry.get("counts") == "kinds",
            _compile([file["pattern"] for file in entry["files"]], entry.get("counts") == "kinds"),
        )
        for entry in read_toml(data_folder() / "practices.toml")["practice"]
    )


def _compile(patterns: list[str], counts_kinds: bool) -> tuple[re.Pattern[str], ...]:
    parts = patterns if counts_kinds else [f"(?:{'|'.join(patterns)})"]
    return tuple(re.compile(part, re.IGNORECASE) for part in parts)


def find_practices(path: str, *, is_code: bool) -> tuple[tuple[Practice, int], ...]:
    """Return what a file counts for: practices, each with the number of the first pattern that it matches.

    Args:
        path: of a file.
        is_code: whether it is in a programming language.
    """
    matches = []
    is_deep = path.count("/") > _DEPTH
    for practice in load_practices():
        if not is_code if practice.is_of_code else is_deep:
            continue
        for number, pattern in enumerate(practice.patterns):
            if pattern.fullmatch(path):
                matches.append((practice, number))
                break
    return tuple(matches)


def count_practices(
    matches: Mapping[str, tuple[tuple[Practice, int], ...]], code: AbstractSet[str]
) -> dict[str, int]:
    """Return metric → number of files, or of kinds of files; 0 where no file matches.

    Args:
        matches: path → result of `find_practices`, for the files of a commit.
        code: its source files that are not vendored.
    """
    kinds = Counter(
        match
        for path, kinds_of_path in matches.items()
        for match in kinds_of_path
        if path in code or not match[0].is_of_code
    )
    counts = dict.fromkeys((practice.metric for practice in load_practices()), 0)
    for (practice, _), number in kinds.items():
        counts[practice.metric] += 1 if practice.counts_kinds else number
    return counts
