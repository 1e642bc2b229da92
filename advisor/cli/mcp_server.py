"""The tools and resources that `advisor mcp` offers to an agent; each one only reads."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import ToolAnnotations
from pydantic import AfterValidator, Field

from advisor.answers.question import ANY_LIBRARIES, Question, Request, find_candidate
from advisor.cli.mcp_plan import RunPlan, plan_short
from advisor.cli.options import RequestOptions, parse_date, store_or_default
from advisor.errors import AdvisorError, InputError, UnknownName
from advisor.metrics import METRICS
from advisor.report import agent, agent_answers
from advisor.version import __version__

INSTRUCTIONS = (
    "advisor ranks libraries by the measured health of their projects, offline, from dated facts. Ask it "
    "before you recommend or add a library. Report its verdict as it is: a tie is a tie, unknown is not a "
    "no. Name the as_of day. Scores run from 0 to 100; low and high are the bounds of what is possible."
)
_MOST_IN_MESSAGE = 600
_READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable characters")
    return text


Name = Annotated[str, Field(min_length=1, max_length=140), AfterValidator(_check_printable)]
Names = Annotated[list[Name], Field(max_length=40)]
PathName = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_check_printable)]
Libraries = Annotated[Names | None, Field(description="Compare only these: owner/name, or the name alone.")]
DomainName = Annotated[
    PathName | None,
    Field(description="A domain from the resource advisor://domains; finetuning without any."),
]
Goal = Annotated[Name | None, Field(description="A goal of the domain, for example independence.")]
AsOf = Annotated[Name | None, Field(description="Only facts up to this day, YYYY-MM-DD.")]
Weights = Annotated[
    dict[Name, float] | None,
    Field(description="Criterion → weight ≥ 0, in place of the goal's.", max_length=40),
]
Full = Annotated[bool, Field(description="All of the answer; it may be long.")]


def _report_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn every error into one sentence for the agent."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (AdvisorError, OSError, UnicodeError) as error:
            raise ToolError(str(error)[:_MOST_IN_MESSAGE]) from None
        except Exception as error:  # noqa: BLE001 - an agent gets a sentence, whatever happens
            print(f"advisor: {type(error).__name__}: {error}", file=sys.stderr)
            raise ToolError(f"internal error of advisor: {type(error).__name__}") from None

    return call


def build_server() -> MCPServer[Any]:
    """Return the server with its tools and resources."""
    server: MCPServer[Any] = MCPServer(
        "advisor", title="advisor", instructions=INSTRUCTIONS, version=__version__, log_level="ERROR"
    )
    for function in (recommend, compare, explain, check_dependencies, check_upgrade, plan_run):
        server.tool(annotations=_READS, structured_output=True)(_report_errors(function))
    server.resource(
        "advisor://domains", title="What can be asked", mime_type="application/json",
        description="The domains with their goals and candidates.",
    )(list_domains)  # fmt: skip
    server.resource(
        "advisor://domains/{name}", title="One domain", mime_type="application/json",
        description="Criteria, goals with their weights, candidates and rivals of a domain.",
    )(read_domain)  # fmt: skip
    return server


def recommend(
    domain: DomainName = None,
    libraries: Libraries = None,
    category: Annotated[
        Name | None, Field(description='A category of public lists, as "Web Frameworks".')
    ] = None,
    goal: Goal = None,
    as_of: AsOf = None,
    weights: Weights = None,
    full: Full = False,
) -> agent_answers.Advice:
    """Recommend one of several libraries, with bounds, reasons, doubts and what would change the order."""
    from advisor.answers.recommend import recommend as answer

    question = _ask(_build(domain, goal, as_of, weights, libraries, category=category))
    return agent.shorten_recommendation(answer(question), _facts(question), full=full)


def compare(
    first: Name,
    second: Name,
    domain: DomainName = None,
    goal: Goal = None,
    as_of: AsOf = None,
    full: Full = False,
) -> agent_answers.Pair:
    """Compare two libraries, criterion by criterion, and say what would reverse their order."""
    from advisor.answers.compare import compare as answer

    question = _ask(_build(domain, goal, as_of, None, [first, second]))
    return agent.shorten_comparison(answer(question), _facts(question), full=full)


def explain(
    library: Name,
    metric: Annotated[Name | None, Field(description="Only this metric, with its definition.")] = None,
    domain: DomainName = None,
    goal: Goal = None,
    as_of: AsOf = None,
    full: Full = False,
) -> agent_answers.Numbers:
    """Show the numbers behind the score of a library, each with interval, days and sources."""
    from advisor.answers.explain import explain as answer
    from advisor.answers.recommend import recommend as rank

    if metric is not None and metric not in METRICS:
        raise UnknownName("metric", metric, list(METRICS))
    request = _build(domain, goal, as_of, None, [library], selects=False)
    question = _ask(request)
    is_any = request.domain == ANY_LIBRARIES
    candidate = question.candidates[0] if is_any else find_candidate(question.candidates, library)
    explanation = answer(question, rank(question), candidate.repository)
    return agent.shorten_explanation(explanation, _facts(question), metric=metric, full=full)


def check_dependencies(
    files: Annotated[
        list[PathName],
        Field(min_length=1, max_length=20, description="Requirements, lock files or SBOMs on this machine."),
    ],
    goal: Goal = None,
    as_of: AsOf = None,
    fail_under: Annotated[
        float | None, Field(ge=0, le=100, description="A lower score counts as at risk.")
    ] = None,
    full: Full = False,
) -> agent_answers.PackageList:
    """Score the dependencies that files name, the riskiest first, with healthier alternatives."""
    from advisor.answers.dependencies.files import read_dependencies
    from advisor.answers.dependencies.health import bundled_stores, open_stores, rank_dependencies

    dependencies = read_dependencies([_regular_file(name) for name in files])
    stores = open_stores([store_or_default(None), *bundled_stores()])
    request = Request("dependencies", goal=goal, as_of=parse_date(as_of))
    answer = rank_dependencies(dependencies, stores, request, files)
    facts = agent.hash_facts(store for store in stores if store.manifest.get("as_of"))
    return agent.shorten_dependencies(answer, facts, fail_under, full=full)


def check_upgrade(
    library: Name,
    old: Annotated[Name, Field(description="The version in use, or its series.")],
    new: Annotated[
        Name | None, Field(description="The version to upgrade to; the newest without it.")
    ] = None,
    code: Annotated[
        PathName | None, Field(description="Folder of Python code: only what it uses, and where.")
    ] = None,
    as_of: AsOf = None,
    full: Full = False,
) -> agent_answers.UpgradeCheck:
    """Say which public names break between two releases of a library, and where code uses them."""
    from advisor.answers.code_uses import find_uses
    from advisor.answers.dependencies.health import bundled_stores, open_stores
    from advisor.answers.upgrade import find_library, read_upgrade

    stores = open_stores([store_or_default(None), *bundled_stores()])
    facts = find_library(library, stores, parse_date(as_of))
    upgrade = read_upgrade(facts, old, new)
    uses, notes = find_uses(Path(code), upgrade) if code else (None, [])
    upgrade = replace(upgrade, notes=(*upgrade.notes, *notes))
    return agent.shorten_upgrade(upgrade, uses, agent.hash_facts([facts.store]), full=full)


def plan_run(
    data: Annotated[PathName, Field(description="Rows to train on: a JSONL, JSON, CSV or Parquet file.")],
    model: Annotated[PathName, Field(description="Folder of the base model on this machine.")],
    stack: Annotated[
        Name | None, Field(description="Library that trains; the recommended one without it.")
    ] = None,
    preset: Annotated[Name | None, Field(description="gpu-poor, quality or quick.")] = None,
    method: Annotated[Name | None, Field(description="full, lora or qlora.")] = None,
) -> RunPlan:
    """Plan a fine-tuning run on this machine: memory and time, problems in the data, the command."""
    if not Path(model).is_dir():
        raise InputError(f"no folder {model}: plan_run reads only models on this machine")
    return plan_short(str(_regular_file(data)), model, stack, preset, method)


def list_domains() -> dict[str, Any]:
    """Return the domains, and how to name a category."""
    from advisor.domain.domain import available_domains, load_domain

    domains = [load_domain(name) for name in available_domains()]
    return {
        "domains": [
            {"name": d.name, "title": d.title, "goals": list(d.goals),
             "candidates": [c.repository for c in d.candidates]}
            for d in domains
        ],
        "more": f"any libraries by name (domain {ANY_LIBRARIES}), or a category of public lists",
    }  # fmt: skip


def read_domain(name: str) -> dict[str, Any]:
    """Return a bundled domain: criteria with their metrics, goals with their weights, candidates, rivals."""
    from advisor.domain.domain import available_domains, load_domain

    if name not in available_domains():
        raise ResourceError(str(UnknownName("domain", name[:140], available_domains())))
    domain = load_domain(name)
    return {
        "name": domain.name,
        "question": domain.question,
        "default": domain.default,
        "criteria": {c.name: [s.metric for s in c.scales] for c in domain.criteria},
        "goals": {n: {"title": g.title, "weights": dict(g.weights)} for n, g in domain.goals.items()},
        "candidates": [c.repository for c in domain.candidates],
        "rivals": [c.repository for c in domain.rivals],
    }


def _build(
    domain: str | None,
    goal: str | None,
    as_of: str | None,
    weights: dict[str, float] | None,
    libraries: list[str] | None,
    *,
    selects: bool = True,
    category: str | None = None,
) -> Request:
    """Return the request as the command line builds it, with the user's own facts if they cover it."""
    texts = [f"{name}={weight}" for name, weight in (weights or {}).items()]
    options = RequestOptions(domain, goal, as_of, texts or None)
    return options.build_request(libraries, selects=selects, category=category)


def _ask(request: Request) -> Question:
    from advisor.answers.any_question import read_any_request

    return read_any_request(request)


def _facts(question: Question) -> tuple[agent_answers.Facts, ...]:
    return agent.hash_facts(view.store for view in question.views)


def _regular_file(name: str) -> Path:
    """Return the path of a regular file: a device or a pipe would never end."""
    path = Path(name)
    if path.exists() and not path.is_file():
        raise InputError(f"{name} is not a file")
    return path
