"""advisor rank: the ranked report, offline, from the bundled snapshot or a store of one's own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.shared_options import takes

if TYPE_CHECKING:
    from advisor.advise import Request
    from advisor.model import Recommendation

BUNDLED = Path("bundled")


class Format(StrEnum):
    """How the report is written."""

    table = "table"
    json = "json"
    markdown = "markdown"
    csv = "csv"
    html = "html"
    sarif = "sarif"


Repositories = Annotated[list[str] | None, typer.Argument(help="Compare only these (owner/name or name).")]
Domain = Annotated[str, typer.Option(help="A bundled domain or a TOML file.")]
Goal = Annotated[str | None, typer.Option(help="What you care for; see the domain file.")]
AsOf = Annotated[str | None, typer.Option(help="Answer as one could have on that day (YYYY-MM-DD).")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Weight of a criterion, e.g. models=5; may be repeated."),
]
Rules = Annotated[Path | None, typer.Option(help="A rules file of your own.")]
Store = Annotated[
    Path | None, typer.Option(help="A folder of facts, or `bundled`; default: your own once it is collected.")
]


@dataclass(frozen=True)
class RequestOptions:
    """What is asked of any candidates: the options of `rank`, `explain`, `compare` and `dashboard`."""

    domain: Domain = "finetuning"
    goal: Goal = None
    as_of: AsOf = None
    set_: Set = None
    rules: Rules = None
    store: Store = None

    def request(self, repositories: Iterable[str] | None = None) -> Request:
        """The same to the library; about all candidates where none is named.

        Raises:
            InputError: a day or a weight is malformed.
        """
        from advisor.advise import Request
        from advisor.cli.collect import store_or_default

        return Request(
            domain=self.domain,
            repositories=tuple(repositories or ()),
            goal=self.goal,
            as_of=parse_day(self.as_of),
            weights=parse_weights(self.set_) if self.set_ else None,
            rules=self.rules,
            store=chosen_store(self.store, self.domain),
            benchmarks=store_or_default(None) if self.store is None else None,
        )


@app.command()
@takes(RequestOptions)
def rank(
    asked: RequestOptions,
    repositories: Repositories = None,
    model: Annotated[
        str | None, typer.Option(help="A model that it must support, e.g. google/gemma-2-9b.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="A method that it must do: full, lora or qlora.")] = None,
    gpu_memory: Annotated[str | None, typer.Option(help="Memory of one GPU, e.g. 24GB.")] = None,
    gpus: Annotated[int | None, typer.Option(help="How many GPUs.")] = None,
    license: Annotated[str | None, typer.Option(help="A licence that it must have: permissive.")] = None,
    avoid: Annotated[
        list[str] | None, typer.Option(help="A kind of backer to do without, e.g. big-tech; may be repeated.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="A kind of backer to choose if there is one, e.g. community.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to write the report.")] = Format.table,
    replay: Annotated[
        Path | None, typer.Option(help="Answer what a view saved from the dashboard asked.")
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Rank what this file needs: requirements, lock, SBOM; may be repeated."),
    ] = None,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=100, help="With --from: exit 4 if a score is lower.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Rank everybody whom `advisor measure` measured in the store.")
    ] = False,
) -> None:
    """Rank the candidates and recommend one, with reasons and doubts.

    Examples: advisor rank; advisor rank --as-of 2024-06-05; advisor rank trl unsloth
    --goal independence; advisor rank --set models=5 --format json; advisor rank --replay view.json;
    advisor rank --model google/gemma-2-9b --method qlora --gpu-memory 24GB --license permissive
    --avoid big-tech; advisor rank --from requirements.txt --fail-under 40;
    advisor rank --all --store facts --domain dependencies
    """
    from dataclasses import replace

    from advisor.advise import recommend
    from advisor.cli.collect import store_or_default
    from advisor.errors import InputError
    from advisor.requirements import Requirements, parse_memory

    if all_:
        others = (
            from_,
            fail_under is not None,
            replay,
            model,
            method,
            gpu_memory,
            gpus,
            license,
            avoid,
            prefer,
        )
        if any(others):
            raise InputError(
                "--all goes with --domain, --goal, --as-of, --set, --rules, --store, --format alone"
            )
        everybody = replace(asked, store=asked.store or store_or_default(None))
        _rank_all(everybody.request(repositories), format)
        return
    if from_ or fail_under is not None or format is Format.sarif:
        _rank_files(from_, repositories, asked, format, fail_under)
        return
    request = replace(
        asked.request(repositories),
        requirements=Requirements(
            model=model,
            method=method,
            gpu_memory_gib=parse_memory(gpu_memory) if gpu_memory is not None else None,
            gpus=gpus,
            license=license,
            avoid=tuple(avoid or ()),
            prefer=tuple(prefer or ()),
        ),
    )
    view = None
    if replay is not None:
        from advisor.cli.replay import differences, read_view, request_of

        view = read_view(replay)
        request = request_of(view, request)
    if format is Format.html:
        from advisor.cli.dashboard import page
        from advisor.history import MONTHS

        answer, text = page(request, MONTHS)
    else:
        answer = recommend(request)
        text = _report(answer, format)
    sys.stdout.write(text)
    if view is not None:
        for difference in differences(view, answer):
            print(f"advisor: {replay}: {difference}", file=sys.stderr)
    exit_of(answer)


def _rank_all(request: Request, format: Format) -> None:
    from advisor.errors import InputError
    from advisor.shortlist import recommend_all

    if format in (Format.html, Format.sarif):
        raise InputError(f"--all is written as table, json, markdown or csv, not as {format}")
    answer = recommend_all(request)
    sys.stdout.write(_report(answer, format))
    exit_of(answer)


def _rank_files(
    files: list[Path] | None,
    repositories: list[str] | None,
    asked: RequestOptions,
    format: Format,
    fail_under: float | None,
) -> None:
    from advisor.advise import Request
    from advisor.cli.rank_from import rank_files
    from advisor.errors import InputError

    if not files:
        raise InputError("--fail-under and --format sarif go with --from FILE")
    weights = parse_weights(asked.set_) if asked.set_ else None
    named = tuple(repositories or ())
    request = Request("dependencies", named, asked.goal, parse_day(asked.as_of), weights, asked.rules)
    rank_files(files, request, asked.store, format.value, fail_under)


def _report(answer: Recommendation, format: Format) -> str:
    from importlib import import_module

    if format is Format.table and sys.stdout.isatty():
        from advisor.report.terminal import render

        return render(answer, shutil.get_terminal_size().columns)
    name = "text" if format is Format.table else format.value
    return str(import_module(f"advisor.report.{name}").render(answer))


def chosen_store(store: Path | None, domain: str) -> Path | None:
    """The folder of facts that is meant; None: the bundled snapshot.

    Raises:
        SnapshotMissing: the domain has none, and its facts are not collected.
    """
    from advisor.cli.collect import store_or_default
    from advisor.domain import data_folder, load_domain
    from advisor.errors import SnapshotMissing

    if store not in {None, BUNDLED}:
        return store
    own = own_store(domain) if store is None else None
    is_own = own is None and domain.endswith(".toml")  # the others came along with their facts
    if is_own and not (data_folder() / "snapshots" / load_domain(domain).snapshot).is_dir():
        raise SnapshotMissing(
            f"no facts about all candidates of {domain} came along or are in {store_or_default(None)}; run "
            f"`advisor collect --domain {domain}` first (--git-only needs no token)"
        )
    return own


def exit_of(answer: Recommendation) -> None:
    """Say on stderr what is missing, and leave with the exit code that fits the answer."""
    from advisor.errors import EXIT_NOTHING_SUITABLE, EXIT_PARTIAL

    if answer.choice is None:
        raise typer.Exit(EXIT_NOTHING_SUITABLE)
    if answer.missing:
        for repository, why in answer.missing.items():
            print(f"advisor: {repository} is not ranked: {why}", file=sys.stderr)
        raise typer.Exit(EXIT_PARTIAL)


def own_store(domain: str) -> Path | None:
    """The user's own store, if `advisor collect` has brought facts about every candidate into it."""
    from advisor.cli.collect import store_or_default
    from advisor.domain import load_domain
    from advisor.facts import knows_all

    path = store_or_default(None)
    return path if knows_all(path, (c.repository for c in load_domain(domain).candidates)) else None


def parse_day(text: str | None) -> date | None:
    """A date from ``YYYY-MM-DD``; None stays None.

    Raises:
        InputError: it is not a date.
    """
    from advisor.errors import InputError

    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        raise InputError(f"{text!r} is not a day; write it as YYYY-MM-DD") from None


def parse_weights(texts: list[str]) -> dict[str, float]:
    """Weights from ``criterion=number``.

    Raises:
        InputError: one is not of that form.
    """
    from advisor.errors import InputError

    weights = {}
    for text in texts:
        name, sign, number = text.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise InputError(f"--set {text!r}: write it as criterion=number, e.g. models=5")
    return weights
