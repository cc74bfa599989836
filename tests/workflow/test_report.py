"""The report of the smoke suite in a real browser: no fault, no request, tables sort, numbers open."""

import json
import re

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def page(smoke):
    """The report of the smoke suite."""
    return smoke.folder / "results/report.html"


def test_the_page_is_small_and_says_what_was_made_from_what(smoke, page):
    assert page.stat().st_size < 2_000_000
    record = json.loads(page.with_suffix(".json").read_text())["made"]
    assert record["step"] == "dcac.reporting.report"
    assert "results/smoke/scores/dcac/smoke-a/seed1/smoke-b.json" in record["inputs"]


@pytest.mark.parametrize("width", [1400, 400])
def test_a_browser_finds_no_fault_and_asks_for_nothing(browser, page, width):
    browser.open(page, width=width)
    browser.ask("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    browser.ask("window.dispatchEvent(new Event('beforeprint'))")
    browser.until("[...document.querySelectorAll('.plot')].every((plot) => plot.dataset.drawn === 'done')")
    assert browser.ask("document.querySelectorAll('.plot svg').length") > 10
    assert browser.ask("[...document.images].every((image) => image.naturalWidth > 0 && image.alt)")
    drawn = "[...document.querySelectorAll('figure.drawn img')].map((image) => image.src.slice(0, 14))"
    assert browser.ask(drawn) == ["data:image/svg"]
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.ask("document.documentElement.scrollWidth") <= width, "only tables and lists scroll sideways"


def test_a_table_sorts_by_mouse_and_keyboard(browser, page):
    head = "document.querySelector('table.scores thead tr:last-child th:nth-child(2)')"
    names = "[...document.querySelectorAll('table.scores')[0].tBodies[0].rows].map((row) => row.cells[0].textContent)"
    numbers = (
        "[...document.querySelectorAll('table.scores')[0].tBodies[0].rows].map((row) => +row.cells[1].dataset.sort)"
    )
    browser.open(page, width=1400)
    before = browser.ask(names)
    browser.ask(f"{head}.click()")
    assert browser.ask(numbers) == sorted(browser.ask(numbers), reverse=True) and browser.ask(names) != before
    assert browser.ask(f"{head}.getAttribute('aria-sort')") == "descending"
    browser.ask(f"{head}.focus()")
    browser.press("Enter")
    assert browser.ask(numbers) == sorted(browser.ask(numbers))


def test_a_number_leads_to_what_stands_behind_it(browser, page):
    browser.open(page, width=1400)
    browser.ask("document.querySelector('table.scores tr.ours a').click()")
    place = "document.getElementById('score-baseline-smoke-a-smoke-b')"
    browser.until(f"{place}.closest('details').open")
    assert browser.ask("location.hash") == "#score-baseline-smoke-a-smoke-b"
    shown = browser.ask(f"{place}.innerText")
    assert "Best and worst query" in shown and "By pair of cameras" in shown and "images/s" in shown
    assert browser.ask(f"{place}.querySelectorAll('tbody')[0].rows.length") == 2, "a row a seed"
    assert browser.ask("document.querySelectorAll(\"a[href^='#']\").length") > 20
    dead = "[...document.querySelectorAll(\"a[href^='#']\")].filter((a) => !document.getElementById(a.hash.slice(1))).length"
    assert browser.ask(dead) == 0


def test_data_cards_are_printed_whether_they_are_open_or_not(browser, page):
    browser.open(page, width=1400)
    cards = "[...document.querySelectorAll('#data ~ details')].map((part) => part.open)"
    assert browser.ask(cards) == [False, False]
    browser.ask("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.ask(cards) == [True, True]


def test_snakemakes_own_report_has_titles_in_the_order_of_reading(smoke, tmp_path):
    out = tmp_path / "overview.html"
    smoke.snakemake("--report", str(out))
    text = out.read_text(encoding="utf-8")
    for words in (
        "1. The suite on one page",
        "2. Tables",
        "3. Figures",
        "Single-source generalisation",
        "dg_single.html",
    ):
        assert words in text
    assert "Read them in this order" in text and "dg_single.md" not in re.findall(r'"filename": "([^"]+)"', text)
