"""Child processes that never outlive the lab."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH"})
_BOUND = Path(__file__).with_name("bound_exec.py")
_POLL = 0.01
_TAIL = 4000


class ExitedError(Exception):
    """The process ended before it was asked to; carries the end of its log."""

    def __init__(self, pid: int, status: int, tail: str) -> None:
        """`status` as `Child.poll` gives it."""
        super().__init__(f"process {pid} ended with status {status}: {tail.strip() or 'no output'}")
        self.pid, self.status, self.tail = pid, status, tail


class Child:
    """One started process, the leader of its own session and process group."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """`start` makes these."""
        self._process = process
        self.pid = process.pid
        self.log = log

    def poll(self) -> int | None:
        """The exit status (negative: the signal), None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raise ExitedError, with the end of the log, when the process has ended."""
        status = self.poll()
        if status is not None:
            raise ExitedError(self.pid, status, tail(self.log))

    def wait_listening(self, address: str, port: int, timeout: float) -> None:
        """Wait until the process accepts connections.

        Raises ExitedError as soon as the process ends (whoever else may listen there), and
        TimeoutError, with the last error of connecting, after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            error = connect_error(address, port)
            self.check()
            if error is None:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{address}:{port} of process {self.pid}: {error}")
            time.sleep(_POLL)

    def send(self, number: int) -> None:
        """Send a signal to the process itself; nothing happens when it has ended."""
        if self.poll() is None:
            self._process.send_signal(number)

    def stop(self, timeout: float = 3.0, number: int = signal.SIGTERM) -> int:
        """Ask to end, KILL the whole group when the time is over; returns the exit status."""
        if self._process.returncode is None:
            self._to_group(number)
            self._wait_unreaped(timeout)
            # The leader is not reaped yet, so its number cannot belong to another group by now.
            self._to_group(signal.SIGKILL)
        return self._process.wait()

    def _to_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _wait_unreaped(self, timeout: float) -> None:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                select.select([handle], [], [], timeout)
            finally:
                os.close(handle)


def clean_environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a program needs to run, and nothing that redirects, trusts or configures.

    Left out are, among all others, proxies, CA bundles, AWS and PG variables and
    PYTHONDONTWRITEBYTECODE, which would make each import of MLflow four seconds slower.
    """
    return {name: value for name, value in base.items() if name in _KEPT}


def start(
    argv: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    user: int | None = None,
    cwd: Path | None = None,
    death_signal: int = signal.SIGKILL,
) -> Child:
    """Start a process that gets `death_signal` when this process dies, even by kill -9.

    Output is appended to `log`; `user` (as root only) is also its group. Any thread may call.
    Raises FileNotFoundError when there is no such program.
    """
    program = str(argv[0])
    if shutil.which(program, path=environment.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(f"no program {program}")
    who = "-" if user is None else str(user)
    bound = [sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), str(int(death_signal)), who]

    def spawn() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [*bound, *(str(part) for part in argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=cwd,
                start_new_session=True,
            )

    return Child(_spawner().submit(spawn).result(), log)


def tail(log: Path) -> str:
    """The end of a log file, for an error message; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def begin() -> None:
    """Start the thread that starts children, before a signal can interrupt just that.

    A thread whose start was interrupted is one that the executor does not know of: it is never
    told to end, and the interpreter waits for it for ever.
    """
    _spawner().submit(int).result()


@cache
def _spawner() -> ThreadPoolExecutor:
    """One thread that starts every child: the death signal follows the *thread* that forked."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-spawner")


def connect_error(address: str, port: int) -> OSError | None:
    """None if somebody accepts connections there, otherwise what connecting said."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError as error:
        return error
    return None
