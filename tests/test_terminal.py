"""A bar for a terminal, silence for a file."""

import io
import subprocess
import sys

import pytest

from dcac.terminal import KEPT, _keep, screen, terminal_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("columns", "width"), [("0", 40), ("1", 40), ("100", 100)])
def test_tables_are_drawn_however_narrow_the_terminal_says_it_is(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    assert screen().width == width


def test_file_gets_no_bar(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert terminal_bar("score") is None


def test_terminal_gets_a_bar_for_each_piece_of_work(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("dcac.terminal.DELAY", 0)
    show = terminal_bar("score")
    for total in (120, 70):
        show(30, total)
        show(total, total)
        assert f"0/{total}" in terminal.getvalue()
    assert "score" in terminal.getvalue()


def logged(folder, *words):
    """Run a step with a log and return what is shown beside it."""
    command = [sys.executable, "-m", "dcac.cli", "--log", "logs/records/a.log", *words]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)


def test_log_holds_all_and_the_error_is_also_shown(tmp_path):
    ended = logged(tmp_path, "score", "absent.npz", "--out", "s.json")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("dcac: ") and "absent.npz" in ended.stderr
    assert ended.stderr in (tmp_path / "logs/records/a.log").read_text()


def test_earlier_attempts_keep_their_logs_though_the_file_is_deleted(tmp_path):
    log, attempts = tmp_path / "logs/records/a.log", tmp_path / "logs/records/.attempts"
    for name in ("first", "second"):
        logged(tmp_path, "score", f"{name}.npz", "--out", "s.json")
        log.unlink()  # as Snakemake does before each attempt
    assert "first.npz" in (attempts / "a.1").read_text() and "second.npz" in (attempts / "a.2").read_text()
    logged(tmp_path, "score", "third.npz", "--out", "s.json")
    logged(tmp_path, "score", "fourth.npz", "--out", "s.json")
    assert "third.npz" in log.read_text() and "fourth.npz" in log.read_text(), "by hand, a log grows"
    assert sorted(path.name for path in attempts.iterdir()) == ["a.1", "a.2", "a.3"]


def test_only_the_last_attempts_stay(tmp_path, monkeypatch):
    log = tmp_path / "a.log"
    for attempt in range(KEPT + 5):
        log.write_text(str(attempt))
        _keep(log)
        log.unlink()
    kept = sorted(int(path.read_text()) for path in (tmp_path / ".attempts").iterdir())
    assert kept == list(range(5, KEPT + 5))
