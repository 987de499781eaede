"""A TCP connection, made and closed."""

from __future__ import annotations

import asyncio

from harness.observation import TcpObservation
from harness.probes.network import Reach
from harness.probes.stage import Clock
from harness.specs import TcpProbe


async def observe(probe: TcpProbe, reach: Reach) -> TcpObservation:
    """Connect and tell where to, or how it failed."""
    clock, port, address, failure = Clock(probe.deadline), int(probe.port), None, None
    try:
        async with asyncio.timeout(probe.deadline):
            connected, reached = await reach.connect(probe.host, port, clock)
            connected.close()
            address = str(reached)
    except Exception as error:
        failure = clock.failure(error, f"{probe.host}:{port}")
    return TcpObservation(host=probe.host, port=port, address=address, failure=failure)
