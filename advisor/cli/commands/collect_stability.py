"""advisor collect-stability: which public names each release of a library added, removed or changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.collect_each import LocalName, check_one_place, collect_each, show_line
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home

_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@app.command("collect-stability")
def collect_stability(
    repositories: Annotated[
        list[str] | None,
        typer.Argument(
            help="Repositories: owner/name, a URL, or the path of a local clone. Or packages on PyPI: name, "
            "or pypi:name. Default: all candidates of the domain."
        ),
    ] = None,
    domain: Annotated[
        str, typer.Option(metavar="DOMAIN", help="Domain whose candidates to read if you name none.")
    ] = "finetuning",
    name: LocalName = None,
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
) -> None:
    """Collect which public names each release added, removed or changed, for `advisor upgrade`.

    Reads the Python files of each release, and never imports them: of a repository from its history, of a
    package from the archives on PyPI. A second run reads only new releases.

    Examples:
      advisor collect-stability huggingface/trl
      advisor collect-stability pandas
      advisor collect-stability --domain web-frameworks
    """
    from advisor.collect.public_api import collect_api
    from advisor.domain.domain import load_domain

    check_one_place(repositories or [], name=name)
    packages = {candidate.repository: candidate.package for candidate in load_domain(domain).candidates}
    folder, day = store_or_default(store), date_or_today(retrieved_on)

    def warn(text: str) -> None:
        show_line(f"note: {text}")

    def collect_one(where: str) -> None:
        package = _find_package(where)
        if package is not None:
            _collect_package(package, name, folder, day, warn)
            return
        collect_api(
            where,
            folder,
            data_home() / "git",
            retrieved_on=day,
            repository=name,
            package=packages.get(name or where),
            progress=show_line,
            warn=warn,
        )

    collect_each(repositories or list(packages), collect_one)


def _find_package(where: str) -> str | None:
    """Return the package that a word names; None: it names a repository."""
    package = where.removeprefix("pypi:")
    is_package = where.startswith("pypi:") or not Path(where).is_dir()
    return package if is_package and _PACKAGE.fullmatch(package) else None


def _collect_package(
    package: str, name: str | None, store: Path, day: date, warn: Callable[[str], None]
) -> None:
    from advisor.answers.dependencies.health import bundled_stores, open_stores
    from advisor.answers.libraries import find_repository
    from advisor.collect.public_api.package_releases import collect_package_api

    repository = name or find_repository(f"pypi:{package}", open_stores(bundled_stores()))
    collect_package_api(
        package, store, retrieved_on=day, repository=repository, progress=show_line, warn=warn
    )
