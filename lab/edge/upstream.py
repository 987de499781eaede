"""The connection from a load balancer to a target."""

from __future__ import annotations

import asyncio
import ssl

import h11

from lab.edge.model import ControlPlane, Target
from lab.edge.wire import Wire


class ConnectTimeoutError(TimeoutError):
    """The target's address did not answer, or a security group let nothing through."""


async def connect(
    control: ControlPlane, source: str, target: Target, timeout: float, *, encrypted: bool = False
) -> Wire:
    """Open a connection from the load balancer's own address, if the VPC lets it through.

    One connection for each request: so a revoked rule or a stopped task shows at once, and no
    target closes a kept connection at the wrong moment. Raises ConnectTimeoutError or OSError
    (refused, reset, TLS).
    """
    try:
        async with asyncio.timeout(timeout):
            if not control.allowed(source, target.address, target.port):
                await asyncio.Future()  # packets are dropped: nothing will ever come
            reader, writer = await asyncio.open_connection(
                target.address,
                target.port,
                local_addr=(source, 0),
                ssl=_unverified() if encrypted else None,
            )
    except TimeoutError as error:
        raise ConnectTimeoutError(f"{target.address}:{target.port}: timed out") from error
    return Wire(h11.CLIENT, reader, writer)


def _unverified() -> ssl.SSLContext:
    """A load balancer does not verify its targets' certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
