"""Look-ups by a resolver of the runner's own choice."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import NamedTuple

import msgspec
from dnslib import QTYPE, RCODE, DNSError, DNSRecord

from harness.observation import DnsObservation, FailureKind
from harness.probes.stage import Clock, StageError
from harness.specs import DnsProbe

TRIES_EVERY = 1.0
LARGEST = 65_535


class Answer(NamedTuple):
    """What a resolver said: the response code and the records, as text."""

    name: str
    rcode: str
    records: tuple[str, ...]
    ttl: int | None

    def addresses(self) -> tuple[str, ...]:
        """Return the records. Raises StageError if there are none."""
        if self.rcode == "NXDOMAIN":
            raise StageError(FailureKind.DNS_NXDOMAIN, f"{self.name}: no such name (NXDOMAIN)")
        if self.rcode != "NOERROR":
            raise StageError(
                FailureKind.DNS_SERVFAIL, f"{self.name}: the resolver says {self.rcode}"
            )
        if not self.records:
            raise StageError(FailureKind.DNS_NO_ANSWER, f"{self.name}: the name has no such record")
        return self.records


async def query(name: str, record: str, resolver: str) -> Answer:
    """Ask ``resolver`` (address:port) for ``name``. The caller bounds it. Raises StageError."""
    host, _, port = resolver.rpartition(":")
    try:
        question = DNSRecord.question(name, record)
        question.pack()
    except (DNSError, UnicodeError):
        raise StageError(FailureKind.DNS_NXDOMAIN, f"{name}: is not a host name") from None
    try:
        response = await _asked(question, host, int(port))
    except (DNSError, OSError, EOFError) as error:
        message = f"{name}: resolver {resolver}: {type(error).__name__}"
        raise StageError(FailureKind.DNS_SERVFAIL, message) from None
    found = [each for each in response.rr if each.rtype == getattr(QTYPE, record)]
    code = response.header.rcode
    return Answer(
        name,
        RCODE.forward.get(code, str(code)),
        tuple(str(each.rdata) for each in found),
        min((each.ttl for each in found), default=None),
    )


async def _asked(question: DNSRecord, host: str, port: int) -> DNSRecord:
    """Return the answer. Raises DNSError, OSError and EOFError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packet, resolver = question.pack(), (host, port)
    # One socket for all tries: an answer to an earlier one, late, is an answer.
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        await asyncio.get_running_loop().sock_sendto(udp, packet, resolver)
        # Beside the waiting, which is not given up for the next try: an answer that arrives in the
        # moment when that one is due would be lost.
        again = asyncio.ensure_future(_ask_again(udp, packet, resolver))
        try:
            response = await _heard(udp, question, resolver)
        finally:
            again.cancel()
    return await _whole(question, host, port) if response.header.tc else response


async def _ask_again(udp: socket.socket, packet: bytes, resolver: tuple[str, int]) -> None:
    """Send ``packet`` ever again, since UDP may be lost. The caller's deadline ends it."""
    while True:
        await asyncio.sleep(TRIES_EVERY)
        with contextlib.suppress(OSError):  # as if it were lost
            udp.sendto(packet, resolver)


async def _heard(udp: socket.socket, question: DNSRecord, resolver: tuple[str, int]) -> DNSRecord:
    """Return the first answer to ``question``: what comes from elsewhere is not the resolver's."""
    while True:
        packet, sender = await asyncio.get_running_loop().sock_recvfrom(udp, LARGEST)
        if sender[:2] != resolver:
            continue
        response = DNSRecord.parse(packet)
        if _answers(response, question):
            return response


async def _whole(question: DNSRecord, host: str, port: int) -> DNSRecord:
    """Return the answer that was too long for a datagram."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        packet = question.pack()
        writer.write(len(packet).to_bytes(2, "big") + packet)
        length = int.from_bytes(await reader.readexactly(2), "big")
        return DNSRecord.parse(await reader.readexactly(length))
    finally:
        writer.transport.abort()


def _answers(response: DNSRecord, question: DNSRecord) -> bool:
    same = response.header.id == question.header.id and response.header.qr
    return bool(same) and (not response.questions or response.questions == question.questions)


async def observe(probe: DnsProbe, resolver: str) -> DnsObservation:
    """Look ``probe.name`` up and tell what the resolver said."""
    clock = Clock(probe.deadline)
    seen = DnsObservation(name=probe.name, record=probe.record, resolver=resolver)
    changes: dict[str, object] = {}
    try:
        async with asyncio.timeout(probe.deadline):
            answer = await query(probe.name, probe.record, resolver)
        changes = {"rcode": answer.rcode, "answers": answer.records, "ttl": answer.ttl}
        answer.addresses()
    except (StageError, TimeoutError) as error:
        changes["failure"] = clock.failure(error, probe.name)
    return msgspec.structs.replace(seen, **changes)
