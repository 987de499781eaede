"""What the in-task probe sees and says, in a process of its own, on every Python that it must."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.unit.harness.servers import Handler, request_head, serving
from tests.unit.in_task.conftest import Run

PASSWORD = 's3cr3t/with "odd" ch@rs'


@pytest.fixture
def closed() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def answering(body: bytes, status: str = "200 OK") -> Handler:
    def handle(connection: socket.socket) -> None:
        request_head(connection)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nX-Mark: here\r\n\r\n"
        connection.sendall(head.encode() + body)

    return handle


def silent(connection: socket.socket) -> None:
    connection.recv(65_536)
    time.sleep(2)


def test_an_answer_is_told_whole(run: Run, python: str) -> None:
    with serving(answering(b'{"detail": "no"}', "502 Bad Gateway")) as port:
        url = f"http://127.0.0.1:{port}/health"
        (seen,) = run({"kind": "http", "url": url, "max_bytes": 100}, python=python)
    assert (seen["status"], seen["body"]) == (502, '{"detail": "no"}')
    assert seen["headers"]["x-mark"] == "here"
    assert seen["address"] == f"127.0.0.1:{port}"
    assert {"dns", "connect", "first_byte", "total"} <= seen["timings"].keys()


def test_failures_have_their_kind_on_every_python(run: Run, python: str, closed: int) -> None:
    with serving(silent) as quiet:
        answers = run(
            {"kind": "http", "url": f"http://127.0.0.1:{closed}/", "max_bytes": 10},
            {"kind": "tcp", "host": "127.0.0.1", "port": str(closed)},
            {"kind": "http", "url": f"http://127.0.0.1:{quiet}/", "max_bytes": 10, "deadline": 0.5},
            {"kind": "dns", "name": "nowhere.invalid"},
            {"kind": "tcp", "host": "${NOT_SET}", "port": "1"},
            {"kind": "tls", "host": "127.0.0.1", "port": quiet, "deadline": 0.5},
            {"kind": "nothing-like-it"},
            python=python,
        )
    assert [each["failure"]["kind"] for each in answers][:3] == [
        "connect-refused",
        "connect-refused",
        "read-timeout",
    ]
    assert answers[3]["failure"]["kind"].startswith("dns-")
    assert [each["failure"]["kind"] for each in answers][4:] == [
        "setting-empty",
        "tls-handshake",
        "internal-error",
    ]


def test_a_connection_that_nobody_accepts_times_out(run: Run, python: str) -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        port = str(full.getsockname()[1])
        (seen,) = run(
            {"kind": "tcp", "host": "127.0.0.1", "port": port, "deadline": 0.4}, python=python
        )
    assert seen["failure"]["kind"] == "connect-timeout"


def test_a_long_body_is_cut(run: Run) -> None:
    with serving(answering(b"x" * 5_000)) as port:
        (seen,) = run({"kind": "http", "url": f"http://127.0.0.1:{port}/", "max_bytes": 100})
    assert (seen["body"], seen["failure"]["kind"]) == ("x" * 100, "too-large")


def test_variables_are_filled_in_inside(run: Run) -> None:
    with serving(answering(b"ok")) as port:
        url = "http://${HOST}:${PORT:-1}/${PLACE:-${OTHER:-here}}"
        question = {"kind": "http", "url": url, "max_bytes": 10}
        (seen,) = run(question, HOST="127.0.0.1", PORT=str(port))
    assert seen["url"] == f"http://127.0.0.1:{port}/here"
    assert seen["body"] == "ok"


def test_no_form_of_a_secret_gets_out(run: Run, python: str) -> None:
    from urllib.parse import quote

    url = f"postgresql://mlflow:{quote(PASSWORD, safe='')}@db/mlflow"
    body = json.dumps({"a": PASSWORD, "b": quote(PASSWORD, safe=""), "url": url, "n": 123456})
    with serving(answering(body.encode())) as port:
        (http, variables) = run(
            {"kind": "http", "url": f"http://127.0.0.1:{port}/{{}}", "max_bytes": 5000},
            {"kind": "variables", "names": ["STORE"], "secret_names": ["DB_PASSWORD"]},
            python=python,
            DB_PASSWORD=PASSWORD,
            STORE=url,
            SHORT_KEY="1",
        )
    everything = json.dumps([http, variables])
    for form in (PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1]):
        assert form not in everything
        assert json.dumps(form)[1:-1] not in everything
    secret = variables["variables"][1]
    assert secret["sha256_8"] == hashlib.sha256(PASSWORD.encode()).hexdigest()[:8]
    assert "value" not in secret


def test_questions_are_answered_at_once_and_never_late(run: Run) -> None:
    with serving(silent) as quiet:
        url = f"http://127.0.0.1:{quiet}/"
        begun = time.monotonic()
        answers = run(*[{"kind": "http", "url": url, "max_bytes": 9, "deadline": 0.5}] * 8)
        assert time.monotonic() - begun < 2
    assert {each["failure"]["kind"] for each in answers} == {"read-timeout"}
