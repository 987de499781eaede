"""Bodies, kept connections and broken targets: what a client of the load balancer sees."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.blackhole import Blackhole
from lab.edge import Edge
from lab.edge.model import Target
from tests.unit.lab.edge_bench import (
    FORWARD,
    GROUP,
    PACE,
    Control,
    ask,
    echo_target,
    raw_target,
    until,
)

ADDRESS, TARGET = "127.250.11.1", "127.250.11.2"


@pytest.fixture
def control() -> Control:
    made = Control()
    made.listen(ADDRESS, default=FORWARD)
    return made


@pytest.fixture
def edge(control: Control, tmp_path: Path) -> Iterator[Edge]:
    running = Edge(control, access_log=tmp_path / "access.log", pace=PACE)
    running.start()
    yield running
    running.stop()


def use(control: Control, edge: Edge, target: Target) -> None:
    """Register a target and wait until it is healthy."""
    control.register(target)
    until(lambda: [each.state for each in edge.target_health(GROUP)] == ["healthy"])


def page(status: int, words: str) -> bytes:
    title = f"{status} {words}"
    return f"<center><h1>{title}</h1></center>".encode()


def assert_own_error(status: int, words: str, **how: float) -> None:
    begun = time.monotonic()
    reply = ask(ADDRESS, "/api")
    assert reply.status == status
    assert page(status, words) in reply.body
    assert reply.headers["Content-Type"] == "text/html"
    assert reply.headers["Server"] == "awselb/2.0"
    assert time.monotonic() - begun < how.get("within", 2.0)


def test_one_connection_serves_many_requests(control: Control, edge: Edge) -> None:
    with echo_target(TARGET) as target:
        use(control, edge, target)
        connection = http.client.HTTPConnection(ADDRESS, 8080, timeout=3)
        for number in range(5):
            connection.request("POST", f"/{number}", b"x" * number)
            response = connection.getresponse()
            assert b'"size": %d' % number in response.read()
        connection.close()


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_a_body_goes_up_with_a_length_or_in_chunks(control: Control, edge: Edge, size: int) -> None:
    with echo_target(TARGET) as target:
        use(control, edge, target)
        body = b"x" * size
        assert ask(ADDRESS, method="POST", body=body).json()["size"] == size
        parts = (body[at : at + 100_000] for at in range(0, size, 100_000))
        assert ask(ADDRESS, method="POST", body=parts).json()["size"] == size


def test_a_client_that_waits_for_the_go_ahead_gets_it(control: Control, edge: Edge) -> None:
    with echo_target(TARGET) as target, socket.create_connection((ADDRESS, 8080)) as client:
        use(control, edge, target)
        client.settimeout(3)
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"hello")
        answer = b""
        while b'"size": 5' not in answer:
            more = client.recv(4096)
            assert more, answer
            answer += more


def test_an_answer_is_passed_on_while_it_comes(control: Control, edge: Edge) -> None:
    more = threading.Event()

    def slowly(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        more.wait(3)
        connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")

    with raw_target(TARGET, slowly) as target:
        use(control, edge, target)
        connection = http.client.HTTPConnection(ADDRESS, 8080, timeout=3)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.read(5) == b"first"
        more.set()
        assert response.read() == b"last"
        connection.close()


def test_an_answer_that_ends_with_the_connection_is_whole(control: Control, edge: Edge) -> None:
    def closing(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")

    with raw_target(TARGET, closing) as target:
        use(control, edge, target)
        assert ask(ADDRESS).body == b"until the end"


def test_a_refusing_target_is_a_bad_gateway(control: Control, edge: Edge) -> None:
    with echo_target(TARGET) as target:
        use(control, edge, target)
    assert_own_error(502, "Bad Gateway")


def _reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _nonsense(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"SSH-2.0-not http\r\n\r\n")


def _silent_close(connection: socket.socket) -> None:
    connection.recv(4096)


@pytest.mark.parametrize("behave", [_reset, _nonsense, _silent_close])
def test_a_broken_target_is_a_bad_gateway(control: Control, edge: Edge, behave: object) -> None:
    assert callable(behave)
    with raw_target(TARGET, behave) as target:
        use(control, edge, target)
        assert_own_error(502, "Bad Gateway")


def test_a_target_that_cannot_be_reached_is_a_gateway_timeout(control: Control, edge: Edge) -> None:
    with echo_target(TARGET) as target:
        use(control, edge, target)
    with Blackhole(TARGET, 8001):
        assert_own_error(504, "Gateway Time-out", within=1.0)


def test_a_security_group_between_edge_and_target_is_a_gateway_timeout(
    control: Control, edge: Edge
) -> None:
    with echo_target(TARGET) as target:
        use(control, edge, target)
        control.blocked.add(target.port)
        assert_own_error(504, "Gateway Time-out", within=1.0)
        assert control.sources == {ADDRESS}


def test_a_target_that_never_answers_is_a_gateway_timeout(tmp_path: Path) -> None:
    control = Control()
    control.listen(ADDRESS, default=FORWARD)
    release = threading.Event()
    edge = Edge(control, access_log=tmp_path / "log", pace=replace(PACE, idle_timeout=0.2))
    edge.start()
    try:
        with raw_target(TARGET, lambda _: release.wait(3) and None) as target:
            use(control, edge, target)
            assert_own_error(504, "Gateway Time-out", within=1.0)
            release.set()
    finally:
        edge.stop()


def test_an_answer_cut_short_is_not_passed_off_as_whole(control: Control, edge: Edge) -> None:
    def half(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with raw_target(TARGET, half) as target:
        use(control, edge, target)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            ask(ADDRESS)


def test_a_group_without_targets_is_unavailable(control: Control, edge: Edge) -> None:
    control.register()
    assert_own_error(503, "Service Temporarily Unavailable")


def test_a_target_that_was_not_checked_yet_is_not_used(tmp_path: Path) -> None:
    control = Control()
    control.listen(ADDRESS, default=FORWARD)
    control.register(Target(TARGET, 8001))
    edge = Edge(control, access_log=tmp_path / "log", pace=replace(PACE, registration=60))
    edge.start()
    try:
        assert_own_error(503, "Service Temporarily Unavailable")
    finally:
        edge.stop()


def test_what_is_not_http_is_a_bad_request(edge: Edge) -> None:
    with socket.create_connection((ADDRESS, 8080), timeout=3) as client:
        client.sendall(b"NOT HTTP AT ALL\r\n\r\n")
        answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"awselb/2.0" in answer
