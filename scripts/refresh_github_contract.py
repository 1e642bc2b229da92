"""Cut what the fake GitHub needs out of GitHub's own GraphQL schema and OpenAPI.

Usage: npm install @octokit/graphql-schema @octokit/openapi, then
python scripts/refresh_github_contract.py node_modules. It fails if a query of ours is not valid
against the whole schema, so a change at GitHub is seen here first.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLSchema,
    Source,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_ast_schema,
    get_named_type,
    is_abstract_type,
    is_input_object_type,
    parse,
    print_ast,
    validate,
    visit,
)
from graphql.language import ast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from advisor.collect.github import queries

OUT = Path(__file__).resolve().parents[1] / "tests/fake_github/contract"
POSSIBLE = frozenset({"Actor", "RepositoryOwner"})  # all their types stay: a person may be any of them
PATHS = (
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/issues",
    "/repos/{owner}/{repo}/issues/{issue_number}",
    "/repos/{owner}/{repo}/issues/{issue_number}/comments",
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
    "/repos/{owner}/{repo}/releases",
    "/repos/{owner}/{repo}/stargazers/count",
    "/orgs/{org}",
    "/users/{username}",
)
# Optional properties that are served; all others are left out, and with them what they refer to.
SERVED = frozenset(
    {"author_association", "body", "company", "is_verified", "merged_at", "name", "published_at", "pull_request", "spdx_id",
     "state_reason", "submitted_at", "subscribers_count", "organization"}
)  # fmt: skip
PROSE = frozenset(
    {"description", "example", "examples", "title", "x-github", "externalDocs", "tags", "deprecated"}
)


def documents() -> list[str]:
    """Every document that the collector can send, once."""
    every = {kind: queries.Page(10, since="2026-01-01T00:00:00Z") for kind in queries.KINDS}
    backwards = {kind: replace(page, is_ascending=False) for kind, page in every.items()}
    kinds = ("issue", "change_request", "discussion")
    return [
        queries.overview({"r0": ("o", "n"), "r1": ("o", "m")}).query,
        queries.pages("o", "n", every).query,
        queries.pages("o", "n", backwards).query,
        queries.responses("o", "n", {f"t{i}": (k, i, None) for i, k in enumerate(kinds)}).query,
    ]


def cut_schema(text: str) -> str:
    """The part of the schema that our documents touch."""
    whole = parse(Source(text), no_location=True)
    # GitHub's file defines two fields twice, which the validation of schemas forbids.
    schema = build_ast_schema(whole, assume_valid=True, assume_valid_sdl=True)
    parsed = [parse(d) for d in documents()]
    for document in parsed:
        if errors := validate(schema, document):
            sys.exit("a query is not valid against GitHub's schema: " + "; ".join(map(str, errors)))
    used = _used_fields(schema, parsed)
    kept = _kept_types(schema, used)
    definitions = [d for d in (_cut(d, used, kept) for d in whole.definitions) if d is not None]
    cut = print_ast(ast.DocumentNode(definitions=tuple(definitions))) + "\n"
    again = build_ast_schema(parse(cut), assume_valid=True, assume_valid_sdl=True)
    for document in parsed:
        if errors := validate(again, document):
            sys.exit("the cut is too deep: " + "; ".join(map(str, errors)))
    return cut


def _used_fields(schema: GraphQLSchema, parsed: list[ast.DocumentNode]) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {}

    class Fields(Visitor):
        def enter_field(self, node: ast.FieldNode, *_: Any) -> None:
            parent = info.get_parent_type()
            if parent is not None and not node.name.value.startswith("__"):
                used.setdefault(parent.name, set()).add(node.name.value)

    for document in parsed:
        info = TypeInfo(schema)
        visit(document, TypeInfoVisitor(info, Fields()))
    return used


def _kept_types(schema: GraphQLSchema, used: dict[str, set[str]]) -> set[str]:
    kept: set[str] = set()

    def add(type_: Any) -> None:
        named = get_named_type(type_)
        if named.name in kept:
            return
        kept.add(named.name)
        if is_input_object_type(named):
            for field in named.fields.values():
                add(field.type)
        if is_abstract_type(named) and named.name in POSSIBLE:
            kept.update(t.name for t in schema.get_possible_types(named))

    for name, fields in used.items():
        add(schema.type_map[name])
        for field in fields:
            found = schema.type_map[name].fields[field]  # type: ignore[union-attr]  # `used` names types with fields alone
            add(found.type)
            for argument in found.args.values():
                add(argument.type)
    return kept


def _cut(definition: Any, used: dict[str, set[str]], kept: set[str]) -> Any:
    name = getattr(getattr(definition, "name", None), "value", None)
    if name not in kept:
        return None
    if isinstance(definition, ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode):
        interfaces = tuple(i for i in definition.interfaces or () if i.name.value in kept)
        wanted = used.get(name, set()).union(*(used.get(i.name.value, set()) for i in interfaces))
        fields = tuple({f.name.value: f for f in definition.fields or () if f.name.value in wanted}.values())
        fields = fields or tuple(f for f in definition.fields or () if f.name.value in {"login", "id"})[:1]
        return replace(definition, fields=fields, interfaces=interfaces, description=None)
    if isinstance(definition, ast.UnionTypeDefinitionNode):
        return replace(definition, types=tuple(t for t in definition.types or () if t.name.value in kept))
    return replace(definition, description=None)


def cut_openapi(whole: dict[str, Any]) -> dict[str, Any]:
    """Schemas of the answers that are served: required properties, and those of ``SERVED``."""
    paths = {
        p: whole["paths"][p]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        for p in PATHS
    }
    schemas: dict[str, Any] = {}

    def cut(value: Any) -> Any:
        if isinstance(value, list):
            return [cut(v) for v in value]
        if not isinstance(value, dict):
            return value
        if reference := value.get("$ref"):
            name = reference.rpartition("/")[2]
            if name not in schemas:
                schemas[name] = {}
                schemas[name] = cut(whole["components"]["schemas"][name])
            return {"$ref": f"#/components/schemas/{name}"}
        found = {}
        for key, inner in value.items():
            if key == "properties":
                wanted = set(value.get("required", ())) | SERVED
                found[key] = {k: cut(v) for k, v in inner.items() if k in wanted}
            elif key not in PROSE or not isinstance(inner, str | list):
                found[key] = cut(inner)
        return found

    return {"openapi": whole["openapi"], "paths": {p: cut(s) for p, s in paths.items()},
            "components": {"schemas": schemas}}  # fmt: skip


def main() -> None:
    """Write the cut files and where they come from."""
    modules = Path(sys.argv[1]) / "@octokit"
    sources = {
        "graphql-schema": modules / "graphql-schema/schema.graphql",
        "openapi": modules / "openapi/generated/api.github.com.json",
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "schema.graphql").write_text(cut_schema(sources["graphql-schema"].read_text()))
    cut = cut_openapi(json.loads(sources["openapi"].read_text()))
    (OUT / "openapi.json").write_text(json.dumps(cut, indent=0, sort_keys=True) + "\n")
    about = {}
    for name, made in (("graphql-schema", "schema.graphql"), ("openapi", "openapi.json")):
        package = json.loads((modules / name / "package.json").read_text())
        about[made] = {
            "package": f"@octokit/{name}",
            "version": package["version"],
            "licence": package["license"],
            "sha256_of_source": hashlib.sha256(sources[name].read_bytes()).hexdigest(),
            "sha256": hashlib.sha256((OUT / made).read_bytes()).hexdigest(),
        }
    (OUT / "about.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
