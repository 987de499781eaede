"""A task host: imports programs once, and forks a task of one for each request.

Run as `python -m lab.tasks.host HOST SOCKET`. A request is one JSON line; the answers on the
same connection are the task's process number, and at its end its status. One thread only, so that
forking is safe.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from lab import images
from lab.tasks import confinement

PR_SET_PDEATHSIG = 1
BACKLOG = 64


class Host:
    """The host's one thread: accepts requests, forks, tells of ends."""

    def __init__(self, name: str, path: str) -> None:
        """Import the host's programs, then listen."""
        images.preload(name)
        gc.freeze()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(BACKLOG)
        self._tasks: dict[int, socket.socket] = {}
        self._ends, wake = socket.socketpair()
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno())
        self._wake = wake

    def serve(self) -> NoReturn:
        """Serve for ever; the supervisor ends this process by a signal."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._ends, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._ends.recv(4096)
                        self._reap()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        with connection.makefile("rb") as lines:
            line = lines.readline()
        if not line:
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            self._become(json.loads(line))
        self._tasks[pid] = connection
        _tell(connection, {"pid": pid})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (connection := self._tasks.pop(pid, None)) is not None:
                _tell(connection, {"status": os.waitstatus_to_exitcode(status)})
                connection.close()

    def _become(self, request: dict[str, Any]) -> NoReturn:
        """The forked child: leave everything of the host behind, and run the program."""
        status = 1
        try:
            bind_to_parent()
            _enter(request)
            images.Image(request["program"], request["tag"]).run()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)


def bind_to_parent() -> None:
    """Have this process killed when its parent dies, and lead a session of its own."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(127)
    os.setsid()


def _enter(request: dict[str, Any]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    # Whatever else the host has open is not the task's: least of all other tasks' connections.
    os.closerange(3, 4096)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    confinement.install()


def _tell(connection: socket.socket, message: dict[str, int]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    Host(sys.argv[1], sys.argv[2]).serve()
