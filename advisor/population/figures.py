"""What the public lists say about a repository, as measurements and outlooks of our own metrics.

The lists count differently: their contributors and commits include bots, and their releases pre-releases.
So these measurements stand in only where the facts have none; each has the list and its day as the source,
and the difference as the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from advisor.model import Measurement, Outlook
from advisor.population.library import HORIZONS, Library
from advisor.population.reading import read_libraries, read_list_repositories

SOURCE = "population"
MAX_DAYS = (
    400  # figures that are older than this say nothing about a day; metrics of totals use the same limit
)
ELSEWHERE = "developed elsewhere"
MAX_DAYS_TO_RELEASE = 92  # a release with the last commit's code comes at most so much later
OF_PACKAGE = frozenset({"downloads", "downloads_growth", "dependents"})
OF_REPOSITORY = frozenset(
    {
        "stars", "forks", "open_issues", "issues_closed_share", "project_age", "days_since_last_commit",
        "code_changes_commits", "new_contributors", "release_frequency", "stars_growth",
    }
)  # fmt: skip
LIST_METRICS = OF_PACKAGE | OF_REPOSITORY
"""The metrics that the lists know."""


@dataclass(frozen=True)
class ListFigures:
    """The figures of one repository on the public lists.

    Attributes:
        day: the day of the figures.
        measurements: metric → its measurement; metrics that the lists do not know are not there.
        outlooks: one per horizon, as of the day.
    """

    day: date
    measurements: Mapping[str, Measurement]
    outlooks: tuple[Outlook, ...]

    def is_usable_on(self, as_of: date) -> bool:
        """Return whether the figures were known on a day, and not too old."""
        return self.day <= as_of <= self.day + timedelta(days=MAX_DAYS)


def is_listed(measurement: Measurement) -> bool:
    """Return whether a measurement comes from a public list."""
    return any(source.startswith(f"{SOURCE}:") for source in measurement.sources)


def is_of_archives(measurement: Measurement) -> bool:
    """Return whether a measurement comes from the archives of a package, which show only its API."""
    return bool(measurement.sources) and all(s.startswith("pypi:") for s in measurement.sources)


def read_move(measurements: Iterable[Measurement]) -> str:
    """Return the sentence of `find_move` among the reasons of the measurements, or ""."""
    return next((m.reason for m in measurements if m.reason.startswith(f"{ELSEWHERE}:")), "")


def rests_on_lists(measurements: Iterable[Measurement]) -> bool:
    """Return whether all that is measured comes from public lists, apart from the API of the package."""
    measured = [m for m in measurements if m.status == "measured" and m.sources != ("outlook",)]
    others = [m for m in measured if not is_of_archives(m)]
    return bool(others) and all(map(is_listed, others))


def read_figures(repositories: Iterable[str], file: Path | None = None) -> dict[str, ListFigures]:
    """Return repository as given → its figures; a repository that no list has is not there.

    Args:
        repositories: ``owner/name``, now or before.
        file: the population's file; None: the bundled one.

    Raises:
        FactsError: the file cannot be read.
    """
    names = list(repositories)
    libraries = read_libraries(names, file)
    lists = read_list_repositories() if libraries else {}
    return {
        name: measure_library(libraries[name.lower()], lists, name)
        for name in names
        if name.lower() in libraries
    }


def measure_library(library: Library, lists: Mapping[str, str], repository: str = "") -> ListFigures:
    """Return what a library's row says, under our names of metrics.

    Args:
        library: the row.
        lists: list → its repository (see `reading.read_list_repositories`).
        repository: the name of the measurements; empty: that of the row.
    """
    name = repository or library.repository
    source = f"{SOURCE}: list {lists.get(library.source, library.source)}, {library.day}"
    elsewhere = find_move(library)
    measurements = {
        metric: Measurement(
            name, metric, "measured", value, value, value, n=1, evidence_share=1.0, sources=(source,),
            first_day=library.day, last_day=library.day, reason=reason,
        )
        for metric, value, reason in _values(library)
        if not elsewhere or metric in OF_PACKAGE
    }  # fmt: skip
    if elsewhere:
        unknown = OF_REPOSITORY - measurements.keys()
        measurements |= {m: Measurement(name, m, "unavailable", reason=elsewhere) for m in sorted(unknown)}
    outlooks = tuple(_outlook(library, months, source, elsewhere) for months in HORIZONS)
    return ListFigures(library.day, measurements, outlooks)


def find_move(library: Library) -> str:
    """Return a sentence if the package is developed elsewhere than in the repository of the list, else "".

    A release long after the last commit shows it: the repository moved, or the package has another owner.
    """
    commit, release = library.last_commit, library.last_release
    if commit is None or release is None or (release - commit).days <= MAX_DAYS_TO_RELEASE:
        return ""
    return (
        f"{ELSEWHERE}: the package was released on {release}, and {library.repository}"
        f" has no commit after {commit}"
    )


def _outlook(library: Library, months: int, source: str, elsewhere: str) -> Outlook:
    if elsewhere or months not in library.outlooks:
        reason = elsewhere or f"the figures of the {source} are outside the outlook's training data"
        return Outlook(months, None, 0.0, 1.0, abstained=True, reason=reason)
    return Outlook(months, *library.outlooks[months], abstained=False, reason=f"from {source}")


def _values(library: Library) -> Iterator[tuple[str, float, str]]:
    """Yield (metric, value, how it differs from the metric) for all that is known."""
    downloads = library.downloads_pypi if library.pypi else library.downloads
    totals = {
        "stars": library.stars,
        "forks": library.forks,
        "downloads": downloads,
        "open_issues": library.open_issues,
        "dependents": library.dependents,
    }
    for metric, total in totals.items():
        if total is not None:
            yield metric, float(total), ""
    if library.open_issues is not None and library.closed_issues:
        share = library.closed_issues / (library.open_issues + library.closed_issues)
        yield "issues_closed_share", share, ""
    if library.created_on is not None:
        years = (library.day - library.created_on).days / 365.25
        yield "project_age", years, "since the repository was created"
    if library.last_commit is not None:
        days = max(0, (library.day - library.last_commit).days)
        yield "days_since_last_commit", float(days), f"as of {library.day}; commits of bots count"
    for metric, total_name, reason in _YEARLY:
        change = library.changes.get((total_name, 365))
        if change is not None and change >= 0:
            yield metric, float(round(change)), reason
    for metric, total_name in (("stars_growth", "stars"), ("downloads_growth", "downloads")):
        now, change = getattr(library, total_name), library.changes.get((total_name, 365))
        if now is not None and change is not None and now > change:
            yield metric, change / (now - change), ""


_YEARLY = (
    ("code_changes_commits", "commits", "the change of the total in a year: merges and bots count"),
    ("new_contributors", "contributors", "the change of the number that GitHub counts: bots count"),
    ("release_frequency", "releases", "the change of the total in a year: pre-releases count"),
)
