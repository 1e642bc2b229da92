"""The same measurements on Spark: the same SQL, transpiled, over the same Parquet files."""
