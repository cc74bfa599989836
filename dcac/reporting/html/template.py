"""Fill the templates of this folder; a page holds its style, scripts and data within itself and asks for nothing."""

import hashlib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIBRARIES = (
    "vega.min.js",
    "vega-lite.min.js",
    "vega-embed.min.js",
    "tablesort.min.js",
    "tablesort.number.min.js",
)
LICENCES = "vendor/LICENCES.txt"


def fill(name: str, **values: Any) -> str:
    """Fill a template; texts are escaped.

    Args:
        name: file of this folder.
        values: what the template calls by name.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(values)


def libraries() -> str:
    """Return the libraries of a page with charts and tables, without their references to files for debugging."""
    lines = [line for name in LIBRARIES for line in read(f"vendor/{name}").splitlines()]
    return "\n".join(line for line in lines if not line.startswith("//# sourceMappingURL"))


def read(name: str) -> str:
    """Return the text of a file of this folder."""
    return (HERE / name).read_text(encoding="utf-8")


def look() -> str:
    """Hash the templates, styles and libraries of this folder: what a page shows beside what Python computes."""
    files = [path for path in sorted(HERE.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc")]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]
