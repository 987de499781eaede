"""Look-ups by a resolver of the runner's own choice."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from harness.observation import DnsObservation, FailureKind
from harness.probes.stage import Clock, StageError
from harness.specs import DnsProbe

if TYPE_CHECKING:
    from dns.message import Message

TRIES_EVERY = 1.0


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
    import dns.exception
    import dns.message
    import dns.rcode

    question = dns.message.make_query(name, record)
    host, _, port = resolver.rpartition(":")
    try:
        response = await _asked(question, host, int(port))
    except (dns.exception.DNSException, OSError, EOFError) as error:
        message = f"{name}: resolver {resolver}: {type(error).__name__}"
        raise StageError(FailureKind.DNS_SERVFAIL, message) from None
    records, ttl = _records(response, record)
    return Answer(name, dns.rcode.to_text(response.rcode()), records, ttl)


async def _asked(question: Message, host: str, port: int) -> Message:
    import dns.asyncbackend
    import dns.asyncquery
    import dns.exception
    import dns.inet

    backend = dns.asyncbackend.get_backend("asyncio")
    family = dns.inet.af_for_address(host)
    # One socket for all tries: an answer to an earlier one, late, is an answer.
    async with await backend.make_socket(family, socket.SOCK_DGRAM, 0, None, None) as udp:
        while True:
            try:
                response, _ = await dns.asyncquery.udp_with_fallback(
                    question,
                    host,
                    port=port,
                    timeout=TRIES_EVERY,
                    ignore_unexpected=True,
                    udp_sock=udp,
                )
            except dns.exception.Timeout:
                continue  # UDP may be lost; the caller's deadline ends this
            return response


def _records(response: object, record: str) -> tuple[tuple[str, ...], int | None]:
    import dns.message
    import dns.rdatatype

    assert isinstance(response, dns.message.Message)
    wanted = dns.rdatatype.from_text(record)
    sets = [rrset for rrset in response.answer if rrset.rdtype == wanted]
    records = tuple(item.to_text() for rrset in sets for item in rrset)
    return records, min((rrset.ttl for rrset in sets), default=None)


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
