"""Spread work over this process and a few others, which end when it ends, however it ends."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

AHEAD = 2  # tasks that wait for each other process, so that none is idle while this one works
ORPHANED = 1  # exit code of a process whose parent is gone
Task = TypeVar("Task")
Result = TypeVar("Result")


def spread(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Do all tasks, this process as one of the workers.

    Args:
        work: sent to each of the other processes once, when it starts: what it holds should be small to send.
        tasks: sent one by one.
        workers: processes that work, 1 or more.
        progress: told after each task how many of how many are done.

    Returns:
        The results, in the order of the tasks.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers; give 1 or more")
    todo = deque(enumerate(tasks))
    total, results = len(todo), {}

    def note(number: int, result: Result) -> None:
        results[number] = result
        if progress is not None:
            progress(len(results), total)

    others = min(workers, total) - 1
    if others < 1:
        for number, task in todo:
            note(number, work(task))
        return [results[number] for number in range(total)]
    context = get_context("spawn")  # no open file or lock is shared with this process
    with ProcessPoolExecutor(others, context, initializer=_start, initargs=(work,)) as pool:
        try:
            running: dict[Future, int] = {}
            while todo or running:
                while todo and len(running) < AHEAD * others:
                    number, task = todo.popleft()
                    running[pool.submit(_work, task)] = number
                if todo:
                    number, task = todo.popleft()
                    note(number, work(task))
                done, _ = wait(running, timeout=0 if todo else None, return_when=FIRST_COMPLETED)
                for future in done:
                    note(running.pop(future), future.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [results[number] for number in range(total)]


_kept: Callable[[Any], Any]  # in another process: the work, sent once when it starts


def _start(work: Callable[[Any], Any]) -> None:
    global _kept
    _kept = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which says what happened
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """Wait for the parent to go: one that is killed tells nobody, and its workers would sleep for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(ORPHANED)


def _work(task: Any) -> Any:
    return _kept(task)
