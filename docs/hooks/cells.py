"""Words in the tables of generated pages."""

import html
import re


def cell(text: str) -> str:
    """Write a text as a cell of a table: no sign of it, but for code between backticks, means anything."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        part if part.startswith("`") else re.sub(r"([\\|*_\[\]])", r"\\\1", html.escape(part, quote=False))
        for part in parts
    )
