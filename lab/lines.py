"""A unix socket that answers each line, a JSON document, with another."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = Callable[[bytes], dict[str, Any]]
_POLL = 0.05


class LineServer:
    """Answers until closed. Its path must be short: a unix socket's may have 107 bytes."""

    def __init__(self, name: str, path: Path, answer: Answer) -> None:
        """Bind the socket. `answer` is called in many threads, and must not raise."""
        handler: Any = lambda request, _client, _server: _converse(request, answer)  # noqa: E731
        self._server = _Server(str(path), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name=name, daemon=True
        )

    def start(self) -> None:
        """Answer from threads of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    # Who finds the queue full is told EAGAIN, and a task asks for all of its probes at once.
    request_queue_size = 256


def _converse(connection: Any, answer: Answer) -> None:
    with connection.makefile("rb") as lines:
        for line in lines:
            connection.sendall(json.dumps(answer(line)).encode() + b"\n")
