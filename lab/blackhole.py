"""An address on which a TCP connect really times out, without any privilege."""

from __future__ import annotations

import contextlib
import socket
from typing import Self


class Blackhole:
    """Holds `address:port` so that each connect to it times out, until closed.

    Linux drops the SYN of a connection for which the accept queue has no room: the queue is kept
    full by connections of our own that are never accepted.
    """

    def __init__(self, address: str, port: int) -> None:
        """Begin at once. Raises OSError if the address is taken."""
        self._sockets = [_listening(address, port)]
        self.address, self.port = self._sockets[0].getsockname()
        try:
            self._fill()
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Held since it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End at once: the next connect is refused. May be called more than once."""
        while self._sockets:
            self._sockets.pop().close()

    def _fill(self) -> None:
        """Connect until the kernel lets no more in; a queue of length 0 holds one connection."""
        for _ in range(3):
            filler = socket.socket()
            self._sockets.append(filler)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect((self.address, self.port))


def _listening(address: str, port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
    except OSError:
        listener.close()
        raise
    return listener
