"""The Python interface: arguments as callers write them, and answers that show themselves.

`advisor.recommend` returns a `Recommendation` of this module: the values of `advisor.model`, and the reports
as methods.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, replace
from datetime import UTC, date, datetime
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor import model
from advisor.answers import compare, explain
from advisor.answers.question import Request
from advisor.decide.requirements import NO_REQUIREMENTS, Requirements
from advisor.errors import InputError
from advisor.report.formats import Format

if TYPE_CHECKING:
    import plotly.graph_objects as go

BUNDLED_STORE = "bundled"


@dataclass(frozen=True, repr=False)
class Recommendation(model.Recommendation):
    """The answer, with everything behind it. `print` shows the report; a notebook shows a card.

    Attributes:
        choice: the recommended repository; None if no candidate is suitable.
        certainty: ``clear`` (the first by score wins ≥ 80 % of the draws), ``leaning`` (≥ 60 %) or ``tie``;
            ``only`` if there is no other candidate to compare, ``none`` without a choice.
        reasons, doubts: sentences with the numbers in them.
        leaving_default: where each other candidate is better or worse than the default, in sentences; only
            where the bounds are apart.
        ranking: the best first; candidates that are excluded or have no score last.
        missing: candidates that could not be measured → why.
        rivals: known rivals of the domain that could not be compared → why.
        sources: where the figures come from and up to which day, and how to refresh them, in sentences.
        pairwise: repository → other repository → share of the samples in which the first scores higher.
        flips: smallest changes that would put another candidate first, the smallest first.
        requirement_notes: what the user's requirements cost, and which of them could not be checked.
        benchmarks: figures that `advisor bench` measured, newest first.
        open_questions: requirements of which nobody knows whether the choice meets them; with one, the
            choice is not ``clear``.
    """

    # Not a field, so that it is not part of the answer's JSON and equality; `replace` passes it on.
    request: InitVar[Request | None] = None

    def __post_init__(self, request: Request | None) -> None:
        object.__setattr__(self, "request", request)

    def __str__(self) -> str:
        """Return the report that `advisor rank` prints."""
        from advisor.report.ranking import render

        return render(self, Format.table)

    def _repr_html_(self) -> str:
        from advisor.report.ranking.card import render

        return render(self)

    def plot(self) -> go.Figure:
        """Return a figure of the scores with their bounds, best first.

        Raises:
            InputError: plotly is not installed; the extra ``plot`` has it.
        """
        from advisor.report.ranking.plot import draw_scores

        return draw_scores(self)

    def explain(self, name: str) -> Explanation:
        """Return every number behind the score of a candidate; `print` shows the report.

        Args:
            name: ``owner/name``, or the name alone.

        Raises:
            InputError: no candidate has this name, or it could not be ranked.
            FactsError: there are no usable facts.
        """
        from advisor.answers.any_question import read_any_request
        from advisor.answers.question import find_candidate

        question = read_any_request(self._read_request())
        repository = find_candidate(question.candidates, _read_text("name", name)).repository
        return Explanation(**vars(explain.explain(question, self, repository)))

    def compare(self, first: str, second: str) -> Comparison:
        """Return two candidates side by side; `print` shows the report.

        Args:
            first: ``owner/name``, or the name alone.
            second: the other one.

        Raises:
            InputError: there are no two candidates with these names, or one could not be measured.
            FactsError: there are no usable facts.
        """
        from advisor.answers.any_question import read_any_request

        names = (_read_text("first", first), _read_text("second", second))
        question = read_any_request(replace(self._read_request(), repositories=names, category=None))
        return Comparison(**vars(compare.compare(question)))

    def _read_request(self) -> Request:
        request: Request | None = vars(self)["request"]
        if request is None:
            raise InputError("this recommendation has no request: use one that advisor.recommend returned")
        return request


@dataclass(frozen=True, repr=False)
class Explanation(explain.Explanation):
    """A ranked candidate with the evidence for its measurements.

    Attributes:
        ranked: the candidate with its scores, findings and measurements.
        tables: the fact tables that have rows of it.
        models: the model families that it supports, each with its evidence.
        benchmarks: what `advisor bench` measured of it.
    """

    def __repr__(self) -> str:
        return f"<Explanation as of {self.as_of}: {self.ranked!r}>"

    def __str__(self) -> str:
        """Return the report that `advisor explain` prints."""
        from advisor.report.explain import render

        return render(self, Format.table)

    def _repr_markdown_(self) -> str:
        from advisor.report.explain import render

        return render(self, Format.markdown)


@dataclass(frozen=True, repr=False)
class Comparison(compare.Comparison):
    """Two candidates side by side, and what would reverse their order.

    Attributes:
        first, second: the candidates, in the order of the question.
        sources: where the figures come from and up to which day, in sentences.
        flips: changes of one weight or one value that put the other candidate ahead; first the changes of
            weights, then those of values, each the smallest first.
    """

    def __repr__(self) -> str:
        return f"<Comparison as of {self.as_of}: {self.first!r}, {self.second!r}>"

    def __str__(self) -> str:
        """Return the report that `advisor compare` prints."""
        from advisor.report.compare import render

        return render(self, Format.table)

    def _repr_markdown_(self) -> str:
        from advisor.report.compare import render

        return render(self, Format.markdown)


def recommend(arguments: Mapping[str, Any]) -> Recommendation:
    """Answer the request of `advisor.recommend`, whose docstring has the arguments.

    Raises:
        InputError: an argument is unknown, malformed or out of range.
        FactsError: there are no usable facts.
    """
    from advisor.answers.any_question import read_any_request
    from advisor.answers.recommend import recommend as answer

    try:
        request = build_request(**arguments)
        return Recommendation(**vars(answer(read_any_request(request))), request=request)
    except OSError as error:
        raise InputError(f"cannot use {error.filename!r}: {error.strerror}") from error


def build_request(
    domain: Any,
    repositories: Any,
    goal: Any,
    as_of: Any,
    weights: Any,
    rules: Any,
    store: Any,
    requirements: Any,
    category: Any,
) -> Request:
    """Return the request, from arguments of any type.

    Raises:
        InputError: an argument has a type or a value that it cannot have.
    """
    from advisor.answers.any_question import choose_domain

    if requirements is not None and not isinstance(requirements, Requirements):
        raise _wrong(
            "requirements", requirements, 'advisor.Requirements, for example Requirements(method="qlora")'
        )
    names = _read_names(repositories)
    category = _read_text("category", category)
    domain_path = _read_path("domain", domain)
    return Request(
        domain=choose_domain(None if domain_path is None else str(domain_path), names, category),
        repositories=names,
        goal=_read_text("goal", goal),
        as_of=_read_day(as_of),
        weights=None if weights is None else _read_weights(weights),
        rules=_read_path("rules", rules),
        store=None if isinstance(store, str) and store == BUNDLED_STORE else _read_path("store", store),
        requirements=requirements or NO_REQUIREMENTS,
        category=category,
    )


def _wrong(name: str, value: object, form: str) -> InputError:
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a foreign object may raise anything
        text = type(value).__name__
    text = text if len(text) <= 80 else f"{text[:80]}…"
    return InputError(f"invalid {name} {text}: expected {form}")


def _is_text(value: Any) -> bool:
    """Return whether this is a text that is not empty, without control characters and lone surrogates."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _read_text(name: str, value: Any) -> Any:
    """Return a text, or None."""
    if value is None or _is_text(value):
        return value
    raise _wrong(name, value, "a text of printable characters")


def _read_path(name: str, value: Any) -> Path | None:
    if value is None:
        return None
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        if _is_text(path):
            return Path(path)
    raise _wrong(name, value, "a name or a path (str or Path)")


def _read_names(value: Any) -> tuple[str, ...]:
    """Return the names of repositories; a single one may be a text."""
    form = 'names of libraries, for example ["trl", "unsloth"]'
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
        raise _wrong("repositories", value, form)
    names = tuple(value)
    if not all(map(_is_text, names)):
        raise _wrong("repositories", names, form)
    return names


def _read_day(value: Any) -> date | None:
    """Return the day, in UTC if the value is a time with a zone."""
    form = "a date, a datetime or YYYY-MM-DD, for example 2024-06-05"
    if value is None or (isinstance(value, str) and value.strip().lower() == "today"):
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            moment = value.astimezone(UTC) if value.tzinfo is not None else value
            return date(moment.year, moment.month, moment.day)
    except (ValueError, TypeError, OverflowError):  # also of pandas' NaT
        raise _wrong("as_of", value, form) from None
    if isinstance(value, date):
        return value
    raise _wrong("as_of", value, form)


def _read_weights(value: Any) -> dict[str, float]:
    form = 'a mapping of criteria to numbers ≥ 0, for example {"models": 5}'
    if not isinstance(value, Mapping):
        raise _wrong("weights", value, form)
    weights: dict[str, float] = {}
    for name, weight in value.items():
        if not isinstance(name, str) or not isinstance(weight, Real):
            raise _wrong("weights", value, form)
        try:
            number = float(weight)
        except (ValueError, OverflowError):
            raise _wrong("weights", value, form) from None
        if weights.setdefault(name.strip().lower(), number) != number:
            raise _wrong("weights", value, form)
    return weights
