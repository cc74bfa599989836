"""The report of the smoke suite in a real browser: no fault, no request, tables sort, numbers open."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60  # seconds that an answer may take


class Browser:
    """One page of a headless Chromium, spoken to over two pipes."""

    def __init__(self, profile: Path):
        ask, self._out = os.pipe()
        self._in, answer = os.pipe()
        words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        words += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]

        def place():  # the ends that Chromium speaks through are its descriptors 3 and 4
            import fcntl

            read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ask, answer))
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            words, preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(ask)
        os.close(answer)
        self._buffer, self._number, self.events = b"", 0, []
        (target,) = [t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session = None
        self._session = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, page: Path, *, width: int) -> None:
        """Open a file at a width in pixels and wait until it is loaded."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        self.until("document.readyState === 'complete'")

    def ask(self, expression: str):
        """Return the value of an expression of JavaScript."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.ask(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=13, **text)

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console, exceptions included."""
        self.ask("1")
        found = []
        for event in self.events:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]))
            if event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning"):
                found.append(str(event["params"]["args"]))
            if event["method"] == "Log.entryAdded":
                found.append(event["params"]["entry"]["text"])
        return found

    def requests(self) -> list[str]:
        """Return the addresses that were asked for, but for what the page holds itself."""
        sent = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._out)
        os.close(self._in)

    def _call(self, method: str, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def _read(self) -> dict:
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 16)
            assert part, "the browser ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser, where the machine has one."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here")
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


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
