"""The DNS server of the lab: the VPC's resolver and the public DNS in one, UDP and TCP."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from dnslib import CNAME, QTYPE, RCODE, RR, A, DNSError, DNSRecord

from lab.zones import Found, Zones

_LARGEST = 4096
_TCP_PATIENCE = 5.0


class NameServer:
    """Answers on one address and port until closed.

    `reachable` is asked with each question: false, and the question stays without an answer, as
    with a VPC whose DNS support is off.
    """

    def __init__(
        self, address: str, port: int, zones: Zones, reachable: Callable[[], bool]
    ) -> None:
        """Bind both sockets. Raises OSError if one is taken."""
        respond = partial(_respond, zones, reachable)
        self._udp = _Udp((address, port), _handler(_answer_datagram, respond))
        try:
            self._tcp = _Tcp((address, port), _handler(_answer_stream, respond))
        except OSError:
            self._udp.server_close()
            raise
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), name="dns", daemon=True)
            for server in (self._udp, self._tcp)
        ]

    def start(self) -> None:
        """Answer from threads of its own."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop answering and give the port back."""
        for server, thread in zip((self._udp, self._tcp), self._threads, strict=True):
            if thread.is_alive():
                server.shutdown()
            server.server_close()


Respond = Callable[[bytes], bytes | None]


class _Udp(socketserver.UDPServer):
    max_packet_size = _LARGEST


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def _handler(answer: Callable[[Any, Any, Respond], None], respond: Respond) -> Any:
    """A socketserver handler: a callable that does its work when it is made."""
    return lambda request, client, _server: answer(request, client, respond)


def _answer_datagram(request: tuple[bytes, socket.socket], client: Any, respond: Respond) -> None:
    message, server = request
    reply = respond(message)
    if reply is not None:
        server.sendto(reply, client)


def _answer_stream(connection: socket.socket, _client: Any, respond: Respond) -> None:
    connection.settimeout(_TCP_PATIENCE)
    with connection.makefile("rb") as stream:
        while len(prefix := stream.read(2)) == 2:
            reply = respond(stream.read(int.from_bytes(prefix, "big")))
            if reply is None:
                return
            connection.sendall(len(reply).to_bytes(2, "big") + reply)


def _respond(zones: Zones, reachable: Callable[[], bool], message: bytes) -> bytes | None:
    try:
        question = DNSRecord.parse(message)
    except DNSError:
        return None
    if not question.questions or not reachable():
        return None
    reply = question.reply(aa=1, ra=1)
    found = zones.addresses(str(question.q.qname))
    if not found.exists:
        reply.header.rcode = RCODE.NXDOMAIN
    _fill(reply, found, QTYPE[question.q.qtype])
    packed: bytes = reply.pack()
    return packed


def _fill(reply: DNSRecord, found: Found, wanted: str) -> None:
    for record in found.records:
        if record.kind in (wanted, "CNAME") or wanted == "ANY":
            data = A(record.value) if record.kind == "A" else CNAME(record.value)
            reply.add_answer(
                RR(record.name, getattr(QTYPE, record.kind), rdata=data, ttl=record.ttl)
            )
