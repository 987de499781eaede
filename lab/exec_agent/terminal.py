"""A pseudo-terminal with a command on it, as the agent starts one inside of a container.

Standard output and error come mixed, line ends become CRLF, and input is echoed: that is the
terminal's own doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab.exec_agent.orders import Order

# config.go, StreamDataPayloadSize.
CHUNK = 1024
MARKER = "LAB_EXEC_SESSION"
_EXEC = Path(__file__).with_name("terminal_exec.py")
_KILLED_WITHIN_S = 2.0
# On a busy machine a killed process takes its time; looking costs milliseconds.
_DIE_S = 0.02


class CannotStartError(Exception):
    """The command cannot be started; the text is what the session ends with."""


class Terminal:
    """One command on its terminal. Belongs to one event loop; `end` leaves nothing behind."""

    def __init__(self, master: int, process: subprocess.Popen[bytes], session: str) -> None:
        """`start` makes these."""
        self._master, self._process, self._session = master, process, session
        self._loop = asyncio.get_running_loop()
        self._readable = asyncio.Event()
        self._typed = bytearray()

    @classmethod
    def start(cls, order: Order) -> Self:
        """Start the order's command. Raises CannotStartError, worded as the agent does."""
        _check(order)
        master, slave = os.openpty()
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_EXEC), str(os.getpid()), *order.argv],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env={**order.environment, "TERM": "xterm-256color", MARKER: order.session},
                cwd=order.folder,
                start_new_session=True,
            )
        except OSError as error:
            os.close(master)
            raise CannotStartError(_failure(f"fork/exec: {error.strerror}")) from None
        finally:
            os.close(slave)
        os.set_blocking(master, False)
        return cls(master, process, order.session)

    async def read(self) -> bytes:
        """The next bytes of output, at most `CHUNK`; nothing when the command has ended."""
        while True:
            try:
                return os.read(self._master, CHUNK)
            except BlockingIOError:
                await self._wait_readable()
            except OSError:  # EIO: nobody has the other side open any more
                return b""

    def write(self, data: bytes) -> None:
        """Type these bytes, as soon as the terminal takes them."""
        if not self._typed:
            self._loop.add_writer(self._master, self._type)
        self._typed += data

    def resize(self, columns: int, rows: int) -> None:
        """Tell the command of another window size."""
        size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    async def end(self) -> None:
        """Kill whatever of the command is still there, and give the terminal back."""
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        os.close(self._master)
        until = time.monotonic() + _KILLED_WITHIN_S
        # Again and again: what is killed first may be what another one of them waits for to go on.
        while (left := members(self._process.pid, self._session)) and time.monotonic() < until:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(_DIE_S)
        await self._reap()

    async def _reap(self) -> None:
        if self._process.poll() is not None:
            return
        ended = asyncio.Event()
        handle = os.pidfd_open(self._process.pid)
        self._loop.add_reader(handle, ended.set)
        try:
            await asyncio.wait_for(ended.wait(), _KILLED_WITHIN_S)
        finally:
            self._loop.remove_reader(handle)
            os.close(handle)
            self._process.poll()

    async def _wait_readable(self) -> None:
        self._readable.clear()
        self._loop.add_reader(self._master, self._readable.set)
        try:
            await self._readable.wait()
        finally:
            self._loop.remove_reader(self._master)

    def _type(self) -> None:
        try:
            del self._typed[: os.write(self._master, self._typed)]
        except BlockingIOError:
            return
        except OSError:  # the command has ended
            self._typed.clear()
        if not self._typed:
            self._loop.remove_writer(self._master)


def members(leader: int, session: str) -> list[int]:
    """Every live process of a session, those included that made themselves independent of it."""
    marker = f"{MARKER}={session}".encode()
    known = {pid: facts for pid in _processes() if (facts := _facts(pid)) is not None}
    began = known[leader].began if leader in known else 0
    return [
        pid
        for pid, each in known.items()
        if each.alive
        and (each.session == leader or (each.began >= began and marker in _environment(pid)))
    ]


@dataclass(frozen=True, slots=True)
class _Facts:
    alive: bool
    session: int
    began: int


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def _facts(pid: int) -> _Facts | None:
    try:
        # proc(5): after the name in parentheses, the 3rd field is the state, the 6th the session,
        # and the 22nd when it was started.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return _Facts(fields[0] not in (b"Z", b"X"), int(fields[3]), int(fields[19]))


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _check(order: Order) -> None:
    if not order.argv:
        raise CannotStartError(_failure("exec: no command"))
    program = order.argv[0]
    absent = Path(program).name in order.missing
    found = shutil.which(program, path=order.environment.get("PATH"))
    if found is not None and not absent:
        return
    if "/" in program:
        raise CannotStartError(_failure(f"fork/exec {program}: no such file or directory"))
    raise CannotStartError(_failure(f'exec: "{program}": executable file not found in $PATH'))


def _failure(reason: str) -> str:
    title = "\n----------ERROR-------\n"
    return f"{title}Unable to start command: Failed to start pty: {reason}\n"
