"""Data room: safe archives, one reader and one card per data set, and the normalised Parquet file."""
