"""A small client of ECS Exec's data channel, straight from the message format, for tests only."""

from __future__ import annotations

import hashlib
import json
import struct
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

FORMAT = ">I32sIQqQ8s8s32sII"
SHAKE = {"ActionType": "SessionType", "ActionStatus": 1, "ActionResult": None, "Error": ""}


@dataclass
class Got:
    """What a message from the agent said."""

    type: str
    sequence: int
    flags: int
    id: uuid.UUID
    kind: int
    payload: bytes


def read(data: bytes) -> Got:
    (head, name, _, _, sequence, flags, low, high, digest, kind, length) = struct.unpack_from(
        FORMAT, data
    )
    payload = data[120:]
    assert (head, length) == (116, len(payload))
    assert digest == hashlib.sha256(payload).digest()
    return Got(name.decode().strip(), sequence, flags, uuid.UUID(bytes=high + low), kind, payload)


def write(name: str, payload: bytes, kind: int = 0, sequence: int = 0) -> bytes:
    created, identifier = int(time.time() * 1000), uuid.uuid4().bytes
    digest = hashlib.sha256(payload).digest()
    head = struct.pack(
        FORMAT,
        116,
        name.encode(),
        1,
        created,
        sequence,
        0,
        identifier[8:],
        identifier[:8],
        digest,
        kind,
        len(payload),
    )
    return head + payload


@dataclass
class Client:
    """One session; `acknowledges` False leaves the agent without answers."""

    socket: ClientConnection
    acknowledges: bool = True
    deadline: float = field(default_factory=lambda: time.monotonic() + 20)
    expected: int = 0
    sent: int = 0
    output: bytearray = field(default_factory=bytearray)
    closed: dict[str, Any] | None = None
    acknowledged: list[int] = field(default_factory=list)
    shaken: dict[str, Any] | None = None

    @classmethod
    def open(cls, url: str, token: str, **options: Any) -> Self:
        socket = connect(
            url, compression=None, open_timeout=5, proxy=None, max_size=None, legacy=True
        )
        opening = {
            "MessageSchemaVersion": "1.0",
            "RequestId": str(uuid.uuid4()),
            "TokenValue": token,
            "ClientId": str(uuid.uuid4()),
            "ClientVersion": "1.2.0.0",
        }
        socket.send(json.dumps(opening))
        return cls(socket, **options)

    def receive(self) -> Got:
        data = self.socket.recv(timeout=max(0.0, self.deadline - time.monotonic()))
        assert isinstance(data, bytes)
        return read(data)

    def stream(self, payload: bytes, kind: int = 1) -> None:
        self.socket.send(write("input_stream_data", payload, kind, self.sent))
        self.sent += 1

    def acknowledge(self, got: Got) -> None:
        content = {
            "AcknowledgedMessageType": got.type,
            "AcknowledgedMessageId": str(got.id),
            "AcknowledgedMessageSequenceNumber": got.sequence,
            "IsSequentialMessage": True,
        }
        self.socket.send(write("acknowledge", json.dumps(content).encode()))

    def handle(self, got: Got) -> None:
        if got.type == "acknowledge":
            number = json.loads(got.payload)["AcknowledgedMessageSequenceNumber"]
            self.acknowledged.append(number)
        elif got.type == "channel_closed":
            self.closed = json.loads(got.payload)
        elif got.type == "output_stream_data":
            if self.acknowledges:
                self.acknowledge(got)
            if got.sequence == self.expected:
                self.expected += 1
                self.take(got)

    def take(self, got: Got) -> None:
        if got.kind == 5:
            self.shaken = json.loads(got.payload)
            answer = {"ClientVersion": "1.2.0.0", "ProcessedClientActions": [SHAKE], "Errors": []}
            self.stream(json.dumps(answer).encode(), 6)
        elif got.kind == 1:
            self.output += got.payload

    def until(self, text: bytes) -> bytes:
        while text not in self.output:
            self.handle(self.receive())
        return bytes(self.output)

    def finish(self) -> bytes:
        """Everything until the agent closes the channel."""
        try:
            while self.closed is None:
                self.handle(self.receive())
        except ConnectionClosed:
            pass
        self.socket.close()
        return bytes(self.output)
