"""Points and nodes of a query by GitHub's published formula, worked out on the query itself.

Source: docs.github.com, "Rate limits and query limits for the GraphQL API". Its two examples are a
test. Connections that are only counted are taken to cost as well (the text does not say).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import GraphQLSchema, get_named_type
from graphql.language import ast


@dataclass
class Cost:
    connections: int = 0
    nodes: int = 0

    @property
    def points(self) -> int:
        return max(1, int(self.connections / 100 + 0.5))


def cost(schema: GraphQLSchema, document: ast.DocumentNode, variables: dict[str, Any]) -> Cost:
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, ast.FragmentDefinitionNode)}
    (operation,) = [d for d in document.definitions if isinstance(d, ast.OperationDefinitionNode)]
    found = Cost()

    def argument(node: ast.FieldNode, name: str) -> int | None:
        for given in node.arguments or ():
            if given.name.value == name:
                if isinstance(given.value, ast.VariableNode):
                    return variables.get(given.value.name.value)
                return int(given.value.value)
        return None

    def walk(selection: ast.SelectionSetNode, parent: Any, times: int) -> None:
        for node in selection.selections:
            if isinstance(node, ast.FragmentSpreadNode):
                fragment = fragments[node.name.value]
                walk(fragment.selection_set, schema.get_type(fragment.type_condition.name.value), times)
            elif isinstance(node, ast.InlineFragmentNode):
                walk(node.selection_set, schema.get_type(node.type_condition.name.value), times)
            elif not node.name.value.startswith("__") and node.selection_set:
                type_ = get_named_type(parent.fields[node.name.value].type)
                inner = times
                if type_.name.endswith("Connection"):
                    size = argument(node, "first") or argument(node, "last") or 0
                    found.connections += times
                    found.nodes += times * size
                    inner = times * size if size else times
                walk(node.selection_set, type_, inner)

    walk(operation.selection_set, schema.query_type, 1)
    return found
