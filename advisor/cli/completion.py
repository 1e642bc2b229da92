"""What the shell proposes after a part of a word: names of candidates, domains, goals, methods and more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import typer  # noqa: TC002 - typer reads these annotations


class _Name(str):
    """A name that a word in any case completes: Typer drops a name that does not start with the word."""

    __slots__ = ()

    def startswith(self, *_: Any) -> bool:
        """Return True: `_complete` has selected the name."""
        return True


def _complete(list_names: Callable[[typer.Context], Iterable[str]]) -> Callable[..., list[str]]:
    """Return a function for ``autocompletion=``; a name that cannot be read is not proposed."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        from advisor.errors import AdvisorError

        try:
            names = list(dict.fromkeys(list_names(ctx)))
        except AdvisorError:
            return []
        return [_Name(name) for name in names if name.lower().startswith(incomplete.lower())]

    return complete


def _domains_of(ctx: typer.Context) -> Iterator[Any]:
    """Yield the domain of the command line, else every bundled domain."""
    from advisor.domain.domain import available_domains, load_domain

    domain = ctx.params.get("domain")
    yield from map(load_domain, [domain] if domain else available_domains())


def _list_candidates(ctx: typer.Context) -> Iterator[str]:
    for domain in _domains_of(ctx):
        for entry in (*domain.candidates, *domain.rivals):
            yield entry.repository.split("/")[1]
            yield entry.repository


def _list_domains(_ctx: typer.Context) -> Iterable[str]:
    from advisor.domain.domain import available_domains

    return available_domains()


def _list_goals(ctx: typer.Context) -> Iterator[str]:
    for domain in _domains_of(ctx):
        yield from domain.goals


def _list_criteria(ctx: typer.Context) -> Iterator[str]:
    for domain in _domains_of(ctx):
        yield from (f"{criterion.name}=" for criterion in domain.criteria)


def _list_metrics(_ctx: typer.Context) -> Iterable[str]:
    from advisor.metrics import METRICS

    return METRICS


def _list_categories(_ctx: typer.Context) -> Iterator[str]:
    from advisor.answers.libraries import list_categories

    return (category.name for category in list_categories())


def _list_families(_ctx: typer.Context) -> Iterator[str]:
    from advisor.domain.families import load_families

    return (family.name for family in load_families())


def _list_vendors(_ctx: typer.Context) -> Iterator[str]:
    from advisor.domain.families import load_families

    return (family.vendor for family in load_families())


def _list_training_methods(_ctx: typer.Context) -> Iterator[str]:
    from finetune.methods import METHODS

    return (method.name for method in METHODS)


def _list_required_methods(_ctx: typer.Context) -> Iterable[str]:
    from advisor.domain.capabilities import METHODS

    return METHODS


def _list_hardware(_ctx: typer.Context) -> Iterable[str]:
    from advisor.domain.capabilities import HARDWARE

    return HARDWARE


def _list_licenses(_ctx: typer.Context) -> Iterable[str]:
    from advisor.decide.requirements import LICENSES

    return LICENSES


def _list_backer_kinds(_ctx: typer.Context) -> Iterator[str]:
    from advisor.domain.organisations import load_organisations

    return (organisation.kind.replace(" ", "-") for organisation in load_organisations().values())


def _list_stacks(_ctx: typer.Context) -> Iterable[str]:
    from finetune.stacks import STACKS

    return STACKS


def _list_presets(_ctx: typer.Context) -> Iterable[str]:
    from finetune.spec import PRESETS

    return PRESETS


candidates = _complete(_list_candidates)
domains = _complete(_list_domains)
goals = _complete(_list_goals)
criteria = _complete(_list_criteria)
metrics = _complete(_list_metrics)
categories = _complete(_list_categories)
families = _complete(_list_families)
vendors = _complete(_list_vendors)
training_methods = _complete(_list_training_methods)
required_methods = _complete(_list_required_methods)
hardware = _complete(_list_hardware)
licenses = _complete(_list_licenses)
backer_kinds = _complete(_list_backer_kinds)
stacks = _complete(_list_stacks)
presets = _complete(_list_presets)
