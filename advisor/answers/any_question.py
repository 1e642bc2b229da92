"""The question of a request: about the candidates of a domain, or any libraries by name or category."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.answers.question import (
    ANY_LIBRARIES,
    DEFAULT_DOMAIN,
    Question,
    Request,
    check_scales,
    read_request,
    read_rules,
    select_candidates,
    weights_of,
)
from advisor.domain.domain import load_domain
from advisor.errors import InputError
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store


def read_any_request(request: Request) -> Question:
    """Read a request; for the domain ``libraries`` it may name any libraries, or a category of public lists.

    The facts about these are the user's own, then the bundled ones, then the figures of public lists.

    Raises:
        InputError: something in the request is unknown, malformed or out of range.
        FactsError: there are no usable facts.
    """
    return _read_libraries(request) if request.domain == ANY_LIBRARIES else read_request(request)


def choose_domain(domain: str | None, names: Sequence[str], category: str | None = None) -> str:
    """Return the domain of a request that may not name it (see `libraries.find_domain`).

    Raises:
        InputError: there is a domain and a category.
    """
    if category is not None:
        if domain not in {None, ANY_LIBRARIES}:
            raise InputError("name a domain (--domain) or a category (--category), not both")
        return ANY_LIBRARIES
    if domain or not names:
        return domain or DEFAULT_DOMAIN
    from advisor.answers.libraries import find_domain

    return find_domain(names)


def find_missing_repositories(request: Request) -> list[str]:
    """Return the repositories of the libraries of a request that none of its stores has facts about.

    Raises:
        InputError: a library is unknown.
        FactsError: a store is damaged.
    """
    from advisor.answers.libraries import find_missing

    if request.domain == ANY_LIBRARIES:
        return find_missing(request.repositories, _open_stores(request))
    candidates = select_candidates(load_domain(request.domain), request.repositories)
    return find_missing([c.repository for c in candidates], _open_stores(request))


def find_unknown_packages(request: Request) -> list[tuple[str, str]]:
    """Return (ecosystem, package) of each name of a request that nothing on this machine knows.

    Raises:
        FactsError: a store is damaged.
    """
    from advisor.answers import libraries

    if request.domain != ANY_LIBRARIES:
        return []
    return libraries.find_unknown_packages(request.repositories, _open_stores(request))


def _open_stores(request: Request) -> list[Store]:
    """Open the stores of a request about any libraries, the user's own first."""
    from advisor.answers.dependencies.health import bundled_stores, open_stores

    paths = [request.store] if request.store else bundled_stores()
    return open_stores([request.own_store, *paths] if request.own_store else paths)


def _read_libraries(request: Request) -> Question:
    from advisor.answers.libraries import find_libraries

    if (request.category is None) == (not request.repositories):
        raise InputError("name libraries, or a category of the public lists (--category): one of the two")
    domain = load_domain(ANY_LIBRARIES)
    stores = [store for store in _open_stores(request) if store.manifest.get("as_of")]
    libraries = find_libraries(
        request.repositories, request.category, stores, request.as_of, request.population
    )
    goal, weights = weights_of(domain, request)
    check_scales(domain)
    views = libraries.views or tuple(FactsView(store, (), libraries.as_of) for store in stores[:1])
    if not views:
        raise InputError(f"no facts as of {libraries.as_of}; run `advisor collect` first")
    return Question(
        domain=domain.model_copy(update={"name": libraries.name}),
        facts=views[0],
        goal=goal,
        weights=weights,
        ruleset=read_rules(domain, request),
        candidates=libraries.candidates,
        requirements=request.requirements,
        others=views[1:],
        is_past=request.as_of is not None,
        notes=libraries.notes,
        outcomes=() if request.weights else domain.goals[goal].outcomes,
        population=request.population,
        is_backtest=request.is_backtest,
    )
