"""A store's rows as Parquet files, a file for each table and day."""
