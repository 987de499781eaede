"""ECS Exec's gateway and agent: sessions over a real WebSocket with a real terminal."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from lab.exec_agent import Gateway, Order, Orders
from lab.exec_agent.session import HANDSHAKE_TIMED_OUT, IDLE, Patience
from lab.exec_agent.terminal import MARKER
from tests.unit.lab.agent_client import SHAKE, Client, write

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "DB_HOST": "db.test"}
TERMINATE = (2).to_bytes(4, "big")

Open = Callable[..., Client]


@pytest.fixture(scope="module")
def orders() -> Orders:
    return Orders()


@pytest.fixture(scope="module")
def gateway(orders: Orders) -> Iterator[Gateway]:
    gateway = Gateway("127.250.0.5", 0, orders)
    gateway.start()
    yield gateway
    gateway.close()


@pytest.fixture
def order(orders: Orders, tmp_path: Path) -> Callable[..., Order]:
    def order(*argv: str, missing: frozenset[str] = frozenset()) -> Order:
        made = Order("task", " ".join(argv), list(argv), ENVIRONMENT, tmp_path, missing)
        orders.add(made)
        return made

    return order


@pytest.fixture
def opened(gateway: Gateway, order: Callable[..., Order]) -> Open:
    def opened(*argv: str, **options: frozenset[str]) -> Client:
        made = order(*argv, **options)
        return Client.open(gateway.url(made.session), made.token)

    return opened


def left_of(session: str) -> list[int]:
    """The processes that carry a session's mark."""
    mark, found = f"{MARKER}={session}".encode(), []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in place.read_bytes():
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def open_files() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


def gone(session: str, within: float = 5) -> bool:
    until = time.monotonic() + within
    while left_of(session) and time.monotonic() < until:
        time.sleep(0.01)
    return not left_of(session)


def test_a_command_runs_with_the_given_environment_on_a_terminal(opened: Open) -> None:
    client = opened("sh", "-c", "test -t 0 && test -t 2 && echo $DB_HOST $TERM >&2")
    assert client.finish() == b"db.test xterm-256color\r\n"
    assert client.closed is not None
    assert client.closed["Output"] == ""
    assert client.closed["MessageType"] == "channel_closed"


def test_the_handshake_names_interactive_commands(opened: Open) -> None:
    client = opened("true")
    client.finish()
    assert client.shaken is not None
    (action,) = client.shaken["RequestedClientActions"]
    assert action["ActionType"] == "SessionType"
    assert action["ActionParameters"]["SessionType"] == "InteractiveCommands"


def test_input_is_echoed_and_reaches_the_command(opened: Open) -> None:
    client = opened("sh", "-c", "read line; echo got $line")
    client.handle(client.receive())
    client.until(b"")
    while client.expected < 2:
        client.handle(client.receive())
    client.stream(b"hello\n")
    assert client.finish() == b"hello\r\ngot hello\r\n"


def test_input_out_of_order_is_put_in_order(opened: Open) -> None:
    client = opened("sh", "-c", "read a; read b; echo $a-$b")
    while client.expected < 2:
        client.handle(client.receive())
    later = write("input_stream_data", b"two\n", 1, 2)
    client.socket.send(later)
    client.socket.send(later)
    client.stream(b"one\n")
    assert client.finish().endswith(b"one-two\r\n")
    assert sorted(set(client.acknowledged)) == [0, 1, 2]


def test_a_damaged_message_is_not_acknowledged_and_does_no_harm(opened: Open) -> None:
    client = opened("sh", "-c", "read a; echo $a")
    while client.expected < 2:
        client.handle(client.receive())
    good = write("input_stream_data", b"good\n", 1, client.sent)
    for bad in (good[:-1] + b"!", good[:90], b"", b"\xff" * 200):
        client.socket.send(bad)
    client.socket.send(good)
    assert client.finish().endswith(b"good\r\n")


def test_the_window_size_reaches_the_command(opened: Open) -> None:
    client = opened("sh", "-c", "read line; stty size")
    while client.expected < 2:
        client.handle(client.receive())
    client.stream(json.dumps({"cols": 132, "rows": 43}).encode(), 3)
    client.stream(b"\n")
    assert client.finish().endswith(b"43 132\r\n")


def test_what_is_not_utf8_is_replaced_as_the_agent_does(opened: Open) -> None:
    client = opened("printf", r"\303\244\377.")
    assert client.finish() == "ä\N{REPLACEMENT CHARACTER}.".encode()


def test_output_is_sent_again_until_it_is_acknowledged(opened: Open) -> None:
    client = opened("sh", "-c", "echo once")
    client.acknowledges = False
    first, again = client.receive(), client.receive()
    assert (first.kind, first.sequence, first.flags) == (5, 0, 1)
    assert (again.sequence, again.id) == (first.sequence, first.id)
    client.acknowledges = True
    client.handle(first)
    assert client.finish() == b"once\r\n"


def test_nothing_is_published_between_pause_and_start(opened: Open) -> None:
    client = opened("sh", "-c", "read line; echo said $line")
    while client.expected < 2:
        client.handle(client.receive())
    client.stream(b"")
    while 1 not in client.acknowledged:
        client.handle(client.receive())
    client.socket.send(write("pause_publication", b""))
    with pytest.raises(TimeoutError):
        client.socket.recv(timeout=0.3)
    client.socket.send(write("start_publication", b""))
    client.stream(b"this\n")
    assert client.finish().endswith(b"said this\r\n")


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["nothing-like-it"], 'exec: "nothing-like-it": executable file not found in $PATH'),
        (["/bin/nothing"], "fork/exec /bin/nothing: no such file or directory"),
        (["/bin/sh"], "fork/exec /bin/sh: no such file or directory"),
        (["sh", "-c", "true"], 'exec: "sh": executable file not found in $PATH'),
    ],
)
def test_a_program_that_is_not_in_the_image_ends_the_session_with_the_reason(
    opened: Open, argv: list[str], reason: str
) -> None:
    client = opened(*argv, missing=frozenset({"sh"}))
    assert client.finish() == b""
    assert client.closed is not None
    assert f"Failed to start pty: {reason}" in client.closed["Output"]


@pytest.mark.parametrize("end", ["drop", "flag", "close"])
def test_nothing_is_left_when_the_client_goes(
    gateway: Gateway, order: Callable[..., Order], end: str
) -> None:
    script = "(setsid sleep 60 &) ; sleep 60 & trap '' HUP TERM; echo up; sleep 60; sleep 60"
    made = order("sh", "-c", script)
    client = Client.open(gateway.url(made.session), made.token)
    client.until(b"up")
    assert len(left_of(made.session)) >= 3
    if end == "drop":
        client.socket.socket.shutdown(socket.SHUT_RDWR)
    elif end == "close":
        client.socket.close()
    else:
        client.stream(TERMINATE, 10)
        client.finish()
    assert gone(made.session)


def test_interrupting_the_terminal_interrupts_the_command(opened: Open) -> None:
    client = opened("sh", "-c", "trap 'echo stopped; exit' INT; echo up; while :; do sleep 1; done")
    client.until(b"up")
    client.stream(b"\x03")
    assert client.finish().endswith(b"stopped\r\n")


def test_a_token_opens_one_session_once(gateway: Gateway, order: Callable[..., Order]) -> None:
    made, other = order("echo", "mine"), order("echo", "other")
    url = gateway.url(made.session)
    for token in ("wrong", "", other.token):
        with pytest.raises(ConnectionClosed):
            Client.open(url, token).receive()
    assert Client.open(url, made.token).finish() == b"mine\r\n"
    with pytest.raises(ConnectionClosed):
        Client.open(url, made.token).receive()


@pytest.mark.parametrize("first", [b"bytes", "no json", "[]", "{}", '{"TokenValue": "x"}'])
def test_a_first_message_that_opens_nothing_is_refused(
    gateway: Gateway, order: Callable[..., Order], first: str | bytes
) -> None:
    made = order("echo", "mine")
    client = Client.open(gateway.url(made.session), "wrong")
    client.socket.close()
    from websockets.sync.client import connect

    with connect(gateway.url(made.session), proxy=None) as socket:
        socket.send(first)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)
    assert Client.open(gateway.url(made.session), made.token).finish() == b"mine\r\n"


def test_sessions_that_nobody_goes_on_with_end(orders: Orders, tmp_path: Path) -> None:
    hasty = Gateway("127.250.0.5", 0, orders, Patience(handshake=0.2, idle=0.4))
    hasty.start()
    try:
        idle = Order("task", "cat", ["cat"], ENVIRONMENT, tmp_path)
        silent = Order("task", "cat", ["cat"], ENVIRONMENT, tmp_path)
        orders.add(idle)
        orders.add(silent)
        first = Client.open(hasty.url(idle.session), idle.token)
        first.finish()
        second = Client.open(hasty.url(silent.session), silent.token)
        while second.closed is None:
            got = second.receive()
            if got.type == "channel_closed":
                second.handle(got)
    finally:
        hasty.close()
    assert first.closed is not None
    assert first.closed["Output"] == IDLE
    assert second.closed["Output"] == HANDSHAKE_TIMED_OUT
    assert gone(idle.session)


def test_five_mebibytes_arrive_whole(opened: Open) -> None:
    script = "import sys; sys.stdout.write(('0123456789abcdef' * 4 + '\\n') * (5 * 1024 * 16))"
    client = opened(sys.executable, "-c", script)
    expected = (b"0123456789abcdef" * 4 + b"\r\n") * (5 * 1024 * 16)
    assert client.finish() == expected


def test_twenty_sessions_at_once_leave_nothing(
    gateway: Gateway, order: Callable[..., Order]
) -> None:
    before = open_files()
    threads = threading.active_count()
    made = [order("sh", "-c", f"echo {n}; seq 1 2000") for n in range(20)]

    def run(each: Order) -> bytes:
        return Client.open(gateway.url(each.session), each.token).finish()

    with ThreadPoolExecutor(20) as pool:
        outputs = list(pool.map(run, made))
    body = b"".join(b"%d\r\n" % n for n in range(1, 2001))
    assert outputs == [b"%d\r\n" % n + body for n in range(20)]
    assert all(gone(each.session) for each in made)
    until = time.monotonic() + 5
    while time.monotonic() < until and open_files() - before:
        time.sleep(0.01)
    assert open_files() <= before
    assert threading.active_count() <= threads


def test_a_session_ends_with_its_task(gateway: Gateway, orders: Orders, tmp_path: Path) -> None:
    running = threading.Event()
    running.set()
    script = ["sh", "-c", "echo up; sleep 60"]
    made = Order("task", "", script, ENVIRONMENT, tmp_path, runs=running.is_set)
    orders.add(made)
    client = Client.open(gateway.url(made.session), made.token)
    client.until(b"up")
    running.clear()
    client.finish()
    assert client.closed is not None
    assert gone(made.session)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(3, "KMSEncryption failed on client with status 3"), (1, "Fetching data key failed")],
)
def test_a_client_that_cannot_encrypt_is_not_served(
    gateway: Gateway, orders: Orders, tmp_path: Path, status: int, reason: str
) -> None:
    made = Order("task", "", ["echo", "no"], ENVIRONMENT, tmp_path, kms_key="alias/exec")
    orders.add(made)
    client = Client.open(gateway.url(made.session), made.token)
    request = client.receive()
    kinds = [each["ActionType"] for each in json.loads(request.payload)["RequestedClientActions"]]
    assert kinds == ["SessionType", "KMSEncryption"]
    actions = [SHAKE, {**SHAKE, "ActionType": "KMSEncryption", "ActionStatus": status}]
    client.stream(json.dumps({"ProcessedClientActions": actions}).encode(), 6)
    client.acknowledge(request)
    client.expected = 1
    assert client.finish() == b""
    assert client.closed is not None
    assert reason in client.closed["Output"]


@pytest.mark.parametrize("response", [b"", b"[]", b"no json", b'{"ProcessedClientActions": 7}'])
def test_a_strange_handshake_does_no_harm(opened: Open, response: bytes) -> None:
    client = opened("echo", "fine")
    request = client.receive()
    client.acknowledge(request)
    client.expected = 1
    client.stream(response, 6)
    assert client.finish() == b"fine\r\n"


def test_closing_the_gateway_ends_what_runs(tmp_path: Path) -> None:
    orders, threads = Orders(), threading.active_count()
    gateway = Gateway("127.250.0.5", 0, orders)
    gateway.start()
    made = Order("task", "", ["sh", "-c", "echo up; sleep 60"], ENVIRONMENT, tmp_path)
    orders.add(made)
    client = Client.open(gateway.url(made.session), made.token)
    client.until(b"up")
    begun = time.monotonic()
    gateway.close()
    assert time.monotonic() - begun < 2
    assert not left_of(made.session)
    client.socket.close()
    assert threading.active_count() <= threads


def test_an_order_is_forgotten_after_its_time(tmp_path: Path) -> None:
    orders = Orders(valid_s=0)
    made = Order("task", "true", ["true"], ENVIRONMENT, tmp_path)
    orders.add(made)
    assert orders.take(made.session, made.token) is None
    assert made.token not in repr(made)
