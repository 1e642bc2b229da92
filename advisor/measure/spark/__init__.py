"""The same measurements on Spark: the same SQL texts, transpiled, over the same Parquet."""
