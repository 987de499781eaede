"""The message gateway: the WebSocket server that clients of ECS Exec connect to."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import threading
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from lab.exec_agent.orders import Order, Orders
from lab.exec_agent.session import Patience, Session

_OPENED_WITHIN_S = 10.0
_ENDED_WITHIN_S = 5.0
_LARGEST_MESSAGE = 1 << 20
_REFUSED = 1008  # RFC 6455, 7.4.1: policy violation
_PATH = re.compile(r"^/v1/data-channel/([\w-]+)(?:\?|$)")

_log = logging.getLogger(__name__)


class Gateway:
    """Serves the sessions of `orders` from one thread, until closed."""

    def __init__(
        self, address: str, port: int, orders: Orders, patience: Patience | None = None
    ) -> None:
        """Listen; port 0 takes any. Raises OSError where that is not possible."""
        self._orders, self._patience = orders, patience or Patience()
        self._listener = socket.create_server((address, port), backlog=128)
        self.address, self.port = self._listener.getsockname()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="exec-gateway", daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def close(self) -> None:
        """End every session, and what was started in it; returns when nothing is left."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(_ENDED_WITHIN_S)
        self._listener.close()

    def url(self, session: str) -> str:
        """Where a client finds a session."""
        place = f"ws://{self.address}:{self.port}/v1/data-channel/{session}"
        return f"{place}?role=publish_subscribe"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await serve(
            self._serve_client,
            sock=self._listener,
            max_size=_LARGEST_MESSAGE,
            compression=None,
            logger=_log,
        )
        await self._ending.wait()
        server.close(code=1001)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(tasks, timeout=_ENDED_WITHIN_S) if tasks else None

    async def _serve_client(self, connection: ServerConnection) -> None:
        try:
            order = await self._open(connection)
            if order is None:
                await connection.close(_REFUSED, "the token is not that of a session to be opened")
                return
            await Session(order, _Socket(connection), self._patience).run()
        except* (EOFError, ConnectionClosed, TimeoutError):
            pass

    async def _open(self, connection: ServerConnection) -> Order | None:
        path = connection.request.path if connection.request else ""
        session = _PATH.match(path)
        first = await asyncio.wait_for(connection.recv(), _OPENED_WITHIN_S)
        try:
            token = _token(first)
        except (ValueError, KeyError, TypeError):
            return None
        return self._orders.take(session[1], token) if session else None


class _Socket:
    """A connection whose end is EOFError."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def send(self, message: bytes) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed:
            raise EOFError from None

    async def recv(self) -> bytes | str:
        try:
            return await self._connection.recv()
        except ConnectionClosed:
            raise EOFError from None


def _token(first: Any) -> str:
    """The token of OpenDataChannel, the first message. Raises ValueError, KeyError, TypeError."""
    if not isinstance(first, str):
        raise TypeError("the first message is not text")
    opened = json.loads(first)
    if opened["MessageSchemaVersion"] != "1.0":
        raise ValueError("an unknown schema version")
    return str(opened["TokenValue"])
