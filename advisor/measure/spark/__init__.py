"""The same measurements on Spark, which runs DuckDB in its tasks."""
