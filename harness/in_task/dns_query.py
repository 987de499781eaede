"""One DNS question straight to a resolver, for what getaddrinfo does not tell: code and TTL.

Part of the in-task probe: Python 3.8, the standard library only, no other module of the suite.
"""

import random
import socket
import struct
from typing import Any, Dict

PORT = 53
LARGEST = 4096
TYPES = {"A": 1, "CNAME": 5, "AAAA": 28}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def ask(name: str, record: str, resolver: str, seconds: float) -> Dict[str, Any]:
    """Return rcode, answers (of the wanted type) and the lowest ttl. Raises OSError, ValueError."""
    number = random.randrange(1 << 16)  # noqa: S311 - it tells answers apart, it keeps no secret
    family = socket.AF_INET6 if ":" in resolver else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(seconds)
        asking.connect((resolver, PORT))
        asking.send(question(number, name, TYPES[record]))
        packet = asking.recv(LARGEST)
    return answer(number, packet, TYPES[record])


def question(number: int, name: str, wanted: int) -> bytes:
    """Return the packet that asks for ``name``, recursion desired. Raises ValueError."""
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError("not a host name")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + encoded + struct.pack(">2H", wanted, 1)


def answer(number: int, packet: bytes, wanted: int) -> Dict[str, Any]:
    """Return what a resolver's packet says. Raises ValueError where it is none of ours."""
    try:
        ours, flags, questions, records = struct.unpack_from(">4H", packet)
        if ours != number:
            raise ValueError("the answer to another question")
        at = 12
        for _ in range(questions):
            at = skip(packet, at) + 4
        found = []
        for _ in range(records):
            at = skip(packet, at)
            kind, _, ttl, length = struct.unpack_from(">2HIH", packet, at)
            at += 10
            if kind == wanted:
                found.append((text(packet, at, length, kind), ttl))
            at += length
    except (struct.error, IndexError):
        raise ValueError("a damaged packet") from None
    lowest = min((ttl for _, ttl in found), default=None)
    code = flags & 0xF
    return {
        "rcode": RCODES.get(code, str(code)),
        "answers": [one for one, _ in found],
        "ttl": lowest,
    }


def skip(packet: bytes, at: int) -> int:
    """Return where the name at ``at`` ends."""
    while packet[at]:
        if packet[at] >= 0xC0:
            return at + 2
        at += packet[at] + 1
    return at + 1


def text(packet: bytes, at: int, length: int, kind: int) -> str:
    """Return a record's data as text."""
    if kind == TYPES["A"]:
        return socket.inet_ntop(socket.AF_INET, packet[at : at + length])
    if kind == TYPES["AAAA"]:
        return socket.inet_ntop(socket.AF_INET6, packet[at : at + length])
    return name_at(packet, at)


def name_at(packet: bytes, at: int) -> str:
    """Return the name at ``at``, its pointers followed. Raises ValueError where they do not end."""
    labels: list[str] = []
    for _ in range(LARGEST // 2):
        size = packet[at]
        if size == 0:
            return ".".join(labels)
        if size >= 0xC0:
            at = (size & 0x3F) << 8 | packet[at + 1]
        else:
            labels.append(packet[at + 1 : at + 1 + size].decode("ascii", "replace"))
            at += size + 1
    raise ValueError("a name without end")
