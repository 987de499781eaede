"""HTTP/1.1 on one event loop: every stage timed, every failure named, the size capped.

h11 is the protocol; the sockets are our own, because a library's exception does not tell a
refused connection from a dropped one, or a slow body from a slow handshake.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import h11

from harness.environment import Credentials
from harness.observation import Attempt, FailureKind, Hop, HttpObservation
from harness.probes.network import Reach, is_link_local, streams
from harness.probes.stage import Clock, StageError
from harness.specs import KEY_FORMS, REFUSED, HttpProbe, KeyForm

READ_SIZE = 65_536
MAX_HEADERS = 65_536
REDIRECTS = frozenset({301, 302, 303, 307, 308})
USER_AGENT = "hokusai-acceptance/1"


class _Target(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        default = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == default else f"{self.host}:{self.port}"


class _Answer:
    """What has been read so far: kept when the rest never comes."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.address: str | None = None
        self.hops: list[Hop] = []


async def observe(probe: HttpProbe, reach: Reach, credentials: Credentials) -> HttpObservation:
    """Send the request and tell what came back; redirects only up to ``probe.redirects``."""
    clock, answer, failure = Clock(probe.deadline), _Answer(), None
    url, headers, tried = probe.url, list(probe.headers), []
    try:
        async with asyncio.timeout(probe.deadline):
            for form in _forms(probe):
                url, headers = _authenticated(probe, form, credentials)
                await _follow(probe, url, headers, reach, clock, answer)
                tried.append(Attempt(what=form or "no key", status=answer.status))
                if answer.status not in REFUSED:
                    break
    except Exception as error:
        failure = clock.failure(error, _where(url))
    clock.timings["total"] = clock.elapsed_ms()
    return HttpObservation(
        method=probe.method,
        url=url,
        request_headers=dict(headers),
        status=answer.status,
        headers=answer.headers,
        body=answer.body.decode("utf-8", "replace"),
        body_bytes=len(answer.body),
        address=answer.address,
        hops=tuple(answer.hops),
        attempts=tuple(tried) if len(tried) > 1 else (),
        timings=clock.timings,
        failure=failure,
    )


def _forms(probe: HttpProbe) -> tuple[KeyForm | None, ...]:
    return KEY_FORMS if probe.api_key == "any" else (probe.api_key,)


async def _follow(
    probe: HttpProbe,
    url: str,
    headers: list[tuple[str, str]],
    reach: Reach,
    clock: Clock,
    answer: _Answer,
) -> None:
    first = _target(url)
    for remaining in range(probe.redirects, -1, -1):
        target = _target(url)
        if answer.hops and is_link_local(target.host):
            told = "redirected to a link-local address, refused"
            raise StageError(FailureKind.REDIRECT_REFUSED, told)
        # A key never goes to another host than the one it was meant for.
        sent = headers if target.host == first.host else list(probe.headers)
        await _exchange(probe, target, sent, reach, clock, answer)
        location = answer.headers.get("location")
        if remaining == 0 or answer.status not in REDIRECTS or not location:
            return
        answer.hops.append(Hop(url=url, status=answer.status, location=location))
        url = urljoin(url, location)


async def _exchange(
    probe: HttpProbe,
    target: _Target,
    headers: list[tuple[str, str]],
    reach: Reach,
    clock: Clock,
    answer: _Answer,
) -> None:
    connected, address = await reach.connect(target.host, target.port, clock)
    answer.address = str(address)
    context = reach.context() if target.scheme == "https" else None
    try:
        reader, writer = await streams(connected, context, target.host, clock)
    except BaseException:
        connected.close()
        raise
    try:
        clock.stage = "read"
        await _converse(probe, target, headers, reader, writer, clock, answer)
    finally:
        writer.transport.abort()


async def _converse(
    probe: HttpProbe,
    target: _Target,
    headers: list[tuple[str, str]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    clock: Clock,
    answer: _Answer,
) -> None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADERS)
    answer.status, answer.headers, answer.body = None, {}, bytearray()
    try:
        writer.write(_request(connection, probe, target, headers))
        await writer.drain()
        await _read(connection, reader, probe.max_bytes, clock, answer)
    except h11.ProtocolError as error:
        raise StageError(FailureKind.PROTOCOL_ERROR, f"{_name(target)}: {error}") from None


def _request(
    connection: h11.Connection, probe: HttpProbe, target: _Target, headers: list[tuple[str, str]]
) -> bytes:
    body = (probe.body or "").encode()
    sent = [
        ("Host", target.host_header),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        # A compressed answer could be a bomb, and would hide what the server wrote.
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
        *headers,
    ]
    if body or probe.method == "POST":
        sent.append(("Content-Length", str(len(body))))
    head = connection.send(h11.Request(method=probe.method, target=target.path, headers=sent))
    data = connection.send(h11.Data(data=body)) if body else b""
    end = connection.send(h11.EndOfMessage())
    return b"".join(part for part in (head, data, end) if part)


async def _read(
    connection: h11.Connection,
    reader: asyncio.StreamReader,
    max_bytes: int,
    clock: Clock,
    answer: _Answer,
) -> None:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(READ_SIZE))
        elif isinstance(event, h11.Response):
            clock.timings["first_byte"] = clock.elapsed_ms()
            answer.status = event.status_code
            answer.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in event.headers
            }
        elif isinstance(event, h11.Data):
            answer.body += event.data[: max_bytes - len(answer.body)]
            if len(answer.body) >= max_bytes:
                raise StageError(
                    FailureKind.TOO_LARGE, f"the body is {max_bytes} bytes long or longer"
                )
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return


def _authenticated(
    probe: HttpProbe, form: KeyForm | None, credentials: Credentials
) -> tuple[str, list[tuple[str, str]]]:
    headers = list(probe.headers)
    if form is None:
        return probe.url, headers
    key = credentials.need_api_key()
    if form == "query":
        separator = "&" if urlsplit(probe.url).query else "?"
        return f"{probe.url}{separator}api_key={quote(key, safe='')}", headers
    header = {
        "x-api-key": ("X-API-Key", key),
        "bearer": ("Authorization", f"Bearer {key}"),
        "apikey": ("Authorization", f"ApiKey {key}"),
    }
    return probe.url, [*headers, header[form]]


def _target(url: str) -> _Target:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StageError(
            FailureKind.REDIRECT_REFUSED, f"redirected to {parts.scheme or 'no'}: address, refused"
        )
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise StageError(
            FailureKind.REDIRECT_REFUSED, "redirected to an address with a bad port"
        ) from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(parts.scheme, parts.hostname, port, path)


def _name(target: _Target) -> str:
    return f"{target.scheme}://{target.host_header}"


def _where(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
