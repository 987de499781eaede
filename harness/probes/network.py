"""Names to addresses to connections, as the runner reaches them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from typing import NamedTuple

from harness.environment import Network, Tls
from harness.errors import UsageError
from harness.observation import FailureKind
from harness.probes import names
from harness.probes.stage import Clock, StageError

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Address(NamedTuple):
    """Where a host:port is reached."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def is_link_local(host: str) -> bool:
    """Whether a host is a link-local address, where clouds keep their instances' credentials."""
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


class Reach:
    """How the runner reaches hosts: ``connect_to`` first, then the resolver; and what it trusts."""

    def __init__(self, network: Network, tls: Tls) -> None:
        self._resolver = network.resolver
        self._connect_to = dict(map(_parse_connect_to, network.connect_to))
        self._ca_bundle = tls.ca_bundle
        self._context: ssl.SSLContext | None = None

    @property
    def ca_bundle(self) -> str | None:
        """Path of the PEM bundle that is trusted; None is the system's trust store."""
        return self._ca_bundle

    def mapped(self, host: str, port: int) -> Address | None:
        """Return where ``connect_to`` sends host:port, or None."""
        return self._connect_to.get((host.lower(), port))

    def context(self) -> ssl.SSLContext:
        """Return the verifying TLS context of this run."""
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._trusted())
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context

    def check(self) -> None:
        """Raise UsageError if the trust settings cannot be used."""
        self.context()

    async def locate(self, host: str, port: int) -> list[Address]:
        """Return the addresses of host:port, best first. Raises StageError."""
        if mapped := self.mapped(host, port):
            host, port = mapped
        if _is_address(host):
            return [Address(host, port)]
        return [Address(address, port) for address in await self.resolve(host)]

    async def resolve(self, host: str) -> list[str]:
        """Return the IP addresses of ``host``. Raises StageError."""
        if self._resolver is not None:
            answer = await names.query(host, "A", self._resolver)
            return list(answer.addresses())
        return await _system_addresses(host)

    async def connect(self, host: str, port: int, clock: Clock) -> tuple[socket.socket, Address]:
        """Return a connected, non-blocking socket, and where it goes. Raises OSError, StageError.

        Tries the addresses in turn within the caller's deadline: the last error is the one told.
        """
        with clock.during("dns"):
            addresses = await self.locate(host, port)
        with clock.during("connect"):
            for address in addresses[:-1]:
                try:
                    return await _open(address), address
                except OSError:
                    continue
            return await _open(addresses[-1]), addresses[-1]

    def _trusted(self) -> str | None:
        try:
            if self._ca_bundle is not None:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(self._ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"tls.ca_bundle (HOKUSAI_TLS_CA_BUNDLE): {self._ca_bundle} cannot be used: "
                f"{error.strerror or error}; give a readable file of PEM certificates"
            ) from None
        return self._ca_bundle


async def streams(
    connected: socket.socket, context: ssl.SSLContext | None, host: str, clock: Clock
) -> Streams:
    """Return reader and writer over a connected socket, after a TLS handshake if one is asked."""
    if context is None:
        return await asyncio.open_connection(sock=connected)
    with clock.during("tls"):
        return await asyncio.open_connection(sock=connected, ssl=context, server_hostname=host)


async def _open(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    connecting = socket.socket(family, socket.SOCK_STREAM)
    connecting.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connecting, tuple(address))
    except BaseException:
        connecting.close()
        raise
    return connecting


async def _system_addresses(host: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise StageError(_gai_kind(error), f"{host}: {error.strerror}") from None
    except UnicodeError:
        raise StageError(FailureKind.DNS_NXDOMAIN, f"{host}: is not a host name") from None
    return [str(entry[4][0]) for entry in found]


def _gai_kind(error: socket.gaierror) -> FailureKind:
    if error.errno == socket.EAI_AGAIN:
        # The resolver itself could not be reached: that says nothing about the name.
        return FailureKind.RUNNER_OFFLINE
    if error.errno == getattr(socket, "EAI_NODATA", None):
        return FailureKind.DNS_NO_ANSWER
    return FailureKind.DNS_NXDOMAIN


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _parse_connect_to(entry: str) -> tuple[tuple[str, int], Address]:
    host, port, target, target_port = entry.split(":")
    return (host.lower(), int(port)), Address(target, int(target_port))
