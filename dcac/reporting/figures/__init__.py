"""One module a kind of figure, and the style they share."""
