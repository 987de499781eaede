"""One session: the client's token, the handshake, the command on its terminal, the end."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from lab.exec_agent import wire
from lab.exec_agent.channel import Channel
from lab.exec_agent.orders import Order
from lab.exec_agent.terminal import CannotStartError, Terminal
from lab.exec_agent.wire import Kind

AGENT_VERSION = "3.3.1611.0"
SESSION_TYPE = "InteractiveCommands"
SUCCESS = 1
TERMINATE = 2
TASK_LOOK_S = 0.1
HANDSHAKE_TIMED_OUT = (
    "Handshake timed out. Please ensure that you have the latest version of the session manager "
    "plugin."
)
IDLE = "Session timed out due to inactivity."


class Socket(Protocol):
    """The WebSocket, as far as it is used here."""

    async def send(self, message: bytes) -> None:
        """Send one binary message."""

    async def recv(self) -> bytes | str:
        """The next message; raises EOFError when the client has gone."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a session waits, in seconds, for what."""

    handshake: float = 15.0
    # Documented for ECS Exec: 20 minutes, and it cannot be changed.
    idle: float = 1200.0
    acknowledged: float = 2.0
    leave: float = 2.0


class Ended(Exception):
    """The session is over; the text is what the client is told."""


class Session:
    """Runs once. Ends with the command, with the client, or at a time-out."""

    def __init__(self, order: Order, socket: Socket, patience: Patience) -> None:
        """The order was taken with the right token."""
        self._order, self._socket, self._patience = order, socket, patience
        self._channel = Channel(socket.send)
        self._active = time.monotonic()
        self._response: asyncio.Future[Mapping[str, Any]] = asyncio.Future()
        self._complete = False
        self._terminal: Terminal | None = None

    async def run(self) -> None:
        """From the handshake to the end. Raises EOFError, in a group, when the client went away."""
        works = (
            self._receive,
            self._channel.keep_sending,
            self._watch_idle,
            self._watch_task,
            self._serve,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                for work in works:
                    tasks.create_task(work())
        except* Ended as ended:
            await self._channel.close(self._order.session, _reason(ended), self._order.task)
            await self._wait_for_leave()

    async def _serve(self) -> None:
        await self._shake_hands()
        reason = ""
        try:
            async with _started(self._order) as terminal:
                self._terminal = terminal
                await self._pump(terminal)
                self._terminal = None
        except CannotStartError as error:
            reason = str(error)
        await self._channel.settle(self._patience.acknowledged)
        raise Ended(reason)

    async def _wait_for_leave(self) -> None:
        """Let the client read, and go first: what it still says to a closed connection fails."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience.leave):
                while True:
                    await self._socket.recv()

    async def _shake_hands(self) -> None:
        begun = time.monotonic()
        await self._channel.put(Kind.HANDSHAKE_REQUEST, _json(_request(self._order)))
        try:
            response = await asyncio.wait_for(self._response, self._patience.handshake)
        except TimeoutError:
            raise Ended(HANDSHAKE_TIMED_OUT) from None
        _judge(response, self._order)
        took = int((time.monotonic() - begun) * 1e9)
        complete = {"HandshakeTimeToComplete": took, "CustomerMessage": ""}
        await self._channel.put(Kind.HANDSHAKE_COMPLETE, _json(complete))
        self._complete = True

    async def _pump(self, terminal: Terminal) -> None:
        # The agent sends text: what is not UTF-8 arrives as U+FFFD.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while data := await terminal.read():
            self._active = time.monotonic()
            await self._channel.put(Kind.OUTPUT, decoder.decode(data).encode())
            await asyncio.sleep(0)  # other sessions' turn: there is always more of some output
        await self._channel.put(Kind.OUTPUT, decoder.decode(b"", final=True).encode())

    async def _watch_idle(self) -> None:
        while (left := self._active + self._patience.idle - time.monotonic()) > 0:
            await asyncio.sleep(left)
        raise Ended(IDLE)

    async def _watch_task(self) -> None:
        while self._order.runs():
            await asyncio.sleep(TASK_LOOK_S)
        raise Ended("")

    async def _receive(self) -> None:
        while True:
            data = await self._socket.recv()
            if isinstance(data, str):
                continue
            try:
                message = wire.unpack(data)
            except wire.MalformedError:
                continue  # Not acknowledged, so it comes again.
            if message.type == wire.CLOSED:
                raise Ended("")
            for kind, payload in await self._channel.take(message):
                self._active = time.monotonic()
                self._input(kind, payload)

    def _input(self, kind: int, payload: bytes) -> None:
        if kind == Kind.HANDSHAKE_RESPONSE:
            if not self._response.done():
                self._response.set_result(_object(payload))
        elif kind == Kind.FLAG:
            if int.from_bytes(payload, "big") == TERMINATE:
                raise Ended("")
        elif self._complete and self._terminal is not None:
            self._to_terminal(self._terminal, kind, payload)

    def _to_terminal(self, terminal: Terminal, kind: int, payload: bytes) -> None:
        if kind == Kind.OUTPUT:
            terminal.write(payload)
        elif kind == Kind.SIZE:
            size = _object(payload)
            with contextlib.suppress(KeyError, TypeError, ValueError):
                terminal.resize(int(size["cols"]), int(size["rows"]))


@asynccontextmanager
async def _started(order: Order) -> AsyncIterator[Terminal]:
    terminal = Terminal.start(order)
    try:
        yield terminal
    finally:
        await asyncio.shield(terminal.end())


def _reason(ended: BaseException) -> str:
    while isinstance(ended, BaseExceptionGroup):
        ended = ended.exceptions[0]
    return str(ended)


def _request(order: Order) -> dict[str, Any]:
    parameters = {
        "SessionType": SESSION_TYPE,
        "Properties": {"linux": {"commands": order.command, "runAsElevated": True}},
    }
    actions: list[dict[str, Any]] = [{"ActionType": "SessionType", "ActionParameters": parameters}]
    if order.kms_key:
        encryption = {"KMSKeyId": order.kms_key}
        actions.append({"ActionType": "KMSEncryption", "ActionParameters": encryption})
    return {"AgentVersion": AGENT_VERSION, "RequestedClientActions": actions}


def _judge(response: Mapping[str, Any], order: Order) -> None:
    """Raises Ended unless the client has done what it was asked to."""
    done = response.get("ProcessedClientActions")
    for action in done if isinstance(done, list) else []:
        kind, status = action.get("ActionType"), action.get("ActionStatus")
        if status != SUCCESS:
            error = action.get("Error", "")
            raise Ended(f"{kind} failed on client with status {status} error: {error}")
    if order.kms_key:
        raise Ended("Fetching data key failed: the lab has no KMS")


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode()
