"""Feature files, and the steps that make them: of trained runs and of references."""
