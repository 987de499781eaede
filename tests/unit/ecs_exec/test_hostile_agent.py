"""An agent, or who claims to be one, that does not keep to the rules, behind a real WebSocket."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from harness.ecs_exec import Answer, EcsExec, EcsExecError, codec, session
from harness.ecs_exec.codec import AgentMessage, Payload, encode
from harness.ecs_exec.errors import (
    ConnectionLostError,
    CorruptAnswerError,
    DeadlineError,
    EncryptionUnsupportedError,
    OutputTooLargeError,
    UnreachableError,
)
from tests.unit.ecs_exec.conftest import Ecs, task

Play = Callable[[ServerConnection], None]
ACTIONS = [{"ActionType": "SessionType", "ActionParameters": {}}]
TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here keeps to an end: do not wait for it as long as for a real agent's."""
    for name in ("ENDED_WITHIN", "LEFT_WITHIN"):
        monkeypatch.setattr(session, name, 0.2)


def output(number: int, payload: bytes, kind: int = Payload.TEXT) -> bytes:
    return encode(AgentMessage(codec.OUTPUT, payload, kind, number))


def request(actions: Any = ACTIONS) -> bytes:
    asked = json.dumps({"AgentVersion": "3", "RequestedClientActions": actions}).encode()
    return output(0, asked, Payload.HANDSHAKE_REQUEST)


def shaken(connection: ServerConnection) -> None:
    connection.recv()
    connection.send(request())
    connection.recv()
    connection.recv()
    connection.send(output(1, b"{}", Payload.HANDSHAKE_COMPLETE))


def closed(reason: str) -> bytes:
    return encode(AgentMessage(codec.CHANNEL_CLOSED, json.dumps({"Output": reason}).encode()))


@contextlib.contextmanager
def agent(play: Play) -> Iterator[EcsExec]:
    def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed, OSError, TimeoutError):
            play(connection)

    with serve(handle, "127.250.0.8", 0, compression=None, ping_interval=None) as server:
        address = "ws://{}:{}/".format(*server.socket.getsockname())
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        ticket = {"sessionId": "s", "streamUrl": address, "tokenValue": TOKEN}
        yield EcsExec(Ecs([task("a1")], lambda **_: ticket), "shop", "web", output_at_most=1 << 20)
        server.shutdown()
        thread.join()


def at_once(connection: ServerConnection) -> None:
    connection.close()


def after_the_token(connection: ServerConnection) -> None:
    connection.recv()


def reset(connection: ServerConnection) -> None:
    connection.recv()
    linger = struct.pack("ii", 1, 0)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.socket.shutdown(socket.SHUT_RDWR)


def after_the_request(connection: ServerConnection) -> None:
    connection.recv()
    connection.send(request())


def after_the_handshake(connection: ServerConnection) -> None:
    shaken(connection)


def within_the_output(connection: ServerConnection) -> None:
    shaken(connection)
    connection.send(output(2, b"some of the outp"))


def with_a_reason(connection: ServerConnection) -> None:
    shaken(connection)
    connection.send(closed("Session timed out due to inactivity."))


def with_a_gap(connection: ServerConnection) -> None:
    shaken(connection)
    connection.send(output(3, b"the third without the second"))
    connection.send(closed(""))


@pytest.mark.parametrize(
    "play",
    [
        at_once,
        after_the_token,
        reset,
        after_the_request,
        after_the_handshake,
        within_the_output,
        with_a_reason,
        with_a_gap,
    ],
)
def test_an_end_at_any_stage_is_told_and_gives_nothing(play: Play) -> None:
    with agent(play) as web, pytest.raises(ConnectionLostError) as caught:
        web.run("true", deadline=8)
    assert TOKEN not in str(caught.value)


def test_the_agents_reason_is_told() -> None:
    with agent(with_a_reason) as web, pytest.raises(ConnectionLostError, match="inactivity"):
        web.run("true", deadline=8)


def test_an_answer_that_came_before_the_end_is_taken() -> None:
    asked: list[dict[str, Any]] = []

    def play(connection: ServerConnection) -> None:
        shaken(connection)
        mark = re.findall("m=([0-9a-f]{32})", asked[0]["command"])[0]
        shown = f"{mark} out\nb3V0\n{mark} status 3\n{mark} err\n\n{mark} end\n"
        for number in range(5):
            connection.send(output(number + 2, shown[number * 40 :][:40].encode()))

    with agent(play) as web:
        asked = web._ecs.asked
        assert web.run("true", deadline=8) == Answer(3, b"out", b"")


def silent(connection: ServerConnection) -> None:
    time_is_up(connection)


def silent_after_the_handshake(connection: ServerConnection) -> None:
    shaken(connection)
    time_is_up(connection)


def time_is_up(connection: ServerConnection) -> None:
    for _ in connection:
        pass


def repeating(connection: ServerConnection) -> None:
    shaken(connection)
    forever(connection, lambda n: output(1, b"{}", Payload.HANDSHAKE_COMPLETE))


def acknowledging(connection: ServerConnection) -> None:
    nothing = encode(AgentMessage(codec.ACKNOWLEDGE, b'{"AcknowledgedMessageSequenceNumber": 7}'))
    forever(connection, lambda n: nothing)


def far_ahead(connection: ServerConnection) -> None:
    shaken(connection)
    forever(connection, lambda n: output(n + 5, b"x" * 100))


def talking_text(connection: ServerConnection) -> None:
    forever(connection, lambda n: "text")


def forever(connection: ServerConnection, message: Callable[[int], bytes | str]) -> None:
    reader = threading.Thread(target=_read, args=[connection])
    reader.start()
    number = 0
    try:
        while True:
            connection.send(message(number))
            number += 1
    finally:
        reader.join()


def _read(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        time_is_up(connection)


@pytest.mark.parametrize(
    "play",
    [silent, silent_after_the_handshake, repeating, acknowledging, far_ahead, talking_text],
)
def test_what_never_ends_ends_at_the_deadline(play: Play) -> None:
    begun = time.monotonic()
    with agent(play) as web:
        with pytest.raises(DeadlineError):
            web.run("true", deadline=0.8)
        assert time.monotonic() - begun < 5


def test_a_flood_of_output_is_cut() -> None:
    def play(connection: ServerConnection) -> None:
        shaken(connection)
        forever(connection, lambda n: output(n + 2, b"y\n" * 500))

    with agent(play) as web, pytest.raises(OutputTooLargeError):
        web.run("true", deadline=20)


def test_damaged_messages_without_end_are_told() -> None:
    def play(connection: ServerConnection) -> None:
        forever(connection, lambda n: output(0, b"text")[:-1] + b"?")

    with agent(play) as web, pytest.raises(CorruptAnswerError, match="digest"):
        web.run("true", deadline=20)


@pytest.mark.parametrize(
    "frame",
    [b"\x82\xff" + b"\xff" * 8, b"\xf2\x00", b"\x81\x02\xff\xff"],
    ids=["huge", "bits", "utf"],
)
def test_what_is_no_websocket_is_told(frame: bytes) -> None:
    def play(connection: ServerConnection) -> None:
        connection.recv()
        connection.socket.sendall(frame)
        time_is_up(connection)

    with agent(play) as web, pytest.raises(EcsExecError) as caught:
        web.run("true", deadline=5)
    assert isinstance(caught.value, CorruptAnswerError | ConnectionLostError)


def test_an_agent_that_does_not_read_does_not_hold_us() -> None:
    def play(connection: ServerConnection) -> None:
        shaken(connection)
        connection.recv_events_thread.join(0)
        with contextlib.suppress(ConnectionClosed):
            for number in range(2, 200_000):
                connection.send(output(number, b"."))

    begun = time.monotonic()
    with agent(play) as web:
        with pytest.raises((DeadlineError, ConnectionLostError, OutputTooLargeError)):
            web.run("true", deadline=1)
        assert time.monotonic() - begun < 8


@pytest.mark.parametrize("asked", [None, 7, "x", [1], [{}], [{"ActionType": "Dance"}]])
def test_strange_handshakes_are_answered(asked: Any) -> None:
    heard: list[dict[str, Any]] = []

    def play(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(request(asked))
        connection.recv()
        heard.append(json.loads(codec.decode(_bytes(connection.recv())).payload))

    with agent(play) as web, pytest.raises(ConnectionLostError):
        web.run("true", deadline=5)
    assert all(each["ActionStatus"] == 3 for each in heard[0]["ProcessedClientActions"])


def test_encryption_is_declined_in_the_agents_words() -> None:
    heard: list[dict[str, Any]] = []

    def play(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(request([{"ActionType": "KMSEncryption", "ActionParameters": {}}]))
        connection.recv()
        heard.append(json.loads(codec.decode(_bytes(connection.recv())).payload))

    with agent(play) as web, pytest.raises(EncryptionUnsupportedError):
        web.run("true", deadline=5)
    assert heard[0]["ProcessedClientActions"][0]["ActionStatus"] == 3


def test_while_paused_nothing_is_typed() -> None:
    typed: list[bytes] = []
    asked: list[dict[str, Any]] = []

    def play(connection: ServerConnection) -> None:
        shaken(connection)
        connection.send(encode(AgentMessage(codec.PAUSE)))
        mark = re.findall("m=([0-9a-f]{32})", asked[0]["command"])[0]
        connection.send(output(2, f"{mark} ready".encode()))
        for data in connection:
            message = codec.decode(_bytes(data))
            if message.payload_type == Payload.TEXT:
                typed.append(message.payload)

    with agent(play) as web:
        asked = web._ecs.asked
        with pytest.raises(DeadlineError):
            web.run("cat", b"input", deadline=0.5)
    # Nothing but the interrupt, at the end.
    assert set(typed) == {b"\x03"}


def test_nobody_there_is_told_without_the_token() -> None:
    with socket.create_server(("127.250.0.8", 0)) as unused:
        port = unused.getsockname()[1]
    ticket = {"sessionId": "s", "streamUrl": f"ws://127.250.0.8:{port}/", "tokenValue": TOKEN}
    web = EcsExec(Ecs([task("a1")], lambda **_: ticket), "shop", "web")
    with pytest.raises(UnreachableError) as caught:
        web.run("true", deadline=3)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value)


def test_who_accepts_and_says_nothing_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.250.0.8", 0)) as mute:
        port = mute.getsockname()[1]
        ticket = {"sessionId": "s", "streamUrl": f"ws://127.250.0.8:{port}/", "tokenValue": TOKEN}
        web = EcsExec(Ecs([task("a1")], lambda **_: ticket), "shop", "web")
        with pytest.raises((DeadlineError, UnreachableError)):
            web.run("true", deadline=0.5)


def _bytes(data: bytes | str) -> bytes:
    assert isinstance(data, bytes)
    return data
