"""Session Manager's binary message, as both ends of a data channel send it.

After the public description in amazon-ssm-agent, agent/session/contracts/agentmessage.go: integers
are big-endian, the header has 116 bytes, and after it come the payload's length and the payload.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import time
import uuid
from dataclasses import dataclass, field
from enum import IntEnum

# Header length, type, schema version, date, sequence number, flags, id, digest, payload type.
_HEADER = struct.Struct(">I32sIQqQ16s32sI")
_LENGTH = struct.Struct(">I")
HEADER_LENGTH = _HEADER.size
SCHEMA_VERSION = 1
SYN, FIN = 1, 2

INPUT, OUTPUT = "input_stream_data", "output_stream_data"
ACKNOWLEDGE, CLOSED = "acknowledge", "channel_closed"
PAUSE, START = "pause_publication", "start_publication"


class Kind(IntEnum):
    """What the payload of a stream message is."""

    NONE = 0
    OUTPUT = 1
    ERROR = 2
    SIZE = 3
    PARAMETER = 4
    HANDSHAKE_REQUEST = 5
    HANDSHAKE_RESPONSE = 6
    HANDSHAKE_COMPLETE = 7
    FLAG = 10
    STDERR = 11
    EXIT_CODE = 12


class MalformedError(ValueError):
    """These bytes are not a message, or were damaged on their way."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `created` is in milliseconds since 1970; `kind` may be an unknown number."""

    type: str
    payload: bytes = b""
    kind: int = Kind.NONE
    sequence: int = 0
    flags: int = SYN | FIN
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    created: int = field(default_factory=lambda: int(time.time() * 1000))

    def pack(self) -> bytes:
        """The bytes of the message."""
        header = _HEADER.pack(
            HEADER_LENGTH,
            self.type.encode().ljust(32),
            SCHEMA_VERSION,
            self.created,
            self.sequence,
            self.flags,
            _swapped(self.id.bytes),
            hashlib.sha256(self.payload).digest(),
            self.kind,
        )
        return header + _LENGTH.pack(len(self.payload)) + self.payload


def unpack(data: bytes) -> Message:
    """Read a message. Raises MalformedError, with what is wrong, also where the digest is."""
    if len(data) < HEADER_LENGTH + _LENGTH.size:
        raise MalformedError(f"{len(data)} bytes are too few for a message")
    header, kind_of, _, created, sequence, flags, name, digest, kind = _HEADER.unpack_from(data)
    if not HEADER_LENGTH <= header <= len(data) - _LENGTH.size:
        raise MalformedError(f"a header of {header} bytes")
    (length,) = _LENGTH.unpack_from(data, header)
    payload = data[header + _LENGTH.size :]
    if len(payload) != length:
        raise MalformedError(f"{len(payload)} bytes of payload instead of {length}")
    # A payload of no bytes may come without its digest.
    if payload and not hmac.compare_digest(hashlib.sha256(payload).digest(), digest):
        raise MalformedError("the digest is not that of the payload")
    return Message(
        type=kind_of.decode("utf-8", "replace").strip("\0 "),
        payload=payload,
        kind=kind,
        sequence=sequence,
        flags=flags,
        id=uuid.UUID(bytes=_swapped(name)),
        created=created,
    )


def _swapped(identifier: bytes) -> bytes:
    """The least significant half of an id goes first (agentmessage.go, getUuid)."""
    return identifier[8:] + identifier[:8]
