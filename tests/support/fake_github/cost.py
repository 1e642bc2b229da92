"""Points and nodes of a query by GitHub's published formula.

Source: docs.github.com, "Rate limits and query limits for the GraphQL API". Its two examples
are a test. A connection of which only the total is read counts too; the text does not say whether it does.
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


def compute_cost(schema: GraphQLSchema, document: ast.DocumentNode, variables: dict[str, Any]) -> Cost:
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, ast.FragmentDefinitionNode)}
    (operation,) = [d for d in document.definitions if isinstance(d, ast.OperationDefinitionNode)]
    total = Cost()

    def read_argument(node: ast.FieldNode, name: str) -> int | None:
        for argument_node in node.arguments or ():
            if argument_node.name.value == name:
                if isinstance(argument_node.value, ast.VariableNode):
                    return variables.get(argument_node.value.name.value)
                return int(argument_node.value.value)
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
                    size = read_argument(node, "first") or read_argument(node, "last") or 0
                    total.connections += times
                    total.nodes += times * size
                    inner = times * size if size else times
                walk(node.selection_set, type_, inner)

    walk(operation.selection_set, schema.query_type, 1)
    return total
