"""advisor replay-adoption: what a project's choices of libraries would have been with our advice."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import OwnStore, store_or_default
from advisor.files import cache_home, data_home
from advisor.report.formats import AdoptionFormat, Format


@app.command("replay-adoption")
def replay_adoption(
    repository: Annotated[
        str, typer.Argument(help="A repository: owner/name, a URL, or the path of a local clone.")
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Name of a local clone, if it has no remote."),
    ] = None,
    store: OwnStore = None,
    format: Annotated[AdoptionFormat, typer.Option(help="Format of the report.")] = Format.table,
) -> None:
    """Show what was recommended when a project took in each of its libraries, and what became of it.

    Reads from the project's own history when each package came and went. For a library of one of the
    domains, it asks that domain as of that day. It runs nothing of the project.

    Examples:
      advisor replay-adoption .
      advisor replay-adoption kubeflow/trainer
    """
    from advisor.answers.adoption import find_uses, replay
    from advisor.answers.dependencies.health import bundled_stores, open_stores
    from advisor.answers.dependencies.packages import read_origins
    from advisor.collect.git.clone import open_history
    from advisor.collect.git.manifests import read_manifests
    from advisor.files import draft_folder
    from advisor.report.adoption import render

    with (
        open_history(repository, data_home() / "git", name, _show_progress) as (history, project),
        draft_folder(cache_home(), "adoption-") as folder,
    ):
        uses = find_uses(read_manifests(history), folder)
    origins = read_origins(open_stores([store_or_default(store), *bundled_stores()]))
    sys.stdout.write(render(replay(project, uses, origins, _show_progress), format))


def _show_progress(text: str) -> None:
    print(text, file=sys.stderr)
