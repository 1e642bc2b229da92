"""Translate DuckDB's SQL to Spark's with sqlglot and two corrections.

sqlglot does not know that our numbers with a decimal point are doubles (Spark reads them as decimals with
few places), and that an epoch has microseconds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


@cache
def to_spark(sql: str) -> str:
    """Return one statement in Spark's SQL.

    Raises:
        sqlglot.errors.SqlglotError: Spark has no equivalent of a construct.
    """
    import sqlglot
    from sqlglot import ErrorLevel

    tree = sqlglot.parse_one(sql, read="duckdb")
    return str(tree.transform(_adapt_node).sql(dialect="spark", unsupported_level=ErrorLevel.RAISE))


def _adapt_node(node: exp.Expression) -> exp.Expression:
    from sqlglot import exp

    if isinstance(node, exp.Literal) and not node.is_string and not node.is_int:
        return exp.Anonymous(this="double", expressions=[exp.Literal.string(node.this)])
    if isinstance(node, exp.CTE):
        node.set("materialized", None)  # a hint for DuckDB only
    if isinstance(node, exp.TimeToUnix):
        stamp = exp.cast(node.this, exp.DataType.Type.TIMESTAMPLTZ)
        return exp.cast(stamp, exp.DataType.Type.DOUBLE)
    return node
