"""Targets for the bench: servers that answer after a given time, each on a port of its own.

`python -m benchmarks.targets PACE FOLDER` serves until its standard input ends, and prints the job
as JSON once all of them listen. They do as little as a correct answer needs.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import msgspec
import trustme

from benchmarks import job

ADDRESS = "127.0.0.1"
BODY = b'{"status":"healthy","version":"1.0.0"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)
)
SSL_REQUEST = 80877103
PARAMETERS = {
    "server_version": "17.2",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
}
BACKLOG = 1024
NEVER_S = 86_400.0
Delay = float | None
Serve = Callable[[Delay], Awaitable[int]]


async def _wait(delay: Delay) -> None:
    # Whom the loop has nothing planned for may be collected, with the connection.
    await asyncio.sleep(NEVER_S if delay is None else delay)


class _Http(asyncio.Protocol):
    def __init__(self, delay: Delay) -> None:
        self._delay, self._asked = delay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if self._delay is not None and b"\r\n\r\n" in self._asked:
            asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _answer(self) -> None:
        self._transport.write(ANSWER)
        self._transport.close()


async def http(delay: Delay) -> int:
    """Serve HTTP; returns the port."""
    loop = asyncio.get_running_loop()
    serving = await loop.create_server(lambda: _Http(delay), ADDRESS, 0, backlog=BACKLOG)
    return int(serving.sockets[0].getsockname()[1])


async def tcp(_delay: Delay) -> int:
    """Let everybody connect, which the kernel does at once; returns the port."""
    loop = asyncio.get_running_loop()
    serving = await loop.create_server(asyncio.Protocol, ADDRESS, 0, backlog=BACKLOG)
    return int(serving.sockets[0].getsockname()[1])


def tls(context: ssl.SSLContext) -> Serve:
    """Return what shakes hands after the delay."""

    async def serve(delay: Delay) -> int:
        async def shake(connected: socket.socket) -> None:
            await _wait(delay)
            loop = asyncio.get_running_loop()
            try:
                await loop.connect_accepted_socket(lambda: _Http(0), connected, ssl=context)
            except (OSError, ssl.SSLError):
                connected.close()

        return _accepting(shake)

    return serve


def _accepting(handle: Callable[[socket.socket], Awaitable[None]]) -> int:
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Future[None]]()
    listener = socket.create_server((ADDRESS, 0), backlog=BACKLOG)
    listener.setblocking(False)

    async def accept() -> None:
        while True:
            connected, _ = await loop.sock_accept(listener)
            tasks.add(asyncio.ensure_future(handle(connected)))

    tasks.add(asyncio.ensure_future(accept()))
    _KEPT.append(tasks)
    return int(listener.getsockname()[1])


_KEPT: list[object] = []


class _Dns(asyncio.DatagramProtocol):
    def __init__(self, delays: dict[str, Delay]) -> None:
        self._delays = delays

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        asked = dns.message.from_wire(data)
        name = asked.question[0].name
        delay = self._delays.get(name.to_text(omit_final_dot=True), self._delays.get(""))
        if delay is not None:
            answer = dns.message.make_response(asked)
            answer.flags |= dns.flags.RA
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", ADDRESS))
            later = asyncio.get_running_loop().call_later
            later(delay, self._transport.sendto, answer.to_wire(), addr)


async def names(delays: dict[str, Delay]) -> int:
    """Answer each name after its time, others after that of ``""``; returns the port."""
    loop = asyncio.get_running_loop()
    listening, _ = await loop.create_datagram_endpoint(
        lambda: _Dns(delays), local_addr=(ADDRESS, 0)
    )
    return int(listening.get_extra_info("sockname")[1])


async def postgres(delay: Delay) -> int:
    """Let every user log in, and answer each query with one row; returns the port."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _log_in(reader, writer, delay)
            while (await reader.readexactly(1)) == b"Q":
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                await reader.readexactly(length - 4)
                writer.write(_row())
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    serving = await asyncio.start_server(converse, ADDRESS, 0, backlog=BACKLOG)
    _KEPT.append(serving)
    return int(serving.sockets[0].getsockname()[1])


async def _log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Delay) -> None:
    while True:
        length, version = struct.unpack(">2I", await reader.readexactly(8))
        await reader.readexactly(length - 8)
        if version != SSL_REQUEST:
            break
        writer.write(b"N")
    await _wait(delay)
    told = b"".join(
        _message(b"S", f"{name}\0{value}\0".encode()) for name, value in PARAMETERS.items()
    )
    accepted = _message(b"R", struct.pack(">I", 0))
    writer.write(accepted + told + _message(b"K", bytes(8)) + _message(b"Z", b"I"))


def _row() -> bytes:
    described = struct.pack(">H", 1) + b"value\0" + struct.pack(">IHIhih", 0, 0, 25, -1, -1, 0)
    value = struct.pack(">Hi", 1, 1) + b"1"
    done = _message(b"C", b"SELECT 1\0") + _message(b"Z", b"I")
    return _message(b"T", described) + _message(b"D", value) + done


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


async def serve(checks: list[job.Check], folder: Path) -> job.Job:
    """Serve a target for each check; the certificate authority is written into ``folder``."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(ADDRESS, "localhost").configure_cert(context)
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    resolver = await names({check.name: check.delay for check in checks if check.kind == "dns"})

    async def one_resolver(_delay: Delay) -> int:
        return resolver

    kinds: dict[job.Kind, Serve] = {
        "http": http, "tls": tls(context), "dns": one_resolver, "tcp": tcp, "postgres": postgres,
    }  # fmt: skip
    ports = [await kinds[check.kind](check.delay) for check in checks]
    targets = tuple(job.Target(c, port) for c, port in zip(checks, ports, strict=True))
    return job.Job(targets, str(bundle))


async def _main(pace: str, folder: Path) -> None:
    served = await serve(job.checks(pace), folder)
    print(msgspec.json.encode(served).decode(), flush=True)
    await until_left()


async def until_left() -> None:
    """Serve until whoever started this closes its standard input, also by dying."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    # Without a word to those whom it never answered.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2])))
