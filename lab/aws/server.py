"""The AWS endpoint: moto in this process, behind the hooks, on one loopback port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from lab.aws.answer import Answer, AwsError, refusal
from lab.aws.backends import Backends
from lab.aws.call import Call, parse
from lab.aws.hooks import Hooks

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

_NOT_PASSED_ON = {"connection", "transfer-encoding"}
_REPLACED = _NOT_PASSED_ON | {"content-length"}


class Endpoint:
    """Serves AWS calls on a bound, listening socket until closed."""

    def __init__(self, listener: socket.socket, backends: Backends, hooks: Hooks) -> None:
        """Import moto (about a second of processor time) and be ready to serve."""
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self._backends, self._hooks = backends, hooks
        self._moto: Application = DomainDispatcherApplication(create_backend_app)
        address, port = listener.getsockname()
        self._server = make_server(
            address,
            port,
            self._application,
            threaded=True,
            request_handler=_handler(),
            fd=listener.fileno(),
        )
        self._thread = threading.Thread(target=self._serve, name="aws-endpoint", daemon=True)

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving; open keep-alive connections end with the process."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(2)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def _application(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        call = parse(environ)
        answer = self._hooks.before(call) or self._ask_moto(call, environ)
        answer = self._hooks.after(call, answer)
        headers = list(answer.headers.items())
        if environ["REQUEST_METHOD"] != "HEAD":
            headers.append(("Content-Length", str(len(answer.body))))
        start(_status(answer.status), headers)
        return [answer.body]

    def _ask_moto(self, call: Call, environ: dict[str, Any]) -> Answer:
        try:
            with self._backends.lock:
                return _collect(self._moto, environ)
        except Exception as error:
            text = f"the lab's control plane cannot do this: {type(error).__name__}: {error}"
            return refusal(call, AwsError("InternalFailure", text, 500))


def _collect(application: Application, environ: dict[str, Any]) -> Answer:
    seen: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        seen[:] = [int(status.split(" ", 1)[0]), headers]

    chunks = application(environ, start)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
    unwanted = _NOT_PASSED_ON if environ["REQUEST_METHOD"] == "HEAD" else _REPLACED
    kept = {name: value for name, value in seen[1] if name.lower() not in unwanted}
    return Answer(seen[0], body, kept)


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} Unknown"


def _handler() -> type:
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    class Handler(MotoRequestHandler):
        """Keeps connections alive (boto3 reuses them) and does not log requests."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing: the lab's trail has every call."""

    return Handler
