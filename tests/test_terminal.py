"""A bar for a terminal, silence for a file."""

import io

from dcac.terminal import terminal_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


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
