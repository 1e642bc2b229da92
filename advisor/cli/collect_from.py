"""advisor collect --from FILE: find the repositories of the packages that files name."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from advisor.cli.streams import read_stdin
from advisor.files import home_folder

if TYPE_CHECKING:
    from advisor.answers.dependencies import Dependency
    from advisor.cli.collect_progress import CollectionProgress
    from advisor.collect import package_index
    from advisor.collect.deprecations import Version
    from advisor.collect.http.transport import Transport
    from advisor.collect.outcome import CollectionOutcome

T = TypeVar("T")


@dataclass(frozen=True)
class Permissions:
    """Which names may leave the machine, and which services get them.

    Attributes:
        services: services that may be asked, of `package_index.SERVICES`.
        exclude: patterns of names (``acme-*``) that no service is asked about.
        include_folders: folders whose files a named file may include.
        is_dry_run: show the plan, ask nothing.
    """

    services: Sequence[str]
    exclude: Sequence[str] = ()
    include_folders: Sequence[Path] = ()
    is_dry_run: bool = False


@dataclass(frozen=True)
class Repositories:
    """What to collect.

    Attributes:
        public: ``owner/name`` → package on PyPI (None: not on PyPI).
        addresses: repositories whose address is in a file; only GitHub itself is asked about them.
    """

    public: dict[str, str | None] = field(default_factory=dict)
    addresses: dict[str, str | None] = field(default_factory=dict)

    def group_by_sources(
        self, sources: set[str], services: Sequence[str]
    ) -> list[tuple[dict[str, str | None], set[str]]]:
        """Return the repositories, each with the sources that may be asked about it.

        Args:
            sources: sources that the user wants.
            services: services that may be asked about names of packages.
        """
        senders = {"pypi": {"pypi", "pypistats", "huggingface"}, "deps.dev": {"depsdev"}}
        blocked_sources = {
            name for service, names in senders.items() if service not in services for name in names
        }
        return [(self.public, sources - blocked_sources), (self.addresses, sources & {"github"})]


def parse_services(names: Sequence[str] | None) -> list[str]:
    """Return the services of ``--ask pypi,npm,deps.dev``; ``none`` is no service.

    Raises:
        UnknownName: there is no such service.
    """
    from advisor.collect.package_index import SERVICES
    from advisor.errors import UnknownName

    if names is None:
        return list(SERVICES)
    services = [name for text in names for name in text.split(",") if name not in {"", "none"}]
    for name in services:
        if name not in SERVICES:
            raise UnknownName("service", name, [*SERVICES, "none"])
    return services


def find_repositories(
    files: Sequence[Path],
    store: Path,
    progress: CollectionProgress,
    permissions: Permissions,
    *,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
) -> Repositories:
    """Return the repositories of all packages of the files.

    Asks a package index only about packages that the facts, the domains and the bundled table lack, and
    about none that may come from a private index, a path or a URL.

    Raises:
        InputError: a file is wrong.
    """
    from advisor.collect.deprecations import Version

    plan = _plan_packages(files, store, permissions)
    if permissions.is_dry_run:
        for entry in plan:
            print(f"{entry.dependency.name}: {entry.describe()}")
        return Repositories()
    packages = [entry.package for entry in plan if entry.is_askable]
    answers: dict[package_index.Package, str] = {}
    if packages:
        answers = ask_indexes(
            packages, store, progress, permissions.services, max_wait=max_wait, record=record, replay=replay
        )
    repositories = Repositories()
    for entry in plan:
        _add_repository(entry, answers.get(entry.package), repositories, progress)
    versions = {
        Version(entry.dependency.name, entry.dependency.version): repository
        for entry in plan
        if entry.asks_about_version and (repository := entry.repository or answers.get(entry.package))
    }
    if versions:
        _ask_npm(versions, store, progress, max_wait=max_wait, record=record, replay=replay)
    for repository in repositories.public:
        repositories.addresses.pop(repository, None)
    return repositories


@dataclass(frozen=True)
class _PlannedPackage:
    """A package and the services to ask about it.

    Attributes:
        repository: if it is known.
        excluded: the pattern of ``--exclude`` that names it.
        private: why no service may be asked; empty: they may.
        services: services to ask, in order.
    """

    dependency: Dependency
    package: package_index.Package
    repository: str | None
    excluded: str | None
    private: str
    services: Sequence[str]

    @property
    def is_askable(self) -> bool:
        return not (self.repository or self.excluded or self.private) and bool(self.services)

    @property
    def asks_about_version(self) -> bool:
        """Whether npm is asked if the authors deprecated the version, because the file does not say it."""
        is_open = not (self.excluded or self.private) and "npm" in self.services
        return is_open and self.dependency.deprecation is None

    @property
    def is_address(self) -> bool:
        """Whether the repository comes from the file itself and may be private."""
        return bool(self.private) and self.dependency.repository == self.repository

    def describe(self) -> str:
        """Return what a run does about the package."""
        if self.excluded:
            return f"asks nobody: --exclude {self.excluded} names it"
        if self.repository:
            sources = "only GitHub" if self.is_address else "no package index"
            if self.asks_about_version:
                sources = "npm about its version"
            return f"asks {sources}: its repository is {self.repository}"
        if self.is_askable:
            return f"asks {', then '.join(self.services)}"
        return f"asks nobody: {self.private or 'no allowed service knows its ecosystem'}"


def _plan_packages(files: Sequence[Path], store: Path, permissions: Permissions) -> list[_PlannedPackage]:
    from advisor.answers.dependencies import files as dependency_files
    from advisor.answers.dependencies.indexes import read_user_settings
    from advisor.answers.dependencies.packages import find_origin, read_origins
    from advisor.collect.package_index import Package, plan_services
    from advisor.errors import SnapshotMissing
    from advisor.facts import reading

    settings = read_user_settings(os.environ, home_folder())
    stdin = read_stdin(files)
    dependencies = dependency_files.read_dependencies(files, permissions.include_folders, stdin)
    try:
        origin_table = read_origins([reading.open_store(store, may_lack_days=True)])
    except SnapshotMissing:
        origin_table = read_origins([])
    plan = []
    for dependency in map(settings.apply, dependencies):
        origin = find_origin(dependency, origin_table)
        plan.append(
            _PlannedPackage(
                dependency,
                Package(dependency.ecosystem, dependency.name),
                origin.repository if origin else None,
                next((p for p in permissions.exclude if fnmatchcase(dependency.name, p)), None),
                why_private(dependency),
                plan_services(dependency.ecosystem, permissions.services),
            )
        )
    return plan


def _add_repository(
    entry: _PlannedPackage, answer: str | None, repositories: Repositories, progress: CollectionProgress
) -> None:
    """Add the repository of a package, or report why there is none."""
    if entry.excluded:
        return
    repository = entry.repository or answer
    if repository is None:
        if not entry.is_askable:
            why = entry.private or "no service may be asked about it"
            progress.show_event(
                "none", {"repository": entry.dependency.name, "part": "repository", "why": why}
            )
    elif entry.is_address:
        repositories.addresses[repository] = None
    else:
        is_on_pypi = entry.dependency.ecosystem == "pypi" and not entry.private
        name = entry.dependency.name if is_on_pypi else None
        repositories.public[repository] = repositories.public.get(repository) or name


def why_private(dependency: Dependency) -> str:
    """Return why no service may be asked about a package; empty: they may."""
    from advisor.answers.dependencies.indexes import is_public

    if is_public(dependency):
        return ""
    if dependency.local:
        return f"it is {dependency.local}"
    return f"it may come from {dependency.index or 'a private host'}, which is not a public index"


def _ask_npm(
    versions: Mapping[Version, str],
    store: Path,
    progress: CollectionProgress,
    *,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
) -> None:
    """Ask npm's registry which versions are deprecated, and write it to the store."""
    from advisor.collect import deprecations

    async def ask(transport: Transport, outcome: CollectionOutcome) -> None:
        day = datetime.now(UTC).date()
        await deprecations.find_deprecations(
            versions, transport, store, day, progress.show_event, outcome, record
        )

    _send(ask, [deprecations.ORIGIN], progress, max_wait=max_wait, replay=replay)


def ask_indexes(
    packages: Sequence[package_index.Package],
    store: Path,
    progress: CollectionProgress,
    services: Sequence[str],
    *,
    max_wait: float,
    record: Path | None = None,
    replay: Path | None = None,
) -> dict[package_index.Package, str]:
    """Ask services for the repositories of packages, and add those without one to the progress.

    Returns:
        package → ``owner/name``; the store has it too.
    """
    from advisor.collect import package_index

    async def ask(transport: Transport, outcome: CollectionOutcome) -> dict[package_index.Package, str]:
        day = datetime.now(UTC).date()
        return await package_index.find_repositories(
            packages, transport, store, day, progress.show_event, outcome, record, services
        )

    return _send(ask, package_index.list_origins(), progress, max_wait=max_wait, replay=replay)


def _send(
    ask: Callable[[Transport, CollectionOutcome], Coroutine[Any, Any, T]],
    origins: Iterable[str],
    progress: CollectionProgress,
    *,
    max_wait: float,
    replay: Path | None,
) -> T:
    """Run what asks services, with a transport that is open for their origins."""
    import asyncio

    import stamina

    from advisor.collect.http.recording import replay as open_recording
    from advisor.collect.http.transport import Patience, Transport
    from advisor.collect.outcome import CollectionOutcome

    stamina.instrumentation.set_on_retry_hooks(())  # the progress shows retries
    outcome = CollectionOutcome()

    async def run() -> T:
        async with Transport(
            dict.fromkeys(origins),
            patience=Patience(limits=max_wait),
            on_event=progress.show_event,
            wire=open_recording(replay) if replay else None,
        ) as transport:
            return await ask(transport, outcome)

    result = asyncio.run(run())
    progress.missing += [f"{m.repository}: {m.part}: {m.reason}" for m in outcome.missing]
    return result
