"""Session Manager's binary messages: read and written byte by byte.

The layout is public: `AgentMessage` in aws/amazon-ssm-agent, agent/session/contracts (the comment
above ``Deserialize``), and `ClientMessage` in aws/session-manager-plugin, src/message.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass, field
from typing import Final

# Where each field begins. The header's own length does not count its four bytes of payload length.
_TYPE, _SCHEMA, _CREATED, _SEQUENCE, _FLAGS = 4, 36, 40, 48, 56
_ID, _DIGEST, _KIND, _LENGTH, _PAYLOAD = 64, 80, 112, 116, 120
SCHEMA_VERSION: Final = 1

INPUT: Final = "input_stream_data"
OUTPUT: Final = "output_stream_data"
ACKNOWLEDGE: Final = "acknowledge"
CHANNEL_CLOSED: Final = "channel_closed"
PAUSE: Final = "pause_publication"
START: Final = "start_publication"


class Payload:
    """Numbers that say what a stream message's payload is."""

    TEXT: Final = 1
    ERROR: Final = 2
    SIZE: Final = 3
    PARAMETER: Final = 4
    HANDSHAKE_REQUEST: Final = 5
    HANDSHAKE_RESPONSE: Final = 6
    HANDSHAKE_COMPLETE: Final = 7
    ENCRYPTION_CHALLENGE_REQUEST: Final = 8
    ENCRYPTION_CHALLENGE_RESPONSE: Final = 9
    FLAG: Final = 10
    STDERR: Final = 11
    EXIT_CODE: Final = 12


class BadMessageError(ValueError):
    """Bytes that are no whole message; the text says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class AgentMessage:
    """One message. ``created`` is in milliseconds since 1970."""

    type: str
    payload: bytes = b""
    payload_type: int = 0
    sequence: int = 0
    flags: int = 0
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    created: int = field(default_factory=lambda: time.time_ns() // 1_000_000)


def encode(message: AgentMessage) -> bytes:
    """Return the bytes of ``message``."""
    return b"".join(
        (
            _LENGTH.to_bytes(4, "big"),
            message.type.encode("ascii").ljust(32, b" "),
            SCHEMA_VERSION.to_bytes(4, "big"),
            message.created.to_bytes(8, "big"),
            message.sequence.to_bytes(8, "big", signed=True),
            message.flags.to_bytes(8, "big"),
            _halves_swapped(message.id.bytes),
            hashlib.sha256(message.payload).digest(),
            message.payload_type.to_bytes(4, "big"),
            len(message.payload).to_bytes(4, "big"),
            message.payload,
        )
    )


def decode(data: bytes) -> AgentMessage:
    """Return the message that ``data`` is. Raises BadMessageError, also for a wrong digest."""
    if len(data) < _PAYLOAD:
        raise BadMessageError(f"{len(data)} bytes are less than a header")
    header = _number(data, 0, 4)
    begin = header + 4
    if header < _LENGTH or begin > len(data):
        raise BadMessageError(f"its header claims {header} bytes, of {len(data)} in all")
    payload = data[begin:]
    if (claimed := _number(data, header, 4)) != len(payload):
        raise BadMessageError(f"its payload claims {claimed} bytes, {len(payload)} came")
    # The service's own messages may have neither payload nor digest.
    if payload and hashlib.sha256(payload).digest() != data[_DIGEST:_KIND]:
        raise BadMessageError("its digest is not that of its payload")
    try:
        name = data[_TYPE:_SCHEMA].strip(b"\0 ").decode("ascii")
    except UnicodeDecodeError:
        raise BadMessageError("its type is no text") from None
    return AgentMessage(
        type=name,
        payload=payload,
        payload_type=_number(data, _KIND, 4),
        sequence=int.from_bytes(data[_SEQUENCE:_FLAGS], "big", signed=True),
        flags=_number(data, _FLAGS, 8),
        id=uuid.UUID(bytes=_halves_swapped(data[_ID:_DIGEST])),
        created=_number(data, _CREATED, 8),
    )


def _number(data: bytes, begin: int, size: int) -> int:
    return int.from_bytes(data[begin : begin + size], "big")


def _halves_swapped(identifier: bytes) -> bytes:
    # The agent writes the least significant half of a UUID first.
    return identifier[8:] + identifier[:8]
