"""The lab's own socket: how another process asks a running lab for what AWS would not tell.

One JSON line each way. `{"ask": "inside", "service": "api", "argv": […]}` is answered with how to
run that command inside the service's task; `{"ask": "status"}` with the state of the parts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.lines import LineServer

SOCKET = "control.sock"

Question = dict[str, Any]
Responder = Callable[[Question], dict[str, Any]]


class ControlSocket(LineServer):
    """Answers questions until closed."""

    def __init__(self, folder: Path, responders: Mapping[str, Responder]) -> None:
        """Bind the socket. A responder raises LookupError for what does not exist."""
        super().__init__("control", folder / SOCKET, lambda line: _answer(line, responders))


def _answer(line: bytes, responders: Mapping[str, Responder]) -> dict[str, Any]:
    try:
        question = json.loads(line)
        return responders[question["ask"]](question)
    except LookupError as error:
        return {"error": str(error.args[0] if error.args else error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
