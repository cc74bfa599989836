"""Safe archives, cards and the normalised file; how a run draws from it. readers/ knows layouts, imports/ brings sets in."""
