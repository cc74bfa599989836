"""The documents: every section that code cites exists, and every link of a page leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "config").rglob("README.md")),
    *sorted((ROOT / "tests").rglob("README.md")),
]
MADE = {
    ROOT / "docs" / "commands.md",
    ROOT / "docs" / "keys.md",
}  # when the book is built; tests/test_book.py follows links to them
CITING = [
    path
    for folder in ("dcac", "tests", "workflow", "config")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".smk", ".yaml") and path != Path(__file__)
]
NAMES = "|".join(path.stem for path in sorted((ROOT / "docs").glob("*.md")))
CITATION = re.compile(rf"\b({NAMES})\.md\b(?P<rest>[^\n]*)")


def sections(page):
    """Map the number of each heading of a page to its text, up to the next heading."""
    parts = re.split(r"^#{2,} (\d+(?:\.\d+)?)\.? .*$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchors(page):
    """List the anchors that a page's headings have on a code host."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def faults_of(text):
    """List the citations in a text that do not resolve: no section, an unknown one, or an unknown number in its table."""
    faults = []
    for citation in CITATION.finditer(text):
        known = sections(ROOT / "docs" / f"{citation[1]}.md")
        cited = re.findall(r"section (\d+(?:\.\d+)?)(?:, numbers? (\d+))?", citation["rest"])
        if not cited or any(
            section not in known or (number and f"\n| {number} |" not in known[section]) for section, number in cited
        ):
            faults.append(citation[0])
    return faults


def test_citations_are_found():
    """Guard of the next test: the pattern meets the known citations."""
    found = [path for path in CITING if CITATION.search(path.read_text(encoding="utf-8"))]
    assert ROOT / "dcac" / "losses" / "identity.py" in found
    assert len(found) >= 15


@pytest.mark.parametrize(
    ("text", "faulty"),
    [
        ("method.md section 2", False),
        ("method.md section 2; section 10.1, number 5.", False),
        ("method.md section 10.1, numbers 1 and 3", False),
        ("method.md says so", True),
        ("method.md section 99", True),
        ("method.md section 10.1, number 15", True),
        ("method.md section 2; section 77", True),
    ],
)
def test_a_dead_citation_is_seen(text, faulty):
    assert bool(faults_of(text)) == faulty


@pytest.mark.parametrize("path", CITING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_cited_section_exists(path):
    assert faults_of(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        if linked in MADE and page.parent == ROOT / "docs":
            continue
        assert linked.is_relative_to(ROOT) and linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}"


def test_no_test_needs_what_a_clone_lacks():
    """No path leads out of the checkout, and no file is skipped for lack of its cases."""
    outside = re.compile(r"\.\./shared|/ \"shared\"|not beside the project")
    assert [str(path) for path in CITING if outside.search(path.read_text(encoding="utf-8"))] == []
