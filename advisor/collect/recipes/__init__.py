"""Collect the ready-made recipes of a library from its git history.

Nothing of the library runs: configurations, scripts, notebooks and pages are read as text, with the
patterns of recipes.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from advisor.collect.git.clone import open_history
from advisor.collect.git.command import run_git
from advisor.collect.git.readings import open_readings
from advisor.collect.recipes.history import follow_recipes
from advisor.collect.recipes.tags import RecipeReader
from advisor.domain.families import Family
from advisor.domain.recipe_words import RecipeWords
from advisor.errors import InputError
from advisor.facts import writing


def collect_recipes(
    where: str,
    store: Path,
    cache: Path,
    words: RecipeWords,
    families: Sequence[Family],
    *,
    retrieved_on: date,
    repository: str | None = None,
    library: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """Read the recipes of one history and replace the store's rows from it.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        words: the layouts and words of recipes.toml.
        families: model families to look for.
        retrieved_on: the recipes are known until this day; later commits do not count.
        repository: ``owner/name``, for a local clone without a remote.
        library: the library whose recipes the history holds, if they are in a repository of their own.
        progress: receives progress lines for a person.

    Returns:
        ``owner/name`` of the library.

    Raises:
        InputError: ``where`` is not a repository, URL or path, or the layout of the library does not name it.
        RepositoryNotFound: the repository does not exist.
        GitFailed: git failed; nothing was written.
    """
    with open_history(where, cache, repository, progress) as (folder, name):
        owner = library or name
        layout = words.find_layout(owner)
        if name != owner and name not in layout.also:
            raise InputError(
                f"{name} is not a repository with recipes of {owner}: add it to `also` in data/recipes.toml"
            )
        head = run_git(folder, "rev-parse", "--verify", "HEAD^{commit}").strip()
        progress(f"{name}: reading all commits for recipes ({layout.name})")
        code, settings = Path(__file__).parent.glob("*.py"), repr((layout, words, families))
        with open_readings(cache, name, "recipes", code, settings) as readings:
            rows = list(follow_recipes(folder, RecipeReader(layout, words, families), readings))
        first_day = _read_first_day(folder)
    common = {
        "repository": owner,
        "published_in": name,
        "known_until": retrieved_on,
        "source": f"git:{name}@{head[:12]} ({layout.name})",
        "retrieved_at": retrieved_on,
    }
    known_rows = [{**common, "changed_on": first_day}, *_hide_later_days(rows, retrieved_on)]
    part = "" if name == owner else name.replace("/", "-")
    writing.write_rows(
        store,
        "recipes",
        owner,
        ({**row, **common} for row in known_rows),
        part=part,
        head=head,
        read_on=retrieved_on.isoformat(),
    )
    count = sum(row.get("replaced_on") is None for row in known_rows[1:])
    progress(f"{name}: {count} recipes on the default branch, {len(known_rows) - 1} versions")
    return owner


def _read_first_day(folder: Path) -> date:
    """Return the day of the oldest commit along first parents."""
    times = run_git(folder, "log", "HEAD", "--first-parent", "--format=%ct").split()
    return datetime.fromtimestamp(min(map(int, times)), UTC).date()


def _hide_later_days(rows: Sequence[dict[str, Any]], until: date) -> list[dict[str, Any]]:
    """Return the rows as they were known on a day: a clone can be newer."""
    return [
        {
            **row,
            "replaced_on": None if row["replaced_on"] and row["replaced_on"] > until else row["replaced_on"],
        }
        for row in rows
        if row["changed_on"] <= until
    ]
