"""Options that several commands share, and the values that they give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import completion
from advisor.cli.messages import print_detail, print_note
from advisor.cli.settings import OPTIONS, current_settings
from advisor.files import data_home

if TYPE_CHECKING:
    from advisor.answers.question import Request
    from advisor.model import Recommendation

BUNDLED_STORE = Path("bundled")  # as typed after --store
FEW_NOTES = 8  # about one candidate each


Candidate = Annotated[
    str,
    typer.Argument(
        help="A candidate of the domain: owner/name, its address on GitHub, or the name alone.",
        autocompletion=completion.candidates,
    ),
]
Candidates = Annotated[
    list[str] | None,
    typer.Argument(
        help="Candidates to show: owner/name, an address on GitHub, or the name alone. "
        "Default: all of the domain.",
        autocompletion=completion.candidates,
    ),
]
DomainName = Annotated[
    str,
    typer.Option(
        "--domain",
        metavar="DOMAIN",
        help="Name of a bundled domain, or a TOML file of your own.",
        autocompletion=completion.domains,
    ),
]
Domain = Annotated[
    str | None,
    typer.Option(
        metavar="DOMAIN",
        help="Name of a bundled domain, or a TOML file of your own. Default: the domain with the libraries "
        "that you name, or finetuning.",
        show_default=False,
        autocompletion=completion.domains,
    ),
]
Goal = Annotated[
    str | None,
    typer.Option(
        metavar="GOAL",
        help="Named set of weights from the domain file, for example independence. Default: balanced. "
        "`advisor goals` lists them.",
        autocompletion=completion.goals,
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="Use only facts up to this date (YYYY-MM-DD). Default, and for `today`: the date of the facts.",
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="CRITERION=WEIGHT",
        help="Weight of a criterion, for example models=5. Only the ratios of weights matter. Repeatable.",
        autocompletion=completion.criteria,
    ),
]
Rules = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Rules to use instead of those of the domain (TOML).")
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of facts, or `bundled`. Default: your own facts if they cover all candidates, "
        "else the bundled ones.",
    ),
]
OwnStore = Annotated[
    Path | None,
    typer.Option("--store", metavar="FOLDER", help="Folder of facts. Default: $XDG_DATA_HOME/advisor/facts."),
]
Collect = Annotated[
    bool,
    typer.Option(
        "--collect",
        help="First collect the libraries that neither your own facts nor the bundled ones have. Without a "
        "token for GitHub: only their git histories. Asks the package index about an unknown name.",
    ),
]
Includes = Annotated[
    list[Path] | None,
    typer.Option(
        "--include",
        metavar="FOLDER",
        help="With --from: another folder whose files a file may include or link to. Repeatable.",
    ),
]
RetrievedOn = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="Date to record for the facts (YYYY-MM-DD). Default: today (UTC)."),
]


@dataclass(frozen=True)
class RequestOptions:
    """The options that `rank`, `explain`, `compare` and `dashboard` share, as typed."""

    domain: str | None = None
    goal: str | None = None
    as_of: str | None = None
    weights: list[str] | None = None
    rules: Path | None = None
    store: Path | None = None

    def without_settings(self) -> RequestOptions:
        """Return the options that were typed, without those from variables and pyproject.toml."""
        settings = {OPTIONS[n]: setting.value for n, setting in current_settings().items() if n in OPTIONS}
        kept_options = {
            name: value
            for name, value in vars(self).items()
            if name not in settings or not _equals(value, settings[name])
        }
        return RequestOptions(**kept_options)

    def _choose_setting(self, names: tuple[str, ...], category: str | None) -> str | None:
        """Return the domain; one from the settings only if it has the libraries that the user names."""
        setting = current_settings().get("domain")
        if self.domain is None or setting is None or setting.value != self.domain:
            return self.domain
        from advisor.answers.libraries import has_all

        return self.domain if category is None and has_all(self.domain, names) else None

    def build_request(
        self, repositories: Iterable[str] | None = None, *, selects: bool = True, category: str | None = None
    ) -> Request:
        """Return the request about these repositories; without any, about all candidates.

        Args:
            repositories: the libraries that the user names.
            selects: whether only these are candidates; else they only choose the domain.
            category: a category of public lists in place of repositories.

        Raises:
            InputError: a date or a weight is malformed, or a library is unknown.
        """
        from advisor.answers.any_question import choose_domain
        from advisor.answers.question import ANY_LIBRARIES, Request

        names = tuple(repositories or ())
        domain = choose_domain(self._choose_setting(names, category), names, category)
        is_any = domain == ANY_LIBRARIES
        store = resolve_store(self.store, domain)
        for name, setting in current_settings().items():
            if name in OPTIONS:
                print_detail(f"{name} from {setting.origin}: {setting.value}")
        print_detail(f"domain {domain}, facts in {store or 'the bundled snapshot'}")
        return Request(
            domain=domain,
            repositories=names if selects or is_any else (),
            goal=self.goal,
            as_of=parse_as_of(self.as_of),
            weights=parse_weights(self.weights) if self.weights else None,
            rules=self.rules,
            store=store,
            benchmarks=store_or_default(None) if self.store is None else None,
            category=category,
            own_store=store_or_default(None) if is_any and self.store is None else None,
        )


def parse_as_of(text: str | None) -> date | None:
    """Return the day of --as-of; None, also for ``today``: the newest day of the facts.

    Raises:
        InputError: the text is not a date.
    """
    if text is not None and text.strip().lower() == "today":
        print_note("the newest facts answer for today; the report says their day")
        return None
    return parse_date(text)


def parse_date(text: str | None) -> date | None:
    """Return the date of ``YYYY-MM-DD``; None stays None.

    Raises:
        InputError: the text is not a date.
    """
    from advisor.errors import InputError

    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        raise InputError(f"invalid date {text!r}: expected YYYY-MM-DD, for example 2024-06-05") from None


def date_or_today(text: str | None) -> date:
    """Return the date, or today in UTC."""
    return parse_date(text) or datetime.now(UTC).date()


def parse_weights(texts: list[str], option: str = "--set") -> dict[str, float]:
    """Return criterion → weight, from texts ``criterion=weight``; upper or lower case.

    Raises:
        InputError: a text is not of that form, or two are about one criterion.
    """
    from advisor.errors import InputError

    weights = {}
    for text in texts:
        name, _, number = text.partition("=")
        name = name.strip().lower()
        try:
            weight = float(number) if name else None
        except ValueError:
            weight = None
        if weight is None:
            raise InputError(
                f"invalid weight {text!r} in {option}: expected CRITERION=WEIGHT, for example activity=5"
            )
        if name in weights:
            raise InputError(f"{option} gives the weight of {name} twice: give it once")
        weights[name] = weight
    return weights


def _equals(value: object, setting: object) -> bool:
    return tuple(value) == setting if isinstance(value, list) else str(value) == setting


def store_or_default(store: Path | None) -> Path:
    """Return the store, or the user's own."""
    return store or data_home() / "facts"


def resolve_store(store: Path | None, domain: str) -> Path | None:
    """Return the folder of facts to read; None stands for the bundled snapshot of the domain.

    Raises:
        SnapshotMissing: the domain has no bundled snapshot, and its facts are not collected.
    """
    from advisor.answers.question import ANY_LIBRARIES
    from advisor.domain.domain import load_domain
    from advisor.domain.files import data_folder
    from advisor.errors import SnapshotMissing

    if store not in {None, BUNDLED_STORE}:
        return store
    if domain == ANY_LIBRARIES:
        return None
    own_store = _find_own_store(domain) if store is None else None
    may_lack_snapshot = own_store is None and domain.endswith(".toml")  # bundled domains have one
    if may_lack_snapshot and not (data_folder() / "snapshots" / load_domain(domain).snapshot).is_dir():
        raise SnapshotMissing(
            f"no facts about all candidates of {domain} in {store_or_default(None)} or in the bundled facts: "
            f"run `advisor collect --domain {domain}` first (--git-only needs no token)"
        )
    return own_store


def _find_own_store(domain: str) -> Path | None:
    """Return the user's own store if it has facts about every candidate of the domain."""
    from advisor.domain.domain import load_domain
    from advisor.facts.reading import has_facts_about

    path = store_or_default(None)
    return path if has_facts_about(path, (c.repository for c in load_domain(domain).candidates)) else None


def exit_with_status(answer: Recommendation, *, is_complete: bool = True) -> None:
    """Print the missing candidates on stderr, and exit with the code that fits the answer.

    Args:
        answer: what the command answers.
        is_complete: whether all requested facts were collected.

    Raises:
        typer.Exit: 3: candidates or requested facts are missing, or a requirement was not checked for the
            choice; 4: there is no suitable candidate.
    """
    from advisor.errors import EXIT_NOTHING_SUITABLE, EXIT_PARTIAL

    if answer.choice is None:
        raise typer.Exit(EXIT_NOTHING_SUITABLE)
    for repository, reason in islice(answer.missing.items(), FEW_NOTES):
        print_note(f"cannot rank {repository}: {reason}")
    if len(answer.missing) > FEW_NOTES:
        print_note(f"cannot rank {len(answer.missing) - FEW_NOTES} more: see --format json")
    if answer.open_questions:
        print_note(f"not checked for {answer.choice}: {'; '.join(answer.open_questions)}")
    if answer.missing or answer.open_questions or not is_complete:
        raise typer.Exit(EXIT_PARTIAL)
