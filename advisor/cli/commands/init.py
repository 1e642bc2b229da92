"""advisor init: write a domain of your own, from a dialogue or from options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.output import check_output

if TYPE_CHECKING:
    from advisor.domain.draft import Draft


@app.command()
def init(
    domain: Annotated[
        str, typer.Argument(help="Name of the domain: lower-case letters, digits and hyphens.")
    ],
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OWNER/NAME[=PACKAGE]",
            help="Candidate: owner/name, its address or a known name, and its package on PyPI. Repeatable.",
        ),
    ] = None,
    default: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Candidate to recommend in a tie. Default: none."),
    ] = None,
    default_reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Reason for the default candidate.")
    ] = "what we use today",
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CRITERION=WEIGHT",
            help="Weight of a criterion, for example backing=2; 0 leaves it out. Repeatable. "
            "Without it: 1 each for contributors, issues, backing and activity.",
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Title of the domain. Default: its name.")
    ] = None,
    question: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Question that the domain answers.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write. Default: DOMAIN.toml.",
            callback=check_output,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a domain file: candidates, criteria and weights.

    Without --candidate, asks for everything on the terminal.

    Examples:
      advisor init http-clients
      advisor init micro --candidate pallets/flask=flask --candidate falconry/falcon
      advisor init micro --candidate pallets/flask --weight activity=3 --weight issues=0 --force
    """
    from advisor.domain.domain import parse_domain
    from advisor.domain.draft import Draft, domain_text
    from advisor.errors import InputError
    from advisor.files import write_atomically
    from advisor.write_errors import report_write_errors

    path = output or Path(f"{domain}.toml")
    _check_arguments(domain, path, force=force)
    name = title or domain.replace("-", " ").capitalize()
    if candidate:
        draft = Draft(
            domain, name, question or _default_question(name), _parse_candidates(candidate),
            _choose_weights(weight or []), default, default_reason,
        )  # fmt: skip
    elif sys.stdin.isatty():
        draft = _ask_for_draft(domain, name, question)
    else:
        raise InputError("missing option --candidate: add it, or run the command on a terminal")
    snapshot = _find_snapshot(list(draft.candidates))
    text = domain_text(draft, snapshot)
    parse_domain(text, path)  # write only a file that can be loaded
    with report_write_errors(path):
        write_atomically(path, text.encode())
    print(f"written: {path}")
    argument = path if path.is_absolute() else f"./{path}"
    if snapshot is None:
        print(f"next: advisor collect --domain {argument}   (--git-only needs no token)")
    print(f"{'then' if snapshot is None else 'next'}: advisor rank --domain {argument}")


def _choose_weights(texts: list[str]) -> dict[str, float]:
    """Return criterion → weight: 1 for each criterion of a new domain, except those that the texts weigh.

    Raises:
        InputError: a weight is malformed, or none is above 0.
    """
    from advisor.cli.options import parse_weights
    from advisor.domain.draft import CRITERIA
    from advisor.errors import InputError

    weights = dict.fromkeys(CRITERIA, 1.0) | parse_weights(texts, "--weight")
    positive_weights = {name: weight for name, weight in weights.items() if weight}
    if not positive_weights:
        raise InputError("--weight: at least one weight must be greater than 0")
    return positive_weights


def _check_arguments(domain: str, path: Path, *, force: bool) -> None:
    import re

    from advisor.domain.domain import available_domains
    from advisor.errors import InputError

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", domain):
        near = re.sub(r"[^a-z0-9]+", "-", domain.lower())[:60].strip("-")
        hint = f", for example {near}" if near else ""
        raise InputError(f"invalid domain name {domain!r}: use lower-case letters, digits and hyphens{hint}")
    if domain in available_domains():
        raise InputError(f"there is a bundled domain {domain}: choose another name")
    if path.suffix != ".toml":
        raise InputError(f"invalid file name {path}: a domain file ends in .toml")
    if path.exists() and not force:
        raise InputError(f"{path} exists: use --force to overwrite it")


def _parse_candidates(texts: list[str]) -> dict[str, str | None]:
    """Return ``owner/name`` → package (or None), from ``owner/name``, ``owner/name=package`` or with a space.

    An address on GitHub, or a name that `advisor rank` knows, can replace ``owner/name``.
    """
    from advisor.addresses import check_repository, github_repository
    from advisor.answers.libraries import find_library
    from advisor.errors import InputError

    candidates: dict[str, str | None] = {}
    for text in texts:
        repository, _, package = text.replace("=", " ").strip().partition(" ")
        if repository and "/" not in repository:
            library = find_library(repository)
            repository, package = library.repository, package or library.package or ""
        name = check_repository(github_repository(repository) or repository)
        if name.lower() in (other.lower() for other in candidates):
            raise InputError(f"duplicate candidate {name}: name each candidate once")
        candidates[name] = package.strip() or None
    return candidates


def _find_snapshot(repositories: list[str]) -> str | None:
    """Return the name of a bundled snapshot with facts about all these repositories, or None."""
    from advisor.domain.files import data_folder
    from advisor.facts.reading import open_store

    for path in sorted((data_folder() / "snapshots").glob("*/manifest.json")):
        if set(repositories) <= set(open_store(path.parent).repositories()):
            return path.parent.name
    return None


def _default_question(title: str) -> str:
    return f"Which of the {title.lower()} should I build on?"


def _ask_for_draft(domain: str, title: str, question: str | None) -> Draft:
    """Ask for the domain on the terminal; ask again if an answer cannot be used."""
    from advisor.domain.draft import CRITERIA, Draft, criteria_titles
    from advisor.errors import InputError

    title = typer.prompt("Title", default=title)
    question = typer.prompt("Question", default=question or _default_question(title))
    typer.echo("Candidates, one per line: owner/name or its address, then its package on PyPI if it has one.")
    typer.echo("An empty line ends the list.")
    candidates: dict[str, str | None] = {}
    while True:
        line = typer.prompt(f"Candidate {len(candidates) + 1}", default="", show_default=False).strip()
        if not line and candidates:
            break
        try:
            candidates = _parse_candidates([*(f"{c} {p or ''}" for c, p in candidates.items()), line])
        except InputError as error:
            typer.echo(f"  {error}")
    default = _ask_for_candidate("Default candidate in a tie (empty: none)", list(candidates))
    reason = typer.prompt("Reason for the default", default="what we use today") if default else ""
    typer.echo("Weights: 0 means that a criterion does not count. Only the ratios of weights matter.")
    typer.echo("Press Enter for the weight in brackets.")
    weights: dict[str, float] = {}
    while not any(weights.values()):
        for name, criterion_title in criteria_titles().items():
            weights[name] = _ask_for_weight(f"{criterion_title} ({name})", 1.0 if name in CRITERIA else 0.0)
    positive_weights = {name: weight for name, weight in weights.items() if weight}
    return Draft(domain, title, question, candidates, positive_weights, default, reason)


def _ask_for_candidate(text: str, candidates: list[str]) -> str | None:
    while True:
        answer = str(typer.prompt(text, default="", show_default=False)).strip()
        matches = [c for c in candidates if answer in {c, c.split("/")[1]}]
        if not answer or matches:
            return matches[0] if answer else None
        typer.echo(f"  {answer!r} is not one of {', '.join(candidates)}")


def _ask_for_weight(text: str, default: float) -> float:
    while True:
        number: float = typer.prompt(text, default=default, type=float)
        if 0 <= number < float("inf"):
            return number
        typer.echo("  invalid weight: expected a number ≥ 0")
