"""The behaviours: what a server does, what is asked of it, and what may be made of that."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache, partial

import trustme

from harness.specs import (
    AwsProbe,
    ClientProbe,
    DnsProbe,
    HttpProbe,
    PostgresProbe,
    Probe,
    TcpProbe,
    TlsProbe,
)
from tests.unit.harness import servers
from tests.unit.harness.servers import Handler
from tests.unit.hostile.bench import ANSWERED, DEADLINE, MAX_BYTES, Behaviour

PAUSE, PATIENCE = 0.05, 5.0
READ = ("read-timeout",)
PROTOCOL = ("protocol-error",)
RESET = ("read-reset", "protocol-error")


def drip(data: bytes) -> Handler:
    """Send the head of an answer, then byte by byte."""

    def handle(connection: socket.socket) -> None:
        servers.request_head(connection)
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(PAUSE)

    return handle


def endless(head: bytes, piece: bytes) -> Handler:
    """Send a head, then the same piece until the other side has had enough."""

    def handle(connection: socket.socket) -> None:
        servers.request_head(connection)
        connection.sendall(head)
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            connection.sendall(piece)

    return handle


def then_silent(data: bytes) -> Handler:
    """Send this, and keep the connection open."""

    def handle(connection: socket.socket) -> None:
        servers.request_head(connection)
        connection.sendall(data)
        servers.silent(connection)

    return handle


def then_reset(data: bytes) -> Handler:
    """Send this, and reset the connection."""

    def handle(connection: socket.socket) -> None:
        servers.request_head(connection)
        connection.sendall(data)
        time.sleep(PAUSE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return handle


def at_once(data: bytes) -> Handler:
    """Send this without having read anything."""
    return lambda connection: connection.sendall(data)


def served(handler: Handler) -> Callable[[], AbstractContextManager[int]]:
    return lambda: servers.serving(handler)


def url(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}/"


def http(port: int) -> Probe:
    return HttpProbe(url=url(port), deadline=DEADLINE, max_bytes=MAX_BYTES)


def following(port: int) -> Probe:
    return HttpProbe(
        url=url(port), deadline=DEADLINE, max_bytes=MAX_BYTES, redirects=5, api_key="x-api-key"
    )


def client(port: int) -> Probe:
    return ClientProbe(url=url(port), deadline=DEADLINE, max_bytes=MAX_BYTES)


def answer(*headers: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers]).encode() + b"\r\n\r\n" + body


def bomb() -> bytes:
    packed = gzip.compress(bytes(50_000_000), 9)
    return servers.http_answer("200 OK", packed, "content-encoding: gzip")


def redirect(location: str) -> bytes:
    return servers.http_answer("302 Found", b"", f"location: {location}")


@contextlib.contextmanager
def looping() -> Iterator[int]:
    """Redirects to itself."""

    def handle(connection: socket.socket) -> None:
        servers.request_head(connection)
        port = connection.getsockname()[1]
        connection.sendall(redirect(f"http://127.0.0.1:{port}/again"))

    with servers.serving(handle) as port:
        yield port


HTTP: dict[str, tuple[Handler | bytes, tuple[str, ...]]] = {
    "headers that drip": (drip(answer("content-length: 1", body=b"x")), READ),
    "a body that drips": (drip(answer("content-length: 99", body=b"x" * 99)), READ),
    "headers without end": (endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 500), PROTOCOL),
    "one header without end": (endless(b"HTTP/1.1 200 OK\r\na: ", b"b" * 9000), PROTOCOL),
    "a body without end": (endless(answer(), b"x" * 65_536), ("too-large",)),
    "chunks without end": (
        endless(answer("transfer-encoding: chunked"), b"400\r\n" + b"x" * 1024 + b"\r\n"),
        ("too-large",),
    ),
    "a decompression bomb": (bomb(), (ANSWERED, "too-large")),
    "a longer length than body": (answer("content-length: 9", body=b"x"), RESET),
    "a shorter length than body": (answer("content-length: 1", body=b"xyz"), (ANSWERED, *PROTOCOL)),
    "a negative length": (answer("content-length: -1"), PROTOCOL),
    "a length that is no number": (answer("content-length: many"), PROTOCOL),
    "two lengths": (answer("content-length: 1", "content-length: 2", body=b"xy"), PROTOCOL),
    "an enormous length": (then_silent(answer("content-length: 9" + "9" * 18)), READ + PROTOCOL),
    "a chunk of no size": (answer("transfer-encoding: chunked", body=b"z\r\nx\r\n"), PROTOCOL),
    "a chunk cut off": (answer("transfer-encoding: chunked", body=b"9\r\nx"), RESET),
    "an unknown transfer coding": (answer("transfer-encoding: none"), PROTOCOL),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\n\r\n", PROTOCOL),
    "a status that is no number": (b"HTTP/1.1 OK\r\n\r\n", PROTOCOL),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", PROTOCOL),
    "HTTP/0.9": (b"<html>hello</html>", PROTOCOL),
    "binary noise": (bytes(range(256)) * 40, PROTOCOL),
    "nothing at all": (b"", RESET),
    "only informational answers": (
        endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        READ + PROTOCOL,
    ),
    "a header with a line feed in it": (
        b"HTTP/1.1 200 OK\r\na: b\n c\r\n\x00: d\r\n\r\n",
        PROTOCOL,
    ),
    "a body that is no UTF-8": (servers.http_answer("200 OK", b"\xff\xfe\x80"), (ANSWERED,)),
    "JSON that is none": (servers.http_answer("200 OK", b'{"a": '), (ANSWERED,)),
    "JSON nested without end": (servers.http_answer("200 OK", b"[" * 60_000), (ANSWERED,)),
    "an answer, then silence": (then_silent(answer("content-length: 5", body=b"abc")), READ),
    "silence": (servers.silent, READ),
    "a reset before the answer": (servers.resetting, RESET),
    "a reset in the headers": (then_reset(b"HTTP/1.1 200 OK\r\na:"), RESET),
    "a reset in the body": (then_reset(answer("content-length: 9", body=b"abc")), RESET),
    "an answer before the question": (
        at_once(servers.http_answer("200 OK", b"early")),
        (ANSWERED, *RESET),
    ),
}
REDIRECTS = {
    "a redirect to a file": "file:///etc/passwd",
    "a redirect to the metadata address": "http://169.254.169.254/latest/meta-data/",
    "a redirect to another scheme": "gopher://127.0.0.1:70/",
    "a redirect to a bad port": "http://127.0.0.1:99999999/",
    "a redirect to nothing": "http:///",
}


def from_http() -> Iterator[Behaviour]:
    for name, (given, expected) in HTTP.items():
        handler = servers.answering(given) if isinstance(given, bytes) else given
        yield Behaviour(name, served(handler), http, frozenset(expected))
    for name, location in REDIRECTS.items():
        serve = served(servers.answering(redirect(location)))
        # An address without a host is the server's own.
        allowed = {"redirect-refused", ANSWERED} if "nothing" in name else {"redirect-refused"}
        yield Behaviour(name, serve, following, frozenset(allowed))
    yield Behaviour("redirects in a loop", looping, following, frozenset({ANSWERED}))


def from_clients() -> Iterator[Behaviour]:
    refused = frozenset({"redirect-refused"})
    yield Behaviour("redirects in a loop, to a client", looping, client, refused)
    for name in ("a redirect to a file", "a redirect to the metadata address"):
        serve = served(servers.answering(redirect(REDIRECTS[name])))
        yield Behaviour(f"{name}, to a client", serve, client, refused)
    for name in ("silence", "a body that drips", "headers that drip", "a reset in the body"):
        handler = HTTP[name][0]
        assert not isinstance(handler, bytes)
        expected = frozenset({"read-timeout", "read-reset", ANSWERED})
        yield Behaviour(f"{name}, to a client", served(handler), client, expected)
    yield Behaviour(
        "a decompression bomb, to a client", served(servers.answering(bomb())), client,
        frozenset({ANSWERED, "too-large"}),
    )  # fmt: skip


@cache
def authority() -> trustme.CA:
    return trustme.CA()


def context(name: str = "127.0.0.1", **settings: object) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name).configure_cert(made)
    for key, value in settings.items():
        setattr(made, key, value)
    return made


def tls(port: int) -> Probe:
    return TlsProbe(host="127.0.0.1", port=port, deadline=DEADLINE)


def weak() -> ssl.SSLContext:
    made = context()
    with contextlib.suppress(ssl.SSLError):
        made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.maximum_version = ssl.TLSVersion.TLSv1_1
    return made


def from_tls() -> Iterator[Behaviour]:
    verify, handshake = frozenset({"tls-verify"}), frozenset({"tls-handshake", "tls-verify"})
    silent = servers.silent
    yield Behaviour(
        "a certificate of nobody", lambda: servers.serving(silent, context()), tls, verify
    )
    yield Behaviour(
        "a certificate of another name",
        lambda: servers.serving(silent, context("other.example")), tls, verify,
    )  # fmt: skip
    yield Behaviour("an old protocol", lambda: servers.serving(silent, weak()), tls, handshake)
    broken: dict[str, Handler] = {
        "plain text for TLS": at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "noise for TLS": at_once(bytes(range(256)) * 9),
        "an alert for TLS": at_once(b"\x15\x03\x03\x00\x02\x02\x28"),
        "half a record for TLS": at_once(b"\x16\x03\x03\x40\x00\x02"),
        "an end in the handshake": lambda connection: connection.close(),
        "a reset in the handshake": then_reset_at_once,
    }
    for name, handler in broken.items():
        expected = handshake | {"read-reset", "connect-reset", "read-timeout"}
        yield Behaviour(name, served(handler), tls, frozenset(expected))
    yield Behaviour(
        "a handshake that never comes", served(servers.silent), tls,
        frozenset({"tls-handshake", "read-timeout", "connect-timeout"}),
    )  # fmt: skip


def then_reset_at_once(connection: socket.socket) -> None:
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def resolving(reply: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """A name server over UDP; `reply` gives the datagrams for a question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(PATIENCE)

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    question, sender = listener.recvfrom(4096)
                    for each in reply(question):
                        listener.sendto(each, sender)

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]


def dns(port: int) -> Probe:
    return DnsProbe(name="registry.example", deadline=DEADLINE)


def flags(question: bytes, bits: int, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    """The question's own bytes as an answer, with these flags."""
    end = question.index(b"\0", 12) + 5
    return question[:2] + struct.pack(">5H", bits, *counts) + question[12:end]


def record(question: bytes, name: bytes, kind: int = 1, data: bytes = b"\x7f\0\0\1") -> bytes:
    head = flags(question, 0x8180, (1, 1, 0, 0))
    return head + name + struct.pack(">2HIH", kind, 1, 60, len(data)) + data


DNS: dict[str, tuple[Callable[[bytes], list[bytes]], tuple[str, ...]]] = {
    "a resolver that is silent": (lambda _q: [], ("dns-timeout",)),
    "another question's answer": (
        lambda q: [bytes([q[0] ^ 1, q[1]]) + record(q, b"\xc0\x0c")[2:]],
        ("dns-servfail", "dns-timeout"),
    ),
    "noise for DNS": (lambda _q: [b"\xff" * 300], ("dns-servfail", "dns-timeout")),
    "a datagram of one byte": (lambda _q: [b"x"], ("dns-servfail", "dns-timeout")),
    "an answer cut off": (lambda q: [record(q, b"\xc0\x0c")[:-3]], ("dns-servfail", "dns-timeout")),
    "a name that points to itself": (
        lambda q: [record(q, b"\xc0\x1c")],
        ("dns-servfail", "dns-timeout", "dns-no-answer"),
    ),
    "a resolver that refuses": (lambda q: [flags(q, 0x8185)], ("dns-servfail",)),
    "a resolver that fails": (lambda q: [flags(q, 0x8182)], ("dns-servfail",)),
    "a name that does not exist": (lambda q: [flags(q, 0x8183)], ("dns-nxdomain",)),
    "no record": (lambda q: [flags(q, 0x8180)], ("dns-no-answer",)),
    "a record of another kind": (
        lambda q: [record(q, b"\xc0\x0c", 16, b"\x01x")],
        ("dns-no-answer",),
    ),
    "truncated, and nothing on TCP": (
        lambda q: [flags(q, 0x8380)],
        ("dns-servfail", "dns-timeout"),
    ),
    "an address of three bytes": (
        lambda q: [record(q, b"\xc0\x0c", 1, b"\x7f\0\0")],
        ("dns-servfail", "dns-timeout"),
    ),
    "a thousand answers": (
        lambda q: [record(q, b"\xc0\x0c")] * 1000,
        (ANSWERED,),
    ),
}


def from_dns() -> Iterator[Behaviour]:
    for name, (reply, expected) in DNS.items():
        yield Behaviour(name, partial(resolving, reply), dns, frozenset(expected))


def from_tcp() -> Iterator[Behaviour]:
    def tcp(port: int) -> Probe:
        return TcpProbe(host="127.0.0.1", port=str(port), deadline=DEADLINE)

    @contextlib.contextmanager
    def unused() -> Iterator[int]:
        yield servers.unused_port()

    yield Behaviour(
        "packets that vanish", servers.unconnectable, tcp, frozenset({"connect-timeout"})
    )
    yield Behaviour("a port that refuses", unused, tcp, frozenset({"connect-refused"}))
    yield Behaviour(
        "a connection that ends at once", served(lambda c: c.close()), tcp, frozenset({ANSWERED})
    )


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def postgres(port: int) -> Probe:
    return PostgresProbe(
        host="127.0.0.1", port=str(port), user="mlflow", database="mlflow_db",
        password="${HOSTILE_PASSWORD}", sslmode="disable", deadline=DEADLINE,
    )  # fmt: skip


def greeting(data: bytes) -> Handler:
    """Read a start-up packet, and send this."""

    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)
        servers.silent(connection)

    return handle


def notices(connection: socket.socket) -> None:
    connection.recv(4096)
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        connection.sendall(message(b"N", b"SNOTICE\0C00000\0Mno end\0\0") * 50)


REFUSAL = b'SFATAL\0C28P01\0Mpassword authentication failed for user "mlflow"\0\0'
POSTGRES: dict[str, tuple[Handler, tuple[str, ...]]] = {
    "a database that is silent": (
        servers.silent,
        ("connect-timeout", "database-error", "read-timeout"),
    ),
    "noise for PostgreSQL": (greeting(b"\xff" * 99), ("database-error",)),
    "an HTTP answer for PostgreSQL": (greeting(answer()), ("database-error",)),
    "a message without end": (
        greeting(b"R\x7f\xff\xff\xff"),
        ("database-error", "connect-timeout"),
    ),
    "a message of negative length": (greeting(b"R\xff\xff\xff\xfe"), ("database-error",)),
    "notices without end": (notices, ("connect-timeout", "database-error")),
    "a refusal": (greeting(message(b"E", REFUSAL)), ("auth-failed",)),
    "an unknown way to log in": (
        greeting(message(b"R", struct.pack(">I", 99))),
        ("database-error", "auth-failed"),
    ),
    "Kerberos": (greeting(message(b"R", struct.pack(">I", 7))), ("database-error", "auth-failed")),
    "SASL of no kind": (
        greeting(message(b"R", struct.pack(">I", 10) + b"NONE\0\0")),
        ("database-error", "auth-failed"),
    ),
    "SASL cut off": (
        greeting(message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA")),
        ("database-error", "auth-failed", "connect-timeout"),
    ),
    "an end before the answer": (
        lambda connection: connection.close(),
        ("database-error", "connect-reset"),
    ),
}


def from_postgres() -> Iterator[Behaviour]:
    for name, (handler, expected) in POSTGRES.items():
        yield Behaviour(name, served(handler), postgres, frozenset(expected))


def aws(port: int) -> Probe:
    return AwsProbe(section="services", deadline=DEADLINE)


def said(status: str, body: bytes) -> Handler:
    return servers.answering(
        servers.http_answer(status, body, "content-type: application/x-amz-json-1.1")
    )


def more(connection: socket.socket) -> None:
    """Page after page, each with a token for the next."""
    servers.request_head(connection)
    body = b'{"taskArns": ["a"], "services": [], "nextToken": "again"}'
    connection.sendall(
        servers.http_answer("200 OK", body, "content-type: application/x-amz-json-1.1")
    )


OURS = ("runner-offline", "internal-error", "budget-exhausted", "missing-credential", "aws-error")
AWS: dict[str, tuple[Handler, tuple[str, ...]]] = {
    "AWS that throttles": (
        said("400 Bad Request", b'{"__type": "ThrottlingException"}'),
        ("budget-exhausted", "read-timeout", "runner-offline"),
    ),
    "AWS that fails": (said("500 Internal Server Error", b"{}"), (*OURS, *READ)),
    "AWS that says JSON that is none": (said("200 OK", b'{"services": '), (*OURS, *READ)),
    "AWS that says a list": (said("200 OK", b"[1]"), (*OURS, *READ)),
    "AWS that says HTML": (said("503 Service Unavailable", b"<html>"), (*OURS, *READ)),
    "AWS that says noise": (servers.answering(bytes(range(256)) * 4), (*OURS, *READ)),
    "AWS that is silent": (servers.silent, (*OURS, *READ)),
    "AWS that resets": (servers.resetting, (*OURS, *READ)),
    "AWS with a body without end": (endless(answer(), b"x" * 65_536), (*OURS, *READ)),
}


def from_aws() -> Iterator[Behaviour]:
    for name, (handler, expected) in AWS.items():
        yield Behaviour(name, served(handler), aws, frozenset(expected))

    def pages(port: int) -> Probe:
        return AwsProbe(section="tasks", deadline=DEADLINE)

    yield Behaviour("AWS with pages without end", served(more), pages, frozenset({*OURS, *READ}))


BEHAVIOURS: tuple[Behaviour, ...] = (
    *from_http(),
    *from_clients(),
    *from_tls(),
    *from_dns(),
    *from_tcp(),
    *from_postgres(),
    *from_aws(),
)
