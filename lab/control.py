"""The lab's own socket: how another process asks a running lab for what AWS would not tell.

One JSON line each way. `{"ask": "inside", "service": "api", "argv": […]}` is answered with how to
run that command inside the service's task; `{"ask": "status"}` with the state of the parts.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SOCKET = "control.sock"

Question = dict[str, Any]
Responder = Callable[[Question], dict[str, Any]]


class ControlSocket:
    """Answers questions until closed."""

    def __init__(self, folder: Path, responders: Mapping[str, Responder]) -> None:
        """Bind the socket. A responder raises LookupError for what does not exist."""
        handler: Any = lambda request, _client, _server: _converse(request, responders)  # noqa: E731
        self._server = _Server(str(folder / SOCKET), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="control", daemon=True
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


def _converse(connection: Any, responders: Mapping[str, Responder]) -> None:
    with connection.makefile("rb") as lines:
        for line in lines:
            connection.sendall(json.dumps(_answer(line, responders)).encode() + b"\n")


def _answer(line: bytes, responders: Mapping[str, Responder]) -> dict[str, Any]:
    try:
        question = json.loads(line)
        return responders[question["ask"]](question)
    except LookupError as error:
        return {"error": str(error.args[0] if error.args else error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
