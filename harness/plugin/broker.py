"""Sharing observations among xdist's workers: the controller observes, the workers ask it.

One unix socket, one JSON document a line. So a probe is run once however many workers need it,
the budget counts for the run and not per worker, and the record is written by one process.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.observation import AnyObservation, Observation
from harness.observer import Observer
from harness.specs import AnyProbe, Probe


class _Request(msgspec.Struct):
    start: list[AnyProbe] = []
    observe: AnyProbe | None = None


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, observer: Observer) -> None:
        self.observer = observer
        super().__init__(path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        for line in self.rfile:
            request = msgspec.json.decode(line, type=_Request)
            self.server.observer.start(request.start)
            if request.observe is not None:
                seen = self.server.observer.observation(request.observe)
                with contextlib.suppress(OSError):  # the worker has gone
                    self.wfile.write(msgspec.json.encode(seen) + b"\n")


@contextlib.contextmanager
def serving(observer: Observer) -> Iterator[str]:
    """Offer ``observer`` to the workers; yields the address to give to them."""
    with tempfile.TemporaryDirectory(prefix="hokusai-") as folder:
        path = str(Path(folder) / "broker")
        with _Server(path, observer) as server:
            threading.Thread(target=server.serve_forever, name="broker", daemon=True).start()
            try:
                yield path
            finally:
                server.shutdown()


class RemoteObserver:
    """A worker's view of the controller's collector. Used from one thread only."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._file = self._socket.makefile("rwb")

    def start(self, probes: Iterable[Probe]) -> None:
        """Begin every probe that has not begun yet, in the controller."""
        self._send({"start": list(probes)})

    def observation(self, probe: Probe) -> Observation:
        """Return what ``probe`` saw. Raises UsageError if the controller has ended."""
        self._send({"observe": probe})
        line = self._file.readline()
        if not line:
            raise UsageError("the controller of this run has ended")
        seen: Observation = msgspec.json.decode(line, type=AnyObservation)
        return seen

    def seen(self) -> dict[str, Observation]:
        """Return nothing: the controller knows what has been seen."""
        return {}

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def _send(self, request: dict[str, object]) -> None:
        self._file.write(msgspec.json.encode(request) + b"\n")
        self._file.flush()
