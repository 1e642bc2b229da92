"""Extract the parts of GitHub's GraphQL schema and OpenAPI that the fake GitHub needs.

Usage: npm install @octokit/graphql-schema @octokit/openapi, then
python scripts/refresh_github_contract.py node_modules. The script fails if one of our queries is not
valid against the complete schema, so it detects changes at GitHub.
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

OUT = Path(__file__).resolve().parents[1] / "tests/support/fake_github/contract"
POSSIBLE = frozenset({"Actor", "RepositoryOwner"})  # keep all their types, as an account may have any of them
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
# Optional properties that the fake serves; all others, and the schemas that only they use, are left out.
OPTIONAL_PROPERTIES = frozenset(
    {"author_association", "body", "company", "is_verified", "merged_at", "name", "published_at", "pull_request", "spdx_id",
     "state_reason", "submitted_at", "subscribers_count", "organization"}
)  # fmt: skip
PROSE = frozenset(
    {"description", "example", "examples", "title", "x-github", "externalDocs", "tags", "deprecated"}
)


def documents() -> list[str]:
    """Return every kind of document that the collector can send."""
    pages = {kind: queries.Page(10, since="2026-01-01T00:00:00Z") for kind in queries.KINDS}
    backwards = {kind: replace(page, is_ascending=False) for kind, page in pages.items()}
    kinds = ("issue", "change_request", "discussion")
    return [
        queries.build_overview_query({"r0": ("o", "n"), "r1": ("o", "m")}).query,
        queries.build_pages_query("o", "n", pages).query,
        queries.build_pages_query("o", "n", backwards).query,
        queries.build_responses_query("o", "n", {f"t{i}": (k, i, None) for i, k in enumerate(kinds)}).query,
    ]


def reduce_schema(text: str) -> str:
    """Return the part of the schema that our queries use."""
    whole = parse(Source(text), no_location=True)
    # GitHub defines two fields twice, so the schema itself is not validated.
    schema = build_ast_schema(whole, assume_valid=True, assume_valid_sdl=True)
    query_nodes = [parse(d) for d in documents()]
    for document in query_nodes:
        if errors := validate(schema, document):
            sys.exit("a query is not valid against GitHub's schema: " + "; ".join(map(str, errors)))
    fields_by_type = _collect_fields(schema, query_nodes)
    type_names = _collect_types(schema, fields_by_type)
    definitions = [
        d
        for d in (_reduce_definition(d, fields_by_type, type_names) for d in whole.definitions)
        if d is not None
    ]
    text = print_ast(ast.DocumentNode(definitions=tuple(definitions))) + "\n"
    reduced_schema = build_ast_schema(parse(text), assume_valid=True, assume_valid_sdl=True)
    for document in query_nodes:
        if errors := validate(reduced_schema, document):
            sys.exit("the extracted schema lacks a field: " + "; ".join(map(str, errors)))
    return text


def _collect_fields(schema: GraphQLSchema, documents: list[ast.DocumentNode]) -> dict[str, set[str]]:
    fields_by_type: dict[str, set[str]] = {}

    class Fields(Visitor):
        def enter_field(self, node: ast.FieldNode, *_: Any) -> None:
            parent = info.get_parent_type()
            if parent is not None and not node.name.value.startswith("__"):
                fields_by_type.setdefault(parent.name, set()).add(node.name.value)

    for document in documents:
        info = TypeInfo(schema)
        visit(document, TypeInfoVisitor(info, Fields()))
    return fields_by_type


def _collect_types(schema: GraphQLSchema, fields_by_type: dict[str, set[str]]) -> set[str]:
    type_names: set[str] = set()

    def add(type_: Any) -> None:
        inner_type = get_named_type(type_)
        if inner_type.name in type_names:
            return
        type_names.add(inner_type.name)
        if is_input_object_type(inner_type):
            for field in inner_type.fields.values():
                add(field.type)
        if is_abstract_type(inner_type) and inner_type.name in POSSIBLE:
            type_names.update(t.name for t in schema.get_possible_types(inner_type))

    for name, fields in fields_by_type.items():
        add(schema.type_map[name])
        for field in fields:
            field_type = schema.type_map[name].fields[field]  # type: ignore[union-attr]  # only types with fields
            add(field_type.type)
            for argument in field_type.args.values():
                add(argument.type)
    return type_names


def _reduce_definition(definition: Any, fields_by_type: dict[str, set[str]], type_names: set[str]) -> Any:
    name = getattr(getattr(definition, "name", None), "value", None)
    if name not in type_names:
        return None
    if isinstance(definition, ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode):
        interfaces = tuple(i for i in definition.interfaces or () if i.name.value in type_names)
        field_names = fields_by_type.get(name, set()).union(
            *(fields_by_type.get(i.name.value, set()) for i in interfaces)
        )
        fields = tuple(
            {f.name.value: f for f in definition.fields or () if f.name.value in field_names}.values()
        )
        fields = fields or tuple(f for f in definition.fields or () if f.name.value in {"login", "id"})[:1]
        return replace(definition, fields=fields, interfaces=interfaces, description=None)
    if isinstance(definition, ast.UnionTypeDefinitionNode):
        return replace(
            definition, types=tuple(t for t in definition.types or () if t.name.value in type_names)
        )
    return replace(definition, description=None)


def reduce_openapi(whole: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of the responses: required properties, and those of ``OPTIONAL_PROPERTIES``."""
    paths = {
        p: whole["paths"][p]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        for p in PATHS
    }
    schemas: dict[str, Any] = {}

    def reduce(value: Any) -> Any:
        if isinstance(value, list):
            return [reduce(v) for v in value]
        if not isinstance(value, dict):
            return value
        if reference := value.get("$ref"):
            name = reference.rpartition("/")[2]
            if name not in schemas:
                schemas[name] = {}
                schemas[name] = reduce(whole["components"]["schemas"][name])
            return {"$ref": f"#/components/schemas/{name}"}
        result = {}
        for key, inner in value.items():
            if key == "properties":
                names = set(value.get("required", ())) | OPTIONAL_PROPERTIES
                result[key] = {k: reduce(v) for k, v in inner.items() if k in names}
            elif key not in PROSE or not isinstance(inner, str | list):
                result[key] = reduce(inner)
        return result

    return {"openapi": whole["openapi"], "paths": {p: reduce(s) for p, s in paths.items()},
            "components": {"schemas": schemas}}  # fmt: skip


def main() -> None:
    """Write the extracted files and their sources."""
    modules = Path(sys.argv[1]) / "@octokit"
    sources = {
        "graphql-schema": modules / "graphql-schema/schema.graphql",
        "openapi": modules / "openapi/generated/api.github.com.json",
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "schema.graphql").write_text(reduce_schema(sources["graphql-schema"].read_text()))
    openapi = reduce_openapi(json.loads(sources["openapi"].read_text()))
    (OUT / "openapi.json").write_text(json.dumps(openapi, indent=0, sort_keys=True) + "\n")
    about = {}
    for name, file in (("graphql-schema", "schema.graphql"), ("openapi", "openapi.json")):
        package = json.loads((modules / name / "package.json").read_text())
        about[file] = {
            "package": f"@octokit/{name}",
            "version": package["version"],
            "licence": package["license"],
            "sha256_of_source": hashlib.sha256(sources[name].read_bytes()).hexdigest(),
            "sha256": hashlib.sha256((OUT / file).read_bytes()).hexdigest(),
        }
    (OUT / "about.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
