"""Hook of the book: pages and files that lie outside of docs/ and that a page links to, under their place in the repository.

A link such as `[cards](../config/datasets.yaml)` works in a clone; in the book it leads to a copy. Markdown files that
`PAGES` names become pages; every other linked file is copied.
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PAGES = {
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "config/README.md": "configuration.md",
    "config/suites/README.md": "suites.md",
    "tests/benchmarks/README.md": "benchmarks.md",
}
LINK = re.compile(r"\]\((?!https?:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"(^ *(`{3,})[^\n]*\n.*?^ *\2 *$)", flags=re.MULTILINE | re.DOTALL)
CODE_IN_TABLE = re.compile(r"`[^`\n]*`")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the files that any page links to."""
    for origin, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / origin)))
    linked = set()
    for file in files.documentation_pages():
        source = Path(file.abs_src_path) if file.abs_src_path else ROOT / "docs" / file.src_uri
        for link in LINK.finditer(_without_code(file.content_string)):
            linked.add(_origin(source, link["path"]))
    for origin in sorted(linked):
        if not origin.startswith("docs/") and origin not in PAGES and (ROOT / origin).is_file():
            files.append(File.generated(config, f"files/{origin}", abs_src_path=str(ROOT / origin)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to their place in the book, and write what differs between a code host's Markdown and the book's."""
    source = ROOT / next((origin for origin, name in PAGES.items() if name == page.file.src_uri), "docs/x")
    folder = os.path.dirname(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        origin = _origin(source, link["path"])
        place = PAGES.get(origin) or (origin.removeprefix("docs/") if origin.startswith("docs/") else f"files/{origin}")
        return f"]({os.path.relpath(place, folder or '.')}{link['anchor'] or ''})"

    parts = FENCE.split(markdown)
    texts = [LINK.sub(moved, _rows(part)) for part in parts[::3]]
    return "".join(
        text + (parts[3 * place + 1] if 3 * place + 1 < len(parts) else "") for place, text in enumerate(texts)
    )


def _origin(source: Path, path: str) -> str:
    """Path in the repository of what a page links to."""
    return os.path.relpath(source.parent / path, ROOT)


def _without_code(text: str) -> str:
    return FENCE.sub("", text)


def _rows(text: str) -> str:
    """Write `a\\|b` of a table as the book's Markdown wants it within code: without backslash."""
    lines = text.split("\n")
    return "\n".join(
        CODE_IN_TABLE.sub(lambda code: code[0].replace(r"\|", "|"), line) if line.startswith("|") else line
        for line in lines
    )
