"""One session over its WebSocket, from the token to the command's whole answer."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from harness.ecs_exec.channel import CLIENT_VERSION, Channel, Closed, Event, Printed
from harness.ecs_exec.errors import (
    ConnectionLostError,
    CorruptAnswerError,
    DeadlineError,
    EcsExecError,
    NoShellError,
    UnreachableError,
)
from harness.ecs_exec.framing import Answer, Bare, Frame

LARGEST_MESSAGE = 1 << 20
OPENED_WITHIN, LEFT_WITHIN = 10.0, 1.0
ENDED_WITHIN = 1.0
PING_EVERY = 240.0  # the plugin's own is five minutes; what is idle for longer may be cut
_NO_SHELL = ("Unable to start command", "executable file not found", "no such file or directory")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What ExecuteCommand answered: where the session is, and its token, which is a secret."""

    session: str
    url: str
    token: str = field(repr=False)


class Clock:
    """One deadline for everything that a command takes; ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left. Raises DeadlineError when there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> DeadlineError:
        """Return the error that says that the time is up."""
        return DeadlineError(f"the command had not ended after {self.seconds:g} s")


def converse(ticket: Ticket, frame: Frame | Bare, clock: Clock) -> Answer:
    """Run the ticket's command to its end. Raises EcsExecError; nobody is left behind."""
    with _connected(ticket, clock) as connection:
        conversation = _Conversation(connection, frame, clock)
        try:
            return conversation.hold(ticket)
        except BaseException:
            conversation.break_off()
            raise


class _Conversation:
    def __init__(self, connection: ClientConnection, frame: Frame | Bare, clock: Clock) -> None:
        self._connection, self._frame, self._clock = connection, frame, clock
        self._channel = Channel()
        self._typed = not frame.typed
        self._over = False

    def hold(self, ticket: Ticket) -> Answer:
        self._connection.send(_opening(ticket.token))
        while not self._frame.complete():
            for event in self._events(self._clock.left()):
                self._handle(event)
        answer = self._frame.answer()
        self._leave()
        return answer

    def break_off(self) -> None:
        """Have the command end, and say no more than the agent takes in a moment."""
        if self._over:
            return
        with contextlib.suppress(EcsExecError, ConnectionClosed, OSError):
            self._channel.terminate()
            self._wait_for_end(ENDED_WITHIN)

    def _leave(self) -> None:
        with contextlib.suppress(EcsExecError, ConnectionClosed, OSError):
            self._wait_for_end(min(LEFT_WITHIN, self._clock.left()))

    def _wait_for_end(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._over and (left := until - time.monotonic()) > 0:
            for event in self._events(left):
                self._over = self._over or isinstance(event, Closed)

    def _events(self, at_most: float) -> Iterator[Event]:
        self._send()
        wait = self._channel.wait()
        try:
            received = self._connection.recv(at_most if wait is None else min(wait, at_most))
        except TimeoutError:
            return
        if isinstance(received, bytes):
            yield from self._channel.receive(received)
            self._send()

    def _send(self) -> None:
        # Whoever has closed the connection may have said everything before: receiving tells.
        with contextlib.suppress(ConnectionClosed):
            for data in self._channel.outgoing():
                self._connection.send(data)

    def _handle(self, event: Event) -> None:
        if isinstance(event, Printed):
            self._frame.take(event.data)
            if not self._typed and self._frame.asked():
                self._typed = True
                self._channel.type(self._frame.typed)
        elif isinstance(event, Closed):
            self._over = True
            if not event.reason:
                self._frame.end()
            if not self._frame.complete():
                raise _ended_early(event.reason, self._frame)


def _ended_early(reason: str, frame: Frame | Bare) -> EcsExecError:
    said = " ".join(reason.replace("----------ERROR-------", "").split())
    if any(sign in said for sign in _NO_SHELL):
        return NoShellError(f"the image has no shell: {said}")
    return ConnectionLostError(
        f"the session ended before the command: {said or frame.unframed() or 'without a reason'}"
    )


@contextlib.contextmanager
def _connected(ticket: Ticket, clock: Clock) -> Iterator[ClientConnection]:
    try:
        connection = connect(
            ticket.url,
            compression=None,
            max_size=LARGEST_MESSAGE,
            open_timeout=min(OPENED_WITHIN, clock.left()),
            close_timeout=LEFT_WITHIN,
            ping_interval=PING_EVERY if clock.seconds > PING_EVERY else None,
            ping_timeout=None,
            user_agent_header=None,
            legacy=True,
        )
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"the session's address has no valid certificate: {error.verify_message}",
            "give the proxy's certificate authority as SSL_CERT_FILE",
        ) from None
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        clock.left()
        reason = str(error).replace(ticket.token, "…") or type(error).__name__
        raise UnreachableError(f"the session cannot be opened: {reason}") from None
    with _cut(connection, clock), contextlib.closing(connection):
        try:
            yield connection
        except (ConnectionClosed, EOFError, OSError) as error:
            clock.left()
            raise _lost(error) from None


def _lost(error: BaseException) -> EcsExecError:
    if isinstance(error, ConnectionClosed):
        sent = error.sent
        if sent is not None and sent.code in (1002, 1007, 1009):
            return CorruptAnswerError(f"the session's stream is damaged: {sent.reason}")
        received = error.rcvd
        said = f"code {received.code}, {received.reason}" if received else "without a close frame"
        return ConnectionLostError(f"the connection ended before the answer was whole: {said}")
    return ConnectionLostError(f"the connection broke: {error or type(error).__name__}")


@contextlib.contextmanager
def _cut(connection: ClientConnection, clock: Clock) -> Iterator[None]:
    """End the connection by force some time after the deadline.

    Sending has no deadline of its own: an agent that does not read would keep it forever.
    """
    timer = threading.Timer(clock.left() + 2 * ENDED_WITHIN, _shut, [connection.socket])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _shut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _opening(token: str) -> str:
    """OpenDataChannel, the first message, as text (session-manager-plugin, src/service)."""
    return json.dumps(
        {
            "MessageSchemaVersion": "1.0",
            "RequestId": str(uuid.uuid4()),
            "TokenValue": token,
            "ClientId": str(uuid.uuid4()),
            "ClientVersion": CLIENT_VERSION,
        }
    )
