"""Pages to look at: tables as HTML, and the suite on one page."""
