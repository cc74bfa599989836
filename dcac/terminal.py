"""A progress bar for work that somebody waits for at a terminal."""

import sys
from collections.abc import Callable

DELAY = 1  # seconds before a bar appears, so that short work shows none


def terminal_bar(what: str) -> Callable[[int, int], None] | None:
    """Return a function that draws how many of how many are done, or None where nobody watches.

    Args:
        what: the step's name, shown before the bar.
    """
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bar = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(desc=what, total=total, delay=DELAY, leave=False)
        bar.update(done - bar.n)
        if done == total:
            bar.close()
            bar = None

    return show
