"""Options that several commands take: declared once, on what makes sense of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from advisor.answers.question import Request
    from advisor.model import Recommendation
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from advisor.files import data_home

if TYPE_CHECKING:
    from advisor.answers.question import Request

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

    domain: str = "finetuning"
    goal: str | None = None
    as_of: str | None = None
    set_: list[str] | None = None
    rules: Path | None = None
    store: Path | None = None

    def request(self, repositories: Iterable[str] | None = None) -> Request:
        """The same to the library; about all candidates where none is named.

        Raises:
            InputError: a day or a weight is malformed.
        """
        from advisor.answers.question import Request

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


def chosen_store(store: Path | None, domain: str) -> Path | None:
    """The folder of facts that is meant; None: the bundled snapshot.

    Raises:
        SnapshotMissing: the domain has none, and its facts are not collected.
    """
    from advisor.domain.domain import load_domain
    from advisor.domain.files import data_folder
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
    from advisor.domain.domain import load_domain
    from advisor.facts.reading import knows_all

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


StoreFolder = Annotated[
    Path | None, typer.Option("--store", help="Folder of facts; default: your own, see README.")
]
Day = Annotated[str | None, typer.Option(help="Day on which the source was read; default: today.")]


def store_or_default(store: Path | None) -> Path:
    """The given store, or the user's own."""
    return store or data_home() / "facts"


def day_or_today(text: str | None) -> date:
    """The given day, or today in UTC: the one clock of the program."""
    return parse_day(text) or datetime.now(UTC).date()


Name = Annotated[str, typer.Argument(help="A candidate (owner/name or name).")]


class Form(StrEnum):
    """How the report is written."""

    table = "table"
    markdown = "markdown"
    json = "json"


EvidenceFormat = Annotated[Form, typer.Option(help="How to write the report.")]
