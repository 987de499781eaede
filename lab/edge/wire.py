"""One HTTP/1.1 peer: h11's state machine on an asyncio stream."""

from __future__ import annotations

import asyncio

import h11

Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]
Role = type[h11.CLIENT] | type[h11.SERVER]

_CHUNK = 65536


class Wire:
    """Reads events from a peer and sends events to it; counts the bytes of both directions.

    What is sent is collected until `flush`, so that a small response leaves in one segment.
    """

    def __init__(
        self, role: Role, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """`role` is the one that we play: SERVER towards a client, CLIENT towards a target."""
        self.http = h11.Connection(role, max_incomplete_event_size=_CHUNK)
        self.reader = reader
        self.writer = writer
        self.received = self.sent = 0
        self._waiting = bytearray()

    async def event(self, timeout: float) -> Event:
        """The next event. Raises TimeoutError when the peer is silent for `timeout` seconds."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            if self.http.they_are_waiting_for_100_continue:
                self.queue(h11.InformationalResponse(status_code=100, headers=[]))
            await self.fill(timeout)
        return event

    async def fill(self, timeout: float) -> None:
        """Send what is waiting, then read once from the peer."""
        async with asyncio.timeout(timeout):
            await self.flush()
            data = await self.reader.read(_CHUNK)
        self.received += len(data)
        self.http.receive_data(data)

    def queue(self, event: h11.Event) -> None:
        """Put an event into the next flush."""
        self._waiting += self.http.send(event) or b""

    async def flush(self) -> None:
        """Hand everything queued to the peer, at the peer's pace."""
        if self._waiting:
            self.sent += len(self._waiting)
            self.writer.write(bytes(self._waiting))
            self._waiting.clear()
        await self.writer.drain()

    def abort(self) -> None:
        """Drop the connection at once."""
        self.writer.transport.abort()

    async def close(self, timeout: float = 1.0) -> None:
        """Close in good order; drop the connection if that takes too long."""
        self.writer.close()
        try:
            async with asyncio.timeout(timeout):
                await self.writer.wait_closed()
        except OSError:  # TimeoutError is one
            self.abort()
