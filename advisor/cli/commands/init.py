"""advisor init: a domain of one's own, by a short dialogue or by flags."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app

if TYPE_CHECKING:
    from advisor.domain.draft import Draft


@app.command()
def init(
    domain: Annotated[str, typer.Argument(help="Its name: small letters, digits and hyphens.")],
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="owner/name or its address, =package on PyPI; may be repeated."),
    ] = None,
    default: Annotated[str | None, typer.Option(help="The candidate that stays where it is a tie.")] = None,
    default_reason: Annotated[str, typer.Option(help="Why it does.")] = "what we use today",
    weight: Annotated[
        list[str] | None, typer.Option(help="criterion=number, e.g. backing=2; may be repeated.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the domain.")] = None,
    question: Annotated[str | None, typer.Option(help="The question that it answers.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; default: DOMAIN.toml.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a domain file: who competes, what counts, for whom.

    Without --candidate and on a terminal it asks. Example: advisor init http-clients --candidate
    encode/httpx=httpx --candidate psf/requests=requests --default psf/requests --weight activity=3
    """
    from advisor.cli.options import parse_weights
    from advisor.domain.domain import load_domain
    from advisor.domain.draft import CRITERIA, Draft, domain_text
    from advisor.errors import InputError
    from advisor.files import write_atomically

    path = output or Path(f"{domain}.toml")
    _check(domain, path, force=force)
    name = title or domain.replace("-", " ").capitalize()
    if candidate:
        draft = Draft(
            domain, name, question or _question(name), _candidates(candidate),
            parse_weights(weight) if weight else dict.fromkeys(CRITERIA, 1.0), default, default_reason,
        )  # fmt: skip
    elif sys.stdin.isatty():
        draft = _ask(domain, name, question)
    else:
        raise InputError("name the candidates with --candidate owner/name, or run it on a terminal")
    snapshot = _snapshot_of(list(draft.candidates))
    text = domain_text(draft, snapshot)
    with tempfile.TemporaryDirectory() as folder:  # nothing is written that cannot be read
        trial = Path(folder) / f"{domain}.toml"
        trial.write_text(text, encoding="utf-8")
        load_domain(str(trial))
    write_atomically(path, text.encode())
    print(f"written: {path}")
    shown = path if path.is_absolute() else f"./{path}"
    if snapshot is None:
        print(f"next: advisor collect --domain {shown}   (--git-only needs no token)")
    print(f"{'then' if snapshot is None else 'next'}: advisor rank --domain {shown}")


def _check(domain: str, path: Path, *, force: bool) -> None:
    import re

    from advisor.domain.domain import available_domains
    from advisor.errors import InputError

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", domain):
        raise InputError(f"{domain!r} is no name for a domain: small letters, digits and hyphens")
    if domain in available_domains():
        raise InputError(f"there is a domain {domain} already; choose another name")
    if path.suffix != ".toml":
        raise InputError(f"{path}: the file of a domain ends in .toml")
    if path.exists() and not force:
        raise InputError(f"{path} is there already; --force writes over it")


def _candidates(texts: list[str]) -> dict[str, str | None]:
    """``owner/name`` or address → package, from ``owner/name``, ``owner/name=package`` or with a space."""
    from advisor.addresses import check_repository, github_repository

    found: dict[str, str | None] = {}
    for text in texts:
        repository, _, package = text.replace("=", " ").strip().partition(" ")
        found[check_repository(github_repository(repository) or repository)] = package.strip() or None
    return found


def _snapshot_of(repositories: list[str]) -> str | None:
    """The bundled snapshot that knows all of these; None: there is none."""
    from advisor.domain.files import data_folder
    from advisor.facts.reading import open_store

    for path in sorted((data_folder() / "snapshots").glob("*/manifest.json")):
        if set(repositories) <= set(open_store(path.parent).repositories()):
            return path.parent.name
    return None


def _question(title: str) -> str:
    return f"Which of the {title.lower()} should I build on?"


def _ask(domain: str, title: str, question: str | None) -> Draft:
    """The dialogue; what cannot be used is asked for again."""
    from advisor.domain.draft import CRITERIA, Draft, criteria_titles
    from advisor.errors import InputError

    title = typer.prompt("Title", default=title)
    question = typer.prompt("Question", default=question or _question(title))
    typer.echo("Candidates, one a line: owner/name or its address, then its package if there is one.")
    typer.echo("An empty line ends.")
    candidates: dict[str, str | None] = {}
    while True:
        line = typer.prompt(f"Candidate {len(candidates) + 1}", default="", show_default=False).strip()
        if not line and candidates:
            break
        try:
            candidates |= _candidates([line])
        except InputError as error:
            typer.echo(f"  {error}")
    default = _one_of("Default, which stays in a tie (empty: none)", list(candidates))
    reason = typer.prompt("Why that one", default="what we use today") if default else ""
    typer.echo(
        "Weights from 0 (does not count) up; only their ratios matter. Enter takes the one in brackets."
    )
    weights: dict[str, float] = {}
    while not any(weights.values()):
        for name, what in criteria_titles().items():
            weights[name] = _number(f"{what} ({name})", 1.0 if name in CRITERIA else 0.0)
    chosen = {name: weight for name, weight in weights.items() if weight}
    return Draft(domain, title, question, candidates, chosen, default, reason)


def _one_of(text: str, known: list[str]) -> str | None:
    while True:
        answer = str(typer.prompt(text, default="", show_default=False)).strip()
        hits = [k for k in known if answer in {k, k.split("/")[1]}]
        if not answer or hits:
            return hits[0] if answer else None
        typer.echo(f"  {answer!r} is not one of {', '.join(known)}")


def _number(text: str, default: float) -> float:
    while True:
        number: float = typer.prompt(text, default=default, type=float)
        if 0 <= number < float("inf"):
            return number
        typer.echo("  a weight is 0 or more")
