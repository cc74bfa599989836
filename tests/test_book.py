"""The book: it builds without a warning, says everything of commands and keys, and asks nothing of a network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer.main

from dcac.cli import app
from dcac.declared import completed
from dcac.settings import Settings

pytest.importorskip("material", reason="mkdocs is not installed: pip install -e '.[docs]'")
ROOT = Path(__file__).parents[1]
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}


class Page(HTMLParser):
    """The rows of tables, the headings and the loaded addresses of a page."""

    def __init__(self, path):
        super().__init__()
        self.rows, self.headings, self.loaded, self.text = [], [], [], None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in LOADED and values.get(LOADED[tag]) and values.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(values[LOADED[tag]])
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th", "h2", "h3"):
            self.text = ""

    def handle_data(self, data):
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.text.strip())
        elif tag in ("h2", "h3"):
            self.headings.append(self.text.strip(" ¶\n"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built book; a warning of any kind is an error."""
    folder = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def commands(group, words="dcac"):
    for name, command in group.commands.items():
        yield from commands(command, f"{words} {name}") if hasattr(command, "commands") else [f"{words} {name}"]


def test_every_command_has_its_place(site):
    headings = Page(site / "commands.html").headings
    known = set(commands(typer.main.get_command(app)))
    assert {heading for heading in headings if heading.startswith("dcac ")} == known and len(known) > 30


def test_every_key_has_a_meaning(site):
    rows = [row for row in Page(site / "keys.html").rows if row and row[0] != "key"]
    assert [row for row in rows if not row[-1]] == [], "write a comment beside the key in its model"
    assert set(completed(Settings).model_fields) <= {row[0] for row in rows}
    assert ["epochs", "whole number from 1", "60", "8"] in [row[:4] for row in rows]


def test_nothing_is_asked_of_a_network(site):
    pages = sorted(site.glob("*.html"))
    loaded = {address for page in pages for address in Page(page).loaded}
    assert any(address.endswith(".css") for address in loaded)
    assert [address for address in loaded if re.match(r"(https?:)?//", address)] == []


def test_the_search_works_from_a_disk(site, browser):
    browser.open(site / "index.html", width=1400)
    browser.ask("document.querySelector('.md-search__input').focus()")
    browser.write("re-ranking")
    found = "[...document.querySelectorAll('.md-search-result__link')].map((link) => link.href)"
    browser.until(f"{found}.length > 3")
    assert f"{(site / 'evaluation.html').as_uri()}#5-re-ranking" in browser.ask(found)
    assert browser.complaints() == []
    assert [address for address in browser.requests() if not address.startswith("file:")] == []


def test_links_that_leave_the_folder_of_the_book_lead_to_copies(site):
    assert (site / "files/tests/data/dataset_counts.csv").is_file()
    assert 'href="suites.html"' in (site / "keys.html").read_text(encoding="utf-8")
    assert "config/suites/README.md" not in (site / "index.html").read_text(encoding="utf-8")


def test_lists_are_lists(site):
    """Beside a code host's, the book's Markdown wants an empty line between a paragraph and a list."""
    run_in = {
        page.name: found
        for page in site.glob("*.html")
        if (found := re.findall(r"<p>[^<]*(?:<(?!/p>)[^<]*)*?\n[-*] [^\n]*", page.read_text(encoding="utf-8")))
    }
    assert run_in == {}
