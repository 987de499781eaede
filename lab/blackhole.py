"""An address on which a TCP connect really times out, without any privilege."""

from __future__ import annotations


class Blackhole:
    """Holds `address:port` so that every connect to it times out, until closed. A context
    manager.
    """

    def __init__(self, address: str, port: int) -> None:
        """Begin at once. Raises OSError if the address is taken."""
        raise NotImplementedError

    def close(self) -> None:
        """End at once: the next connect is refused. May be called more than once."""
        raise NotImplementedError
