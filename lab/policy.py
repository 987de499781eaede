"""The VPC's verdicts for the tasks: a unix socket, one JSON line for each question.

`{"from": "127.20.16.10", "to": "127.20.1.10", "port": 443}` is answered with `{"verdict": "drop"}`
or `{"verdict": "allow", "port": 8443}`: the loopback port that stands for the one asked for.
"""

from __future__ import annotations

import json
import socketserver
import threading
from pathlib import Path
from typing import Any

from lab.edge import bound_port
from lab.vpc import Vpc


class PolicyServer:
    """Answers on a unix socket until closed."""

    def __init__(self, path: Path, vpc: Vpc) -> None:
        """Bind the socket; its path must be short (a limit of unix sockets: 107 bytes)."""
        handler: Any = lambda request, _client, _server: _converse(request, vpc)  # noqa: E731
        self._server = _Server(str(path), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="policy", daemon=True
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


def _converse(connection: Any, vpc: Vpc) -> None:
    with connection.makefile("rb") as lines:
        for line in lines:
            connection.sendall(json.dumps(_verdict(line, vpc)).encode() + b"\n")


def _verdict(line: bytes, vpc: Vpc) -> dict[str, str | int]:
    try:
        question = json.loads(line)
        port = int(question["port"])
        allowed = vpc.allows(question["from"], question["to"], port)
    except (ValueError, KeyError, TypeError):
        allowed = False
    return {"verdict": "allow", "port": bound_port(port)} if allowed else {"verdict": "drop"}
