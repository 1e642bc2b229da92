"""advisor collect-weight: what an install of a library brings, from the package index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.collect_each import collect_each, show_line
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default


@app.command("collect-weight")
def collect_weight(
    repositories: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OWNER/NAME[=PACKAGE]]...",
            help="Libraries, each with its package on PyPI if no domain names it. Default: all candidates.",
        ),
    ] = None,
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Domain of the libraries.")] = "finetuning",
    build: Annotated[
        bool,
        typer.Option(
            "--build", help="Build a package without a wheel to read what it requires. This runs its code."
        ),
    ] = False,
    import_with: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON",
            help="Also measure the import of the one library with this Python. This runs its code.",
        ),
    ] = None,
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
) -> None:
    """Collect what an install brings: packages, sizes, licences, advisories, Python versions and systems.

    uv locks the newest version as of the day, pip and pip-audit read the index about the lock. Nothing is
    installed.

    Examples:
      advisor collect-weight huggingface/trl pallets/click=click
      advisor collect-weight huggingface/trl --import-with .venv/bin/python
    """
    from advisor.collect.install_weight import collect_import_time
    from advisor.collect.install_weight import collect_weight as collect
    from advisor.collect.install_weight.import_time import measure_import
    from advisor.collect.install_weight.programs import Programs
    from advisor.errors import InputError
    from finetune.process.environment import find_uv, uv_variables

    folder, day = store_or_default(store), date_or_today(retrieved_on)
    packages = _choose_packages(repositories, domain)
    if import_with is not None and len(packages) != 1:
        raise InputError("--import-with needs exactly one library")
    programs = Programs((find_uv(),), variables=uv_variables())

    def collect_one(repository: str) -> None:
        package = packages[repository]
        collect(repository, package, folder, programs, day=day, may_build=build, progress=show_line)
        if import_with is not None:
            measurement = measure_import(import_with.absolute(), package, programs.variables)
            collect_import_time(repository, folder, measurement, day=day)
            show_line(f"{repository}: import {measurement.module} takes {measurement.seconds:.2f} s")

    collect_each(list(packages), collect_one)


def _choose_packages(repositories: list[str] | None, domain: str) -> dict[str, str]:
    """Return the libraries with their packages.

    Raises:
        InputError: no domain names the package of a library.
    """
    from advisor.domain.domain import load_domain
    from advisor.errors import InputError

    known = {c.repository: c.package for c in load_domain(domain).candidates if c.package}
    if not repositories:
        return known
    packages = {}
    for text in repositories:
        repository, _, package = text.partition("=")
        if not (package or known.get(repository)):
            raise InputError(f"no package of {repository} is known: write it as {repository}=PACKAGE")
        packages[repository] = package or known[repository]
    return packages
