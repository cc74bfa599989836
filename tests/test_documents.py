"""The documents: every section that code cites exists, and every link of a page leads somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from dcac.cli import app

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


def typed(page):
    """List the lines of a page's blocks and code that begin with `dcac`, without comments."""
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^(?: {4})?(dcac [a-z_].*)$", text, flags=re.MULTILINE) + re.findall(
        r"`(dcac [a-z_][^`]*)`", text
    )
    return [re.sub(r"\s+#.*", "", line) for line in lines]


def unknown_words(line):
    """List the words of a command line that are no command and no option of it."""
    command, words = typer.main.get_command(app), shlex.split(line)[1:]
    while hasattr(command, "commands") and words:
        if words[0] not in command.commands:
            return [words[0]] if re.fullmatch("[a-z_]+", words[0]) else []  # else several in one, as `dcac a | b`
        command, *words = (command.commands[words[0]], *words[1:])
    known = {"--help"} | {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


def test_a_wrong_command_is_seen():
    assert unknown_words("dcac score F.npz --out S.json") == []
    assert unknown_words("dcac scroe F.npz") == ["scroe"] and unknown_words("dcac data fetch MA --foo") == ["--foo"]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_command_of_a_page_exists(page):
    assert {line: words for line in typed(page) if (words := unknown_words(line))} == {}


def test_the_readme_is_one_screen_with_the_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 90
    assert "    pip install -e . && snakemake --cores all" in lines
    command = next(line.strip() for line in lines if line.endswith("&& pytest"))
    installed, _, tested = command.partition(" && ")
    last = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()[-1]
    assert last.startswith(installed) and last.endswith(tested), "continuous integration types the README's command"


def test_every_page_has_its_place_in_the_book():
    places = re.findall(r"^ *- .*?([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert pages - set(places) == set(), "give it a line under `nav:` in mkdocs.yml"
    assert len(places) == len(set(places))


def test_no_test_needs_what_a_clone_lacks():
    """No path leads out of the checkout, and no file is skipped for lack of its cases."""
    outside = re.compile(r"\.\./shared|/ \"shared\"|not beside the project")
    assert [str(path) for path in CITING if outside.search(path.read_text(encoding="utf-8"))] == []
