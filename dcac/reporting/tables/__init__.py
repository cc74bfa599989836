"""What a table says, read from records, and how Markdown and LaTeX write it."""
