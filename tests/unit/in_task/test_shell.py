"""The shell's part of the in-task probe, run by real shells with the tools that an image has."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.in_task import shell
from harness.observation import AnyObservation
from tests.unit.harness.servers import serving
from tests.unit.in_task.test_probe import answering, closed, silent

__all__ = ["closed"]

BASICS = "od tr sed fold cut head date sleep env grep cat kill"
PASSWORD = "s3cr3t;with&odd-ch@rs"

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture(params=["dash", "bash"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Ask questions of a shell that finds the given tools, and no others."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"no {request.param} on this machine")

    def run(*questions: dict[str, Any], tools: str = "", **variables: str) -> list[dict[str, Any]]:
        for name in f"{BASICS} {tools}".split():
            (tmp_path / name).symlink_to(shutil.which(name) or "/missing")
        document = json.dumps({"questions": [{"deadline": 3.0, **each} for each in questions]})
        done = subprocess.run(
            shell.command(document.encode(), program),
            env={"PATH": str(tmp_path), **variables},
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert all(PASSWORD.encode().hex() not in text for text in done.stdout.decode().split())
        answers = shell.answers(document.encode(), done.stdout)
        msgspec.json.decode(answers, type=dict[str, tuple[AnyObservation, ...]])
        found: list[dict[str, Any]] = json.loads(answers)["answers"]
        return found

    return run


def http(port: int, **more: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/some where?a=b".replace(" ", "%20")
    return {"kind": "http", "url": url, "max_bytes": 1000, **more}


def kinds(answers: list[dict[str, Any]]) -> list[str]:
    return [each["failure"]["kind"] for each in answers]


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_an_http_answer_is_told(run: Run, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} on this machine")
    with serving(answering(b'{"a": "\xc3\xa4 $x `y`"}')) as port:
        (seen,) = run(http(port), tools=tool)
    assert (seen["status"], seen["body"]) == (200, '{"a": "ä $x `y`"}')
    assert seen["headers"]["x-mark"] == "here"
    assert "failure" not in seen


def test_an_error_is_told_with_its_body_address_and_times(run: Run) -> None:
    detail = b'{"detail":"Failed to connect to MLflow server at http://mlflow.hokusai.local:5000"}'
    with serving(answering(detail, "502 Bad Gateway")) as port:
        (seen,) = run(http(port), tools="curl")
    assert (seen["status"], seen["body"]) == (502, detail.decode())
    assert seen["address"] == f"127.0.0.1:{port}"
    assert {"connect", "first_byte", "total"} <= seen["timings"].keys()


@pytest.mark.parametrize("size", [1000, 1001, 100_000])
def test_a_body_is_cut_where_it_is_too_long(run: Run, size: int) -> None:
    with serving(answering(b"x" * size)) as port:
        (seen,) = run(http(port), tools="curl")
    assert seen["body"] == "x" * 1000
    assert ("failure" in seen) == (size > 1000)


def test_method_headers_and_body_are_sent_with_variables_filled_in(run: Run) -> None:
    requests: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        requests.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with serving(handle) as port:
        question = http(
            port, method="PUT", headers=[["X-Who", '${WHO:-no "one" `id`}']], body="$(id) ${WHAT}"
        )
        (seen,) = run(question, tools="curl", WHAT="that")
    assert seen["status"] == 204
    (request,) = requests
    assert request.startswith(b"PUT /some%20where?a=b HTTP/1.1\r\n")
    assert b'X-Who: no "one" `id`\r\n' in request
    assert request.endswith(b"$(id) that")


def test_failures_have_their_kind(run: Run, closed: int) -> None:
    with serving(silent) as quiet:
        found = run(
            http(closed),
            http(quiet, deadline=1.0),
            {"kind": "http", "url": "http://nowhere.invalid/", "max_bytes": 9},
            {"kind": "http", "url": "${BASE}/health", "max_bytes": 9},
            {"kind": "tcp", "host": "${HOST}", "port": "1"},
            {"kind": "tcp", "host": "127.0.0.1", "port": str(closed)},
            {"kind": "dns", "name": "nowhere.invalid"},
            tools="curl bash getent",
        )
    assert kinds(found) == [
        "connect-refused",
        "read-timeout",
        "dns-nxdomain",
        "setting-empty",
        "setting-empty",
        "connect-refused",
        "dns-nxdomain",
    ]


def test_names_and_ports_that_are_there(run: Run) -> None:
    with serving(silent) as port:
        dns, tcp = run(
            {"kind": "dns", "name": "localhost"},
            {"kind": "tcp", "host": "localhost", "port": "${PORT}"},
            tools="getent bash",
            PORT=str(port),
        )
    assert dns["answers"] == ["127.0.0.1"]
    assert "failure" not in tcp
    assert tcp["port"] == port


def test_a_connection_that_nobody_accepts_times_out(run: Run) -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        port = full.getsockname()[1]
        found = run(
            {"kind": "tcp", "host": "127.0.0.1", "port": str(port), "deadline": 1.0},
            http(port, deadline=1.0),
            tools="bash curl",
        )
    assert kinds(found) == ["connect-timeout", "connect-timeout"]


def test_variables_are_told_and_secrets_are_not(run: Run) -> None:
    body = json.dumps({"password": PASSWORD, "url": f"postgresql://u:{PASSWORD[:9]}@db"})
    with serving(answering(body.encode())) as port:
        names = ["DB_HOST", "EMPTY", "NOT_SET", "DB_PASSWORD", "STORE"]
        variables, seen = run(
            {"kind": "variables", "names": names, "secret_names": ["DB_PASSWORD", "API_KEY"]},
            http(port),
            tools="curl sha256sum",
            DB_HOST="db.test",
            EMPTY="",
            DB_PASSWORD=PASSWORD,
            STORE=f"postgresql://u:{PASSWORD[:9]}@db/x",
        )
    by_name = {each["name"]: each for each in variables["variables"][:5]}
    assert by_name["DB_HOST"]["value"] == "db.test"
    assert by_name["EMPTY"] == {"name": "EMPTY", "present": True, "value": ""}
    assert not by_name["NOT_SET"]["present"]
    assert by_name["STORE"]["value"] == "postgresql://u:[redacted]@db/x"
    password, key = variables["variables"][5:]
    assert password["sha256_8"] == hashlib.sha256(PASSWORD.encode()).hexdigest()[:8]
    assert not key["present"]
    assert PASSWORD[:9] not in json.dumps([variables, seen])


def test_what_cannot_be_asked_is_said_with_what_is_missing(run: Run) -> None:
    found = run(
        {"kind": "dns", "name": "a.test"},
        {"kind": "tcp", "host": "a.test", "port": "1"},
        http(1),
        {"kind": "tls", "host": "a.test", "port": 443},
        {"kind": "postgres", "host": "a.test", "user": "u", "database": "d"},
        {"kind": "dns", "name": "a.test", "record": "CNAME"},
    )
    assert set(kinds(found)) == {"no-vantage-point"}
    told = [each["failure"]["message"].partition("has ")[2] for each in found]
    assert told[:3] == [
        "neither Python nor getent",
        "neither Python nor nc or bash",
        "neither Python nor curl (or wget, for a plain GET)",
    ]
    assert set(told[3:]) == {"no Python"}


@pytest.mark.parametrize("printed", [b"", b"sh: 1: not found\r\n", b"0 name zz\n9 name 41\n"])
def test_what_is_no_answer_is_taken_for_none(printed: bytes) -> None:
    questions = [{"kind": "tcp", "host": "a", "port": "1", "deadline": 1}]
    document = json.dumps({"questions": questions}).encode()
    (seen,) = json.loads(shell.answers(document, printed))["answers"]
    assert seen["failure"]["kind"] == "no-vantage-point"


def test_nothing_goes_on_when_it_has_answered(run: Run) -> None:
    began = time.monotonic()
    run({"kind": "dns", "name": "localhost", "deadline": 47.0}, tools="getent")
    assert time.monotonic() - began < 20
    assert b"sleep\x0047\0" not in list(commands())


def commands() -> Iterator[bytes]:
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield place.read_bytes()
