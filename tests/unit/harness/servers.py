"""Small real servers on loopback that behave, or misbehave, as a test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Handler = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(handler: Handler, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve each connection with ``handler`` in a thread; yields the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener, handler, context), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, handler: Handler, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=_handle, args=(connection, handler, context), daemon=True
            ).start()


def _handle(connection: socket.socket, handler: Handler, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError, ssl.SSLError), connection:
        if context is None:
            handler(connection)
            return
        with context.wrap_socket(connection, server_side=True) as secured:
            handler(secured)


def request_head(connection: socket.socket) -> bytes:
    """Read up to the end of a request's head."""
    head = b""
    while b"\r\n\r\n" not in head and (more := connection.recv(65_536)):
        head += more
    return head


def answering(answer: bytes, seen: list[bytes] | None = None) -> Handler:
    """Answer every request with these bytes and close."""

    def handle(connection: socket.socket) -> None:
        head = request_head(connection)
        if seen is not None:
            seen.append(head)
        connection.sendall(answer)

    return handle


def http_answer(status: str, body: bytes, *headers: str) -> bytes:
    """Return a whole HTTP answer, after which the server closes."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def silent(connection: socket.socket) -> None:
    """Read, and never answer."""
    while connection.recv(65_536):
        pass


def resetting(connection: socket.socket) -> None:
    """Read a request and reset the connection."""
    request_head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def unconnectable() -> Iterator[int]:
    """A port on which connects time out: its accept queue is full, so SYNs are dropped."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler = held.enter_context(socket.socket())
        filler.connect(listener.getsockname())
        yield listener.getsockname()[1]


def unused_port() -> int:
    """A port that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
