"""k-reciprocal re-ranking, in blocks of rows."""
