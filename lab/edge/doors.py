"""The listening sockets: one for each listener of each load balancer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from lab.blackhole import Blackhole
from lab.edge.admission import LOOPBACK, Gate, networks
from lab.edge.certificates import Presenter
from lab.edge.connection import ClientConnection
from lab.edge.exchange import Front
from lab.pki import Identity

_BACKLOG = 128
_HANDSHAKE_DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Key:
    """What a listening socket is: when one of these changes, it is another one."""

    balancer_arn: str
    address: str
    port: int
    encrypted: bool


def bound_port(port: int) -> int:
    """The loopback port that stands for an AWS port.

    80 → 8080, 443 → 8443, any other below 1024 → + 8000; the rest stand for themselves.
    """
    return {80: 8080, 443: 8443}.get(port, port + 8000 if port < 1024 else port)


class Door:
    """One listening socket and the connections that came in through it."""

    def __init__(self, front: Front, address: str, *, encrypted: bool) -> None:
        """Nothing is opened before `admit`."""
        self._front = front
        self._where = (address, bound_port(front.port))
        self._presenter = Presenter(self._offered) if encrypted else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._gate: Gate | None = None
        self._hole: Blackhole | None = None

    def admit(self, ingress: Sequence[str]) -> None:
        """Let only these sources in from now on; opens the socket if it is not. Raises OSError."""
        if self._gate is not None and _told(self._gate, ingress):
            return
        self._shut()
        listener = _bound(self._where)
        gate = Gate(listener)
        if _told(gate, ingress) or _admits_anyone(ingress):
            listener.listen(_BACKLOG)
            self._socket, self._gate = listener, gate
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        else:  # a system where sockets cannot choose: nobody gets in
            listener.close()
            self._hole = Blackhole(*self._where)

    async def close(self) -> None:
        """Refuse from now on and drop every connection."""
        self._shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _shut(self) -> None:
        if self._hole is not None:
            self._hole.close()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        self._hole = self._socket = self._gate = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        connection.setblocking(False)
        # asyncio does so for sockets of its own; without it a TLS answer may wait 40 ms for an ACK.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step closes nothing.
        task.add_done_callback(lambda _: connection.close())

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        stream = _Stream(asyncio.StreamReader())
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: stream,
                connection,
                ssl=self._presenter.context if self._presenter else None,
                ssl_handshake_timeout=_HANDSHAKE_DEADLINE if self._presenter else None,
            )
        except OSError:
            return  # the handshake failed, or the client is gone already
        writer = asyncio.StreamWriter(transport, stream, stream.reader, loop)
        client = ClientConnection(self._front, self._presenter, stream.reader, writer)
        stream.when_lost(asyncio.current_task(), client)
        await client.serve()

    def _offered(self) -> list[tuple[str, Identity]]:
        """The certificates of the listener as it is now."""
        current = self._front.current()
        references = current[1].certificates if current else ()
        found = ((each, self._front.control.certificate(each)) for each in references)
        return [(reference, identity) for reference, identity in found if identity is not None]


class _Stream(asyncio.StreamReaderProtocol):
    """asyncio's own protocol for streams, which also tells when the client leaves."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.reader = reader
        self._serving: tuple[asyncio.Task[None] | None, ClientConnection] | None = None

    def when_lost(self, task: asyncio.Task[None] | None, client: ClientConnection) -> None:
        """End the task when the connection is lost in the middle of a request."""
        self._serving = (task, client)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for the answer any more: the exchange with the target ends too."""
        super().connection_lost(exc)
        task, client = self._serving or (None, None)
        if task is not None and client is not None and client.busy:
            task.cancel()


class Doors:
    """Opens and closes doors so that they are those of the control plane."""

    def __init__(self) -> None:
        """No door yet."""
        self._doors: dict[Key, tuple[Door, tuple[str, ...]]] = {}

    async def reconcile(self, wanted: dict[Key, tuple[Front, tuple[str, ...]]]) -> None:
        """Open what is missing, close what is gone, and take over what may come in.

        A door that cannot be opened does not keep the others closed. Raises the first OSError in
        the end.
        """
        for key in self._doors.keys() - wanted.keys():
            await self._doors.pop(key)[0].close()
        errors: list[OSError] = []
        for key, (front, ingress) in wanted.items():
            try:
                self._settle(key, front, ingress)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def close(self) -> None:
        """Close every door."""
        await self.reconcile({})

    def _settle(self, key: Key, front: Front, ingress: tuple[str, ...]) -> None:
        known = self._doors.get(key)
        if known is not None and known[1] == ingress:
            return
        door = known[0] if known else Door(front, key.address, encrypted=key.encrypted)
        door.admit(ingress)
        self._doors[key] = (door, ingress)


def _bound(where: tuple[str, int]) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
    except OSError:
        listener.close()
        raise
    return listener


def _told(gate: Gate, ingress: Sequence[str]) -> bool:
    """Whether the socket itself could be told whom to admit."""
    try:
        gate.admit(ingress)
    except OSError:
        return False
    return True


def _admits_anyone(ingress: Sequence[str]) -> bool:
    return any(network.overlaps(LOOPBACK) for network in networks(ingress))
