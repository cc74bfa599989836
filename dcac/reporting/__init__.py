"""Records, tables and figures, made only from score files."""
