"""One client's connection to a listener: its requests, one after another."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl

import h11

from lab.edge import answers
from lab.edge.access_log import Entry
from lab.edge.certificates import Presenter
from lab.edge.exchange import Exchange, Front, answer, idle_timeout
from lab.edge.wire import Wire

_logger = logging.getLogger(__name__)


class ClientConnection:
    """Serves one connection until either side closes it."""

    def __init__(
        self,
        front: Front,
        presenter: Presenter | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """The TLS handshake, if there is one (then there is a presenter), is done."""
        self._front = front
        self._wire = Wire(h11.SERVER, reader, writer)
        self._client = "{}:{}".format(*writer.get_extra_info("peername")[:2])
        self._tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        self._domain, self._certificate = "-", "-"
        if presenter is not None and self._tls is not None:
            self._domain, self._certificate = presenter.chosen(self._tls)
        self._id = f"TID_{secrets.token_hex(16)}"
        self._idle = front.pace.idle_timeout
        self.busy = False

    async def serve(self) -> None:
        """Answer requests as long as the connection is kept."""
        try:
            while await self._serve_one():
                self._wire.http.start_next_cycle()
            await self._wire.close()
        except (OSError, h11.ProtocolError):
            return  # the client is gone or silent, or its target left in the middle of an answer
        except Exception:
            _logger.exception("a request to %s could not be served", self._front.balancer_arn)
        finally:
            self._wire.abort()
            await self._wire.close()

    async def _serve_one(self) -> bool:
        """Serve one request; False when the connection is at its end."""
        before = self._wire.sent, self._wire.received
        try:
            head = await self._wire.event(self._idle)
        except h11.RemoteProtocolError:
            await self._refuse(before)
            return False
        current = self._front.current()
        if current is None or not isinstance(head, h11.Request):
            return False
        self._idle = idle_timeout(current[0], self._front.pace)
        entry = self._entry(current[0].arn)
        self.busy = True
        try:
            await Exchange(self._front, self._wire, current, head, entry).serve()
        finally:
            self.busy = False
            self._record(entry, before)
        return self._wire.http.our_state is self._wire.http.their_state is h11.DONE

    async def _refuse(self, before: tuple[int, int]) -> None:
        """What the client sent is not HTTP."""
        entry = self._entry(self._front.balancer_arn)
        await answer(self._wire, answers.error(400), entry)
        self._record(entry, before)

    def _entry(self, balancer_arn: str) -> Entry:
        return Entry(
            protocol="https" if self._tls else "http",
            balancer_arn=balancer_arn,
            client=self._client,
            connection_id=self._id,
            tls=self._tls,
            domain=self._domain,
            certificate=self._certificate,
        )

    def _record(self, entry: Entry, before: tuple[int, int]) -> None:
        entry.sent, entry.received = self._wire.sent - before[0], self._wire.received - before[1]
        self._front.log.write(entry)
