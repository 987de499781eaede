"""The client's end of a data channel, without a network: bytes in, events and bytes out.

Rules as in aws/session-manager-plugin, src/datachannel: every stream message is acknowledged, read
in the order of its number, and an own one is sent again until it is acknowledged.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.ecs_exec import codec
from harness.ecs_exec.codec import AgentMessage, BadMessageError, Payload
from harness.ecs_exec.errors import (
    ConnectionLostError,
    CorruptAnswerError,
    EncryptionUnsupportedError,
)

CLIENT_VERSION: Final = "1.2.707.0"  # the plugin that this client behaves like
INPUT_CHUNK: Final = 1024
WINDOW: Final = 16
EARLY_AT_MOST: Final = 1024
BAD_AT_MOST: Final = 200
FIRST_PATIENCE, LONGEST_PATIENCE = 0.3, 2.0
SENT_AGAIN_AT_MOST: Final = 30
_SUCCESS, _FAILED, _UNSUPPORTED = 1, 2, 3
_TERMINATE: Final = (2).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Printed:
    """The terminal printed this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """The handshake is complete: input is read from now on."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The agent ended the session; ``reason`` is empty when the command just ended."""

    reason: str


Event = Printed | Ready | Closed


@dataclass(slots=True)
class _Sent:
    data: bytes
    at: float
    times: int = 1

    def due(self) -> float:
        return self.at + min(FIRST_PATIENCE * 2.0 ** (self.times - 1), LONGEST_PATIENCE)


class Channel:
    """The state of one session. Not thread-safe; ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outbox: deque[bytes] = deque()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._sent: dict[int, _Sent] = {}
        self._early: dict[int, AgentMessage] = {}
        self._next_out = self._next_in = self._bad = 0
        self._paused = self._ready = False

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take one binary message; yield what it makes known. Raises EcsExecError."""
        try:
            message = codec.decode(data)
        except BadMessageError as error:
            self._note_bad(error)
            return
        match message.type:
            case codec.OUTPUT:
                yield from self._stream(message)
            case codec.ACKNOWLEDGE:
                self._acknowledged(message.payload)
            case codec.CHANNEL_CLOSED:
                yield Closed(str(_object(message.payload).get("Output") or "").strip())
            case codec.PAUSE:
                self._paused = True
            case codec.START:
                self._paused = False

    def type(self, data: bytes) -> None:
        """Type ``data``, in chunks, as soon as the agent takes it."""
        for begin in range(0, len(data), INPUT_CHUNK):
            self._waiting.append((Payload.TEXT, data[begin : begin + INPUT_CHUNK]))

    def terminate(self) -> None:
        """Interrupt the command, then end the session; whatever was still to be typed is not."""
        self._waiting.clear()
        if self._ready:
            self._put(Payload.TEXT, b"\x03")
        self._put(Payload.FLAG, _TERMINATE)

    def outgoing(self) -> Iterator[bytes]:
        """Yield the messages to send now. Raises ConnectionLostError if none is ever answered."""
        while self._ready and not self._paused and self._waiting and len(self._sent) < WINDOW:
            self._put(*self._waiting.popleft())
        self._send_again()
        while self._outbox:
            yield self._outbox.popleft()

    def wait(self) -> float | None:
        """Return the seconds until ``outgoing`` has something by itself; None if it has not."""
        if not self._sent:
            return None
        return max(0.0, min(sent.due() for sent in self._sent.values()) - self._clock())

    def _put(self, payload_type: int, payload: bytes) -> None:
        number, self._next_out = self._next_out, self._next_out + 1
        message = AgentMessage(codec.INPUT, payload, payload_type, number)
        data = codec.encode(message)
        self._sent[number] = _Sent(data, self._clock())
        self._outbox.append(data)

    def _send_again(self) -> None:
        now = self._clock()
        for sent in self._sent.values():
            if sent.due() <= now:
                if sent.times > SENT_AGAIN_AT_MOST:
                    raise ConnectionLostError("the agent acknowledges nothing")
                sent.at, sent.times = now, sent.times + 1
                self._outbox.append(sent.data)

    def _stream(self, message: AgentMessage) -> Iterator[Event]:
        early = message.sequence > self._next_in
        if early and len(self._early) >= EARLY_AT_MOST and message.sequence not in self._early:
            return  # Not acknowledged, so it comes again.
        # What came before is acknowledged once more: its acknowledgement may have been lost.
        self._acknowledge(message)
        if message.sequence < self._next_in:
            return
        self._early.setdefault(message.sequence, message)
        while (following := self._early.pop(self._next_in, None)) is not None:
            self._next_in += 1
            yield from self._read(following)

    def _read(self, message: AgentMessage) -> Iterator[Event]:
        match message.payload_type:
            case Payload.HANDSHAKE_REQUEST:
                self._shake_hands(_object(message.payload))
            case Payload.HANDSHAKE_COMPLETE:
                self._ready = True
                yield Ready()
            case Payload.ENCRYPTION_CHALLENGE_REQUEST:
                raise EncryptionUnsupportedError("the agent encrypts this session with a KMS key")
            case Payload.TEXT | Payload.STDERR | Payload.ERROR:
                yield Printed(message.payload)

    def _shake_hands(self, request: dict[str, Any]) -> None:
        actions = request.get("RequestedClientActions")
        done = [_processed(each) for each in actions] if isinstance(actions, list) else []
        errors = [each["Error"] for each in done if each["Error"]]
        response = {
            "ClientVersion": CLIENT_VERSION,
            "ProcessedClientActions": done,
            "Errors": errors,
        }
        self._put(Payload.HANDSHAKE_RESPONSE, json.dumps(response).encode())
        if any(each["ActionType"] == "KMSEncryption" for each in done):
            raise EncryptionUnsupportedError("this cluster encrypts sessions with a KMS key")

    def _acknowledge(self, message: AgentMessage) -> None:
        content = {
            "AcknowledgedMessageType": message.type,
            "AcknowledgedMessageId": str(message.id),
            "AcknowledgedMessageSequenceNumber": message.sequence,
            "IsSequentialMessage": True,
        }
        acknowledgement = AgentMessage(codec.ACKNOWLEDGE, json.dumps(content).encode(), flags=3)
        self._outbox.append(codec.encode(acknowledgement))

    def _acknowledged(self, payload: bytes) -> None:
        number = _object(payload).get("AcknowledgedMessageSequenceNumber")
        if isinstance(number, int):
            self._sent.pop(number, None)

    def _note_bad(self, error: BadMessageError) -> None:
        # Not acknowledged, so a stream message comes again.
        self._bad += 1
        if self._bad > BAD_AT_MOST:
            raise CorruptAnswerError(f"{self._bad} messages arrived damaged; the last one: {error}")


def _processed(action: Any) -> dict[str, Any]:
    kind = str(action.get("ActionType")) if isinstance(action, dict) else "?"
    status, error = _SUCCESS, ""
    if kind != "SessionType":
        status, error = _UNSUPPORTED, f"{kind} is not supported by this client"
    return {"ActionType": kind, "ActionStatus": status, "ActionResult": None, "Error": error}


def _object(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
