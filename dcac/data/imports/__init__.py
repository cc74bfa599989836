"""Sets on their way in: added, read, verified, counted and written; what stands, and whether it is whole."""
