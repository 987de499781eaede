from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from dnslib import RR, DNSRecord

from harness.environment import Credentials, Network, Tls
from harness.observation import FailureKind, HttpObservation
from harness.probes import http, names
from harness.probes.network import Reach
from harness.specs import HttpProbe, KeyForm
from tests.unit.harness import servers
from tests.unit.harness.conftest import ReachFor, TlsFor

KEY = "hk_test_" + "k" * 24


def ask(probe: HttpProbe) -> HttpObservation:
    return asyncio.run(http.observe(probe, Reach(Network(), Tls()), Credentials(api_key=KEY)))


def probe(port: int, path: str = "/", **settings: object) -> HttpProbe:
    return HttpProbe(url=f"http://127.0.0.1:{port}{path}", **{"deadline": 2.0, **settings})  # type: ignore[arg-type]


def kind(observation: HttpObservation) -> FailureKind:
    assert observation.failure is not None
    return observation.failure.kind


def test_an_answer_is_told_with_status_headers_body_and_timings() -> None:
    answer = servers.http_answer("200 OK", b'{"a": 1}', "X-Thing: 7")
    with servers.serving(servers.answering(answer)) as port:
        seen = ask(probe(port))
    assert (seen.status, seen.headers["x-thing"], seen.body) == (200, "7", '{"a": 1}')
    assert seen.failure is None
    assert {"dns", "connect", "first_byte", "total"} <= set(seen.timings)


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        ("x-api-key", b"X-API-Key: " + KEY.encode()),
        ("bearer", b"Authorization: Bearer " + KEY.encode()),
        ("apikey", b"Authorization: ApiKey " + KEY.encode()),
        ("query", b"GET /?api_key=" + KEY.encode()),
    ],
)
def test_the_key_is_sent_in_the_form_asked_for(form: KeyForm, sent: bytes) -> None:
    heads: list[bytes] = []
    with servers.serving(servers.answering(servers.http_answer("200 OK", b""), heads)) as port:
        ask(probe(port, api_key=form))
    assert sent in heads[0]


def test_a_refused_connection_is_told_from_a_dropped_one() -> None:
    assert kind(ask(probe(servers.unused_port()))) == FailureKind.CONNECT_REFUSED
    with servers.unconnectable() as port:
        assert kind(ask(probe(port, deadline=0.3))) == FailureKind.CONNECT_TIMEOUT


def test_a_silent_server_is_a_read_timeout_within_the_deadline() -> None:
    with servers.serving(servers.silent) as port:
        seen = ask(probe(port, deadline=0.3))
    assert kind(seen) == FailureKind.READ_TIMEOUT
    assert seen.timings["total"] < 1000


def test_a_reset_is_told_as_one() -> None:
    with servers.serving(servers.resetting) as port:
        assert kind(ask(probe(port))) == FailureKind.READ_RESET


def test_what_is_not_http_is_a_protocol_error() -> None:
    with servers.serving(servers.answering(b"SSH-2.0-nothing\r\n\r\n")) as port:
        assert kind(ask(probe(port))) == FailureKind.PROTOCOL_ERROR


def test_an_endless_body_ends_at_the_size_cap_with_what_was_read() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"
    with servers.serving(servers.answering(head + b"x" * 500_000)) as port:
        seen = ask(probe(port, max_bytes=1000))
    assert kind(seen) == FailureKind.TOO_LARGE
    assert (seen.status, seen.body_bytes) == (200, 1000)


def test_a_name_that_does_not_exist_is_told_as_nxdomain_by_the_resolver_asked() -> None:
    from dnslib.server import BaseResolver, DNSServer

    class Nothing(BaseResolver):  # type: ignore[misc]
        def resolve(self, request: object, handler: object) -> object:
            reply = request.reply()  # type: ignore[attr-defined]
            reply.header.rcode = 3
            return reply

    server = DNSServer(Nothing(), address="127.0.0.1", port=0)
    server.start_thread()
    try:
        port = server.server.server_address[1]
        reach = Reach(Network(resolver=f"127.0.0.1:{port}"), Tls())
        request = HttpProbe(url="http://nowhere.example/")
        seen = asyncio.run(http.observe(request, reach, Credentials()))
    finally:
        server.stop()
        server.server.server_close()
    assert kind(seen) == FailureKind.DNS_NXDOMAIN


class AnswersTheFirstTry(asyncio.DatagramProtocol):
    """A resolver that answers the first question after 0.3 s, and the others not at all."""

    def __init__(self) -> None:
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.asked += 1
        if self.asked == 1:
            reply = DNSRecord.parse(data).reply()
            reply.add_answer(*RR.fromZone("slow.example A 127.0.0.7"))
            later = asyncio.get_running_loop().call_later
            later(0.3, self.transport.sendto, reply.pack(), addr)


def test_an_answer_to_an_earlier_try_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "TRIES_EVERY", 0.2)

    async def look_up() -> names.Answer:
        loop = asyncio.get_running_loop()
        serving, _ = await loop.create_datagram_endpoint(AnswersTheFirstTry, ("127.0.0.1", 0))
        port = serving.get_extra_info("sockname")[1]
        try:
            async with asyncio.timeout(3):
                return await names.query("slow.example", "A", f"127.0.0.1:{port}")
        finally:
            serving.close()

    assert asyncio.run(look_up()).addresses() == ("127.0.0.7",)


def test_an_answer_that_arrives_when_the_next_try_is_due_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "TRIES_EVERY", 0.2)

    async def look_up(resolver: socket.socket) -> names.Answer:
        def answer_while_nobody_listens() -> None:
            packet, asker = resolver.recvfrom(512)
            reply = DNSRecord.parse(packet).reply()
            reply.add_answer(*RR.fromZone("slow.example A 127.0.0.7"))
            resolver.sendto(reply.pack(), asker)
            # A busy machine: the answer is seen, and the next try is due, in the same moment.
            time.sleep(2 * names.TRIES_EVERY)

        asyncio.get_running_loop().call_later(0.1, answer_while_nobody_listens)
        async with asyncio.timeout(2):
            return await names.query("slow.example", "A", f"127.0.0.1:{resolver.getsockname()[1]}")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind(("127.0.0.1", 0))
        assert asyncio.run(look_up(resolver)).addresses() == ("127.0.0.7",)


def test_a_redirect_is_followed_only_when_asked_and_the_key_stays_with_its_host() -> None:
    heads: list[bytes] = []
    final = servers.answering(servers.http_answer("200 OK", b"here"), heads)
    with servers.serving(final) as there:
        away = servers.http_answer("302 Found", b"", f"Location: http://localhost:{there}/x")
        with servers.serving(servers.answering(away)) as port:
            followed = ask(probe(port, api_key="x-api-key", redirects=1))
            looked_at = ask(probe(port, api_key="x-api-key"))
    assert (followed.status, followed.body, followed.hops[0].status) == (200, "here", 302)
    assert KEY.encode() not in heads[0]
    assert looked_at.status == 302


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://x/", "http://x:99999999/"])
def test_a_redirect_to_no_web_address_is_refused(location: str) -> None:
    answer = servers.http_answer("302 Found", b"", f"Location: {location}")
    with servers.serving(servers.answering(answer)) as port:
        seen = ask(probe(port, redirects=3))
    assert kind(seen) == FailureKind.REDIRECT_REFUSED


def secured(reach: Reach) -> HttpObservation:
    request = HttpProbe(url="https://registry.example/")
    return asyncio.run(http.observe(request, reach, Credentials()))


def test_connect_to_keeps_the_name_in_sni_host_header_and_verification(
    reach_for: ReachFor, tls_for: TlsFor
) -> None:
    heads: list[bytes] = []
    handler = servers.answering(servers.http_answer("200 OK", b""), heads)
    with servers.serving(handler, tls_for("registry.example")) as port:
        seen = secured(reach_for(f"registry.example:443:127.0.0.1:{port}"))
    assert seen.status == 200
    assert b"Host: registry.example\r\n" in heads[0]


def test_a_certificate_for_another_name_is_a_verify_failure(
    reach_for: ReachFor, tls_for: TlsFor
) -> None:
    handler = servers.answering(servers.http_answer("200 OK", b""))
    with servers.serving(handler, tls_for("other.example")) as port:
        seen = secured(reach_for(f"registry.example:443:127.0.0.1:{port}"))
    assert kind(seen) == FailureKind.TLS_VERIFY
    assert "registry.example" in str(seen.failure)
