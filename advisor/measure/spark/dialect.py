"""SQL of DuckDB as Spark reads it: sqlglot's translation, and what it cannot know.

It does not know that our numbers with a point are doubles (Spark takes them for decimals of few places),
and that an epoch has microseconds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


@cache
def to_spark(sql: str) -> str:
    """One statement, transpiled.

    Raises:
        sqlglot.errors.SqlglotError: a construct has no counterpart.
    """
    import sqlglot
    from sqlglot import ErrorLevel

    tree = sqlglot.parse_one(sql, read="duckdb")
    return str(tree.transform(_known).sql(dialect="spark", unsupported_level=ErrorLevel.RAISE))


def _known(node: exp.Expression) -> exp.Expression:
    from sqlglot import exp

    if isinstance(node, exp.Literal) and not node.is_string and not node.is_int:
        return exp.Anonymous(this="double", expressions=[exp.Literal.string(node.this)])
    if isinstance(node, exp.CTE):
        node.set("materialized", None)  # a hint to DuckDB
    if isinstance(node, exp.TimeToUnix):
        stamp = exp.cast(node.this, exp.DataType.Type.TIMESTAMPLTZ)
        return exp.cast(stamp, exp.DataType.Type.DOUBLE)
    return node
