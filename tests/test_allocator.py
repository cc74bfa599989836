"""Freed memory is kept by a `dcac` process, unless its user has chosen otherwise."""

import os
import subprocess
import sys

import pytest

from dcac.allocator import OF_THE_USER

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
PROGRAM = """
import resource, sys
from dcac.allocator import keep_freed_memory
print(keep_freed_memory() if sys.argv[1] == "keep" else None)
def touch():
    block = bytearray(2**26)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(word, **environment):
    """Return what the function answers, and the page faults of five blocks of 64 MB after a first."""
    kept = {name: value for name, value in os.environ.items() if name not in (*OF_THE_USER, "GLIBC_TUNABLES")}
    command = [sys.executable, "-c", PROGRAM, word]
    result = subprocess.run(command, env=kept | environment, check=True, stdout=subprocess.PIPE, text=True)
    answer, count = result.stdout.split()
    return answer, int(count)


def test_blocks_are_used_again_without_page_faults():
    assert faults("leave")[1] > 16_000  # 64 MB are 16,384 pages of 4 kB
    answer, count = faults("keep")
    assert answer == "True" and count < 1_000


@pytest.mark.parametrize(
    "chosen", [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}]
)
def test_a_users_own_choice_stands(chosen):
    answer, count = faults("keep", **chosen)
    assert answer == "False" and count > 16_000


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    for name in (*OF_THE_USER, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    from dcac.allocator import keep_freed_memory

    assert keep_freed_memory() is False


def test_every_step_starts_with_it(monkeypatch):
    from dcac import cli

    called = []
    monkeypatch.setattr(cli, "keep_freed_memory", lambda: called.append(True))
    monkeypatch.setattr(cli.ending, "run", lambda _: 0)
    with pytest.raises(SystemExit):
        cli.main()
    assert called == [True]
