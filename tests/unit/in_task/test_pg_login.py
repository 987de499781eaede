"""The database login by hand, against a real PostgreSQL and against servers that misbehave."""

from __future__ import annotations

import hashlib
import secrets
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from lab.pki import Authority
from lab.postgres import PostgresServer, Settings
from tests.unit.harness.servers import serving
from tests.unit.in_task.conftest import Run, python_or_skip

ADDRESS = "127.250.41.1"
ENDPOINT = "hokusai-mlflow-development.test.us-east-1.rds.amazonaws.com"
PASSWORDS = {"mlflow": "p@ss w\u00f6rd/%20'\"", "postgres": secrets.token_urlsafe()}
QUESTION = {
    "kind": "postgres",
    "host": "${DB_HOST}",
    "port": "${DB_PORT:-5432}",
    "user": "${DB_USER:-postgres}",
    "database": "mlflow_db",
    "password": "${DB_PASSWORD}",
    "sslmode": "prefer",
    "deadline": 5.0,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    folder = tmp_path_factory.mktemp("lab")
    settings = Settings(
        address=ADDRESS,
        passwords=PASSWORDS,
        identity=Authority().issue(ENDPOINT),
        cache_dir=tmp_path_factory.mktemp("cache"),
        folder=folder,
        log=folder / "postgres.log",
        migrate=lambda _url: None,
    )
    with PostgresServer(settings) as running:
        yield running


def ask(run: Run, python: str, variables: dict[str, str], **more: Any) -> dict[str, Any]:
    (seen,) = run({**QUESTION, **more}, python=python, DB_HOST=ADDRESS, **variables)
    return seen


@pytest.fixture(params=["3.8", "3.12"])
def python(request: pytest.FixtureRequest) -> str:
    """An interpreter that has no driver: any but ours."""
    return python_or_skip(request.param)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("sslmode", ["prefer", "require"])
def test_a_right_password_opens_a_session_that_is_looked_at(
    run: Run, python: str, sslmode: str
) -> None:
    variables = {"DB_USER": "mlflow", "DB_PASSWORD": PASSWORDS["mlflow"]}
    seen = ask(run, python, variables, sslmode=sslmode)
    assert seen["message"] == "logged in"
    assert seen["server_version"].startswith("17")
    assert seen["facts"]["current_user"] == "mlflow"
    assert seen["facts"]["ssl"] == "True"
    assert seen["facts"]["may_use_schema"] == "True"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("user", ["postgres", "mlflow", "nobody"])
def test_a_wrong_password_is_refused_in_the_documented_words(
    run: Run, python: str, user: str
) -> None:
    seen = ask(run, python, {"DB_USER": user, "DB_PASSWORD": "not-the-one"})
    words = f'FATAL:  password authentication failed for user "{user}"'
    assert seen["message"].endswith(words)
    assert seen["message"].startswith(f'connection to server at "{ADDRESS}" ({ADDRESS}), port 5432')
    assert (seen["failure"]["kind"], seen["sqlstate"]) == ("auth-failed", "28P01")


def test_an_md5_password_is_sent_as_the_manual_says(run: Run, python: str) -> None:
    seen: list[bytes] = []

    def old(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"N")
        connection.recv(4096)
        connection.sendall(b"R" + struct.pack(">2I", 12, 5) + b"salt")
        seen.append(connection.recv(4096))
        message = b"SFATAL\0C28P01\0Mso it is\0\0"
        connection.sendall(b"E" + struct.pack(">I", len(message) + 4) + message)

    with serving(old) as port:
        variables = {"DB_HOST": "127.0.0.1", "DB_PORT": str(port), "DB_PASSWORD": "as-it-was"}
        (told,) = run(QUESTION, python=python, **variables)
    inner = hashlib.md5(b"as-it-waspostgres").hexdigest().encode()
    expected = b"md5" + hashlib.md5(inner + b"salt").hexdigest().encode() + b"\0"
    assert seen == [b"p" + struct.pack(">I", len(expected) + 4) + expected]
    assert told["message"].endswith("FATAL:  so it is")


@pytest.mark.usefixtures("server")
def test_other_refusals_are_told_in_the_servers_words(run: Run, python: str) -> None:
    variables = {"DB_USER": "mlflow", "DB_PASSWORD": PASSWORDS["mlflow"]}
    seen = ask(run, python, variables, database="not_there")
    assert 'FATAL:  database "not_there" does not exist' in seen["message"]
    assert (seen["failure"]["kind"], seen["sqlstate"]) == ("database-error", "3D000")


def cleartext(connection: socket.socket) -> None:
    connection.recv(8)
    connection.sendall(b"N")
    connection.recv(4096)
    connection.sendall(b"R" + struct.pack(">2I", 8, 3))
    assert connection.recv(4096) == b""


def garbage(connection: socket.socket) -> None:
    connection.recv(8)
    connection.sendall(b"N")
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)


def gone(connection: socket.socket) -> None:
    connection.recv(8)


def silent(connection: socket.socket) -> None:
    connection.recv(8)
    connection.recv(8)


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        (cleartext, "not-permitted", "in clear, unencrypted: not sent"),
        (garbage, "database-error", "does not speak PostgreSQL"),
        (gone, "database-error", "closed the connection unexpectedly"),
        (silent, "connect-timeout", "timeout expired"),
    ],
)
def test_a_server_that_misbehaves_is_told_as_such(
    run: Run, python: str, handler: Any, kind: str, words: str
) -> None:
    with serving(handler) as port:
        variables = {"DB_HOST": "127.0.0.1", "DB_PORT": str(port), "DB_PASSWORD": "never-sent"}
        (seen,) = run({**QUESTION, "deadline": 1.0}, python=python, **variables)
    assert seen["failure"]["kind"] == kind
    assert words in seen["failure"]["message"]


def test_a_connection_that_fails_is_told_as_libpq_does(run: Run, python: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = str(bound.getsockname()[1])
        variables = {"DB_HOST": "127.0.0.1", "DB_PORT": port, "DB_PASSWORD": "any-password"}
        (seen,) = run(QUESTION, python=python, **variables)
    assert seen["failure"]["kind"] == "connect-refused"
    expected = f'connection to server at "127.0.0.1", port {port} failed: Connection refused'
    assert seen["failure"]["message"] == expected
