"""Task hosts: processes that have the heavy imports of programs done and fork tasks.

MLflow's server takes more than two seconds to import; a fork of it takes milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab import images, process
from lab.tasks.inside import ROOT, Surroundings, variables

START_WITHIN_S = 60.0
POLL_S = 0.01


class TaskProcess:
    """One running task. Its host tells when it ends; its host is its parent."""

    def __init__(self, connection: socket.socket, surroundings: Surroundings, log: Path) -> None:
        """`TaskHosts.start` makes these, once the host has told the process's number."""
        self._lines = connection.makefile("r")
        self._connection = connection
        told = self._lines.readline()
        if not told:
            raise ConnectionError("the task host ended before it had started the task")
        self.pid = int(json.loads(told)["pid"])
        self.surroundings, self.log = surroundings, log
        self._ended = threading.Event()
        self._status: int | None = None
        threading.Thread(target=self._watch, name=f"task-{self.pid}", daemon=True).start()

    @property
    def address(self) -> str:
        """The task's address."""
        return self.surroundings.address

    def poll(self) -> int | None:
        """The exit status (negative: the signal), None while it runs."""
        return self._status

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; None when it still runs after `timeout` seconds."""
        self._ended.wait(timeout)
        return self._status

    def wait_listening(self, port: int, deadline: float) -> None:
        """Wait until the task accepts connections on its address.

        Raises process.ExitedError as soon as it ends, TimeoutError after `deadline` seconds.
        """
        until = time.monotonic() + deadline
        while True:
            error = process.connect_error(self.address, port)
            if (status := self.poll()) is not None:
                raise process.ExitedError(self.pid, status, process.tail(self.log))
            if error is None:
                return
            if time.monotonic() > until:
                raise TimeoutError(f"{self.address}:{port} of task {self.pid}: {error}")
            self._ended.wait(POLL_S)

    def stop(self, grace: float = 2.0) -> int | None:
        """Ask the task to end, and kill its whole group when `grace` seconds are over."""
        self._signal(signal.SIGTERM)
        if self.wait(grace) is None:
            self._signal(signal.SIGKILL)
            self.wait(grace)
        return self._status

    def _signal(self, number: int) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _watch(self) -> None:
        told = ""
        with contextlib.suppress(OSError, ValueError):
            told = self._lines.readline()
        # A host that is gone has taken its tasks with it (they die with their parent).
        self._status = int(json.loads(told)["status"]) if told else -signal.SIGKILL
        self._ended.set()
        self._lines.close()
        self._connection.close()


class TaskHosts:
    """The hosts of one lab, each started when it is first needed or preloaded."""

    def __init__(self, folder: Path, logs: Path) -> None:
        """`folder` is for sockets (its path must be short), `logs` for the hosts' own output."""
        self._folder, self._logs = folder, logs
        self._hosts: dict[str, process.Child] = {}
        self._lock = threading.Lock()

    def preload(self, programs: Iterable[str]) -> None:
        """Begin to start hosts; returns at once."""
        for program in programs:
            self._host(images.host_of(program))

    def start(
        self, image: str, environment: Mapping[str, str], surroundings: Surroundings, log: Path
    ) -> TaskProcess:
        """Start a task of an image with exactly these variables of its own.

        Raises images.UnknownImageError, process.ExitedError if the host does not start.
        """
        found = images.find(image)
        surroundings.folder.mkdir(parents=True, exist_ok=True)
        request = {
            "program": found.program,
            "tag": found.tag,
            "environment": variables(surroundings, environment),
            "folder": str(surroundings.folder),
            "log": str(log),
        }
        connection = self._connect(images.host_of(found.program))
        connection.sendall(json.dumps(request).encode() + b"\n")
        return TaskProcess(connection, surroundings, log)

    def stop(self) -> None:
        """Stop the hosts, and with them every task."""
        with self._lock:
            for host in self._hosts.values():
                host.stop(timeout=1.0)
            self._hosts.clear()

    def _host(self, name: str) -> process.Child:
        with self._lock:
            host = self._hosts.get(name)
            if host is None or host.poll() is not None:
                self._socket(name).unlink(missing_ok=True)
                host = self._hosts[name] = self._start_host(name)
            return host

    def _start_host(self, name: str) -> process.Child:
        return process.start(
            [sys.executable, "-m", "lab.tasks.host", name, self._socket(name)],
            log=self._logs / f"host-{name}.log",
            environment={**process.clean_environment(), "PYTHONPATH": str(ROOT)},
        )

    def _connect(self, name: str) -> socket.socket:
        until = time.monotonic() + START_WITHIN_S
        while True:
            host = self._host(name)
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._socket(name)))
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                host.check()
                if time.monotonic() > until:
                    raise
                time.sleep(POLL_S)
            else:
                return connection

    def _socket(self, name: str) -> Path:
        return self._folder / f"{name}.sock"
