"""Every way to end has its exit code, and only success is said to be done."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest

STEP = """
import errno, os, sys, time
import typer
from dcac import cli
from dcac.training.journal import Stopped, StopSignal

class Odd(Exception):
    pass

def step(how: str):
    if how == "wait":
        try:
            print("waiting", flush=True)
            time.sleep(60)
        finally:
            print("closed", flush=True)
    if how == "stop":
        asked = StopSignal()
        print("waiting", flush=True)
        while not asked.asked:
            time.sleep(0.01)
        raise Stopped(f"stopped by {asked.asked}")
    if how == "print":
        for number in range(100_000):
            print(number)
    if how == "error":
        raise ValueError("x is wrong; correct it")
    if how == "silent":
        raise RuntimeError
    if how == "file":
        open("/no/such/file")
    if how == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "x")
    if how == "full-elsewhere":
        raise Odd("Error while serializing: I/O error: No space left on device (os error 28)")
    if how == "memory":
        raise MemoryError("Unable to allocate 5 GiB")
    if how == "check":
        raise typer.Exit(1)
    if how == "bug":
        raise Odd("nobody foresaw this")

cli.app.command("toy")(step)
cli.main()
"""


@pytest.fixture
def script(tmp_path):
    """A step that ends as it is told."""
    (tmp_path / "toy.py").write_text(textwrap.dedent(STEP))
    return [sys.executable, str(tmp_path / "toy.py")]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["toy", "well"], 0, "done in"),
        (["toy", "--help"], 0, ""),
        (["--help"], 0, ""),
        (["toy", "error"], 1, "dcac: error: x is wrong; correct it"),
        (["toy", "silent"], 1, "dcac: error: RuntimeError without a reason; set DCAC_DEBUG=1"),
        (["toy", "file"], 1, "dcac: error: /no/such/file: no such file or directory; correct the path"),
        (["toy", "full"], 1, "dcac: error: the disk, or your quota of it, is full"),
        (["toy", "full-elsewhere"], 1, "dcac: error: the disk, or your quota of it, is full"),
        (["toy", "memory"], 1, "dcac: error: the memory of this machine is used up (Unable to allocate 5 GiB)"),
        (["toy", "check"], 1, ""),
        (["toy", "bug"], 1, "Odd: nobody foresaw this"),
        (["toy"], 2, "Missing argument"),
        (["toy", "well", "--sed", "1"], 2, "No such option"),
        (["twin"], 2, "No such command"),
    ],
)
def test_every_ending_has_its_code_and_its_line(script, words, code, message):
    ended = subprocess.run([*script, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert message in ended.stderr
    assert ("done in" in ended.stderr) == (words == ["toy", "well"])
    assert ("Traceback" in ended.stderr) == (words[-1] == "bug")


@pytest.mark.parametrize(
    ("how", "sent", "code", "message"),
    [
        ("wait", signal.SIGINT, 130, "dcac: interrupted"),
        ("wait", signal.SIGTERM, 143, "dcac: terminated"),
        ("stop", signal.SIGTERM, 143, "dcac: error: stopped by SIGTERM"),
        ("stop", signal.SIGUSR1, 143, "dcac: error: stopped by SIGUSR1"),
    ],
)
def test_a_signal_ends_a_step_with_its_own_code(script, how, sent, code, message):
    pipe = subprocess.PIPE
    with subprocess.Popen([*script, "toy", how], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.05)
        process.send_signal(sent)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert message in err and "Traceback" not in err and "done in" not in err
    assert how == "stop" or out == "closed\n"


def test_a_reader_that_goes_is_met_in_silence(script):
    with subprocess.Popen([*script, "toy", "print"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 141
        assert process.stderr.read() == b""
