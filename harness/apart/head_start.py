"""``python -m harness test …``: as ``pytest …``, with the other process under way meanwhile.

Both need some of the same modules, so these are loaded before the processes part.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import runpy
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from harness import exit_codes

# Python's own 700 costs a run a tenth of its time, for next to nothing found.
ALLOCATIONS = 50_000


class Started(NamedTuple):
    """A process that has been started, and the connection to it."""

    process: int
    connection: socket.socket


_started: list[Started] = []


def run(arguments: Sequence[str]) -> NoReturn:
    """Be ``pytest`` with these arguments; its exit code is this process's."""
    gc.set_threshold(ALLOCATIONS)
    try:
        _be_pytest(arguments)
    except SystemExit as ended:
        leave(int(ended.code or 0))
    except KeyboardInterrupt:
        # While it loads or leaves, pytest has no word for it but a traceback.
        sys.stderr.write("interrupted\n")
        leave(exit_codes.INTERRUPTED)
    leave(exit_codes.PASSED)


def _be_pytest(arguments: Sequence[str]) -> None:
    if _tests(arguments):
        _started.append(start(arguments))
    from harness.plugin import companions

    companions.load(arguments)
    # As `python -m pytest` does, so that its messages name a command that there is.
    sys.argv[1:] = arguments
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


def is_under_way() -> bool:
    """Whether a process has been started ahead, and no run has taken it yet."""
    return bool(_started)


def take() -> Started | None:
    """Return the process that has been started ahead, once: it serves one run."""
    return _started.pop() if _started else None


def start(arguments: Sequence[str]) -> Started:
    """Start the process, for a run with these arguments; there must be no threads yet."""
    from harness.apart import foresight, messages  # noqa: F401 - both processes need them

    # What is not looked at for garbage is not copied: the processes go on sharing it.
    gc.freeze()
    here, there = socket.socketpair()
    # Who interrupts a run signals the whole group: what is under way is for the run to end.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (process := os.fork()) == 0:
        here.close()
        _be(there, arguments)
    signal.signal(signal.SIGINT, before)
    there.close()
    return Started(process, here)


def _be(connection: socket.socket, arguments: Sequence[str]) -> NoReturn:
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        from harness.apart import process

        process.serve(connection, arguments)
    except Exception as error:
        from harness.errors import place

        os.write(2, f"harness: the process that asks the probes broke: {place(error)}\n".encode())
    finally:
        os._exit(0)


def leave(code: int) -> NoReturn:
    """End this process, without taking everything that it holds apart."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _tests(arguments: Sequence[str]) -> bool:
    return any(each == "--env" or each.startswith("--env=") for each in arguments)
