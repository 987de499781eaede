"""A small network for tests of tasks: a resolver and a VPC policy of a test's own making."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnslib import RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from lab.tasks.inside import Surroundings

RESOLVER = "127.249.0.3"
PORT = 5353


@dataclass
class SmallNetwork:
    """Names and what is dropped, to be changed by a test as it goes."""

    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    dropped: set[tuple[str, int]] = field(default_factory=set)

    def surroundings(self, address: str) -> Surroundings:
        """Where a task with this address is."""
        folder = self.folder / address
        folder.mkdir(exist_ok=True)
        return Surroundings(address, f"{RESOLVER}:{PORT}", self.folder / "policy", folder)


class _Resolver(BaseResolver):  # type: ignore[misc]
    def __init__(self, network: SmallNetwork) -> None:
        self._network = network

    def resolve(self, request: Any, handler: Any) -> Any:
        reply, name = request.reply(), str(request.q.qname).rstrip(".")
        if name not in self._network.names:
            reply.header.rcode = 3
        elif address := self._network.names[name]:
            reply.add_answer(RR(request.q.qname, 1, rdata=A(address), ttl=10))
        return reply


class _Policy(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    network: SmallNetwork


class _Asked(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Policy)
        asked = json.loads(self.rfile.readline())
        dropped = (asked["to"], asked["port"]) in self.server.network.dropped
        self.wfile.write(json.dumps({"verdict": "drop" if dropped else "allow"}).encode() + b"\n")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[SmallNetwork]:
    """Run resolver and policy."""
    network = SmallNetwork(folder)
    dns = DNSServer(
        _Resolver(network), address=RESOLVER, port=PORT, logger=DNSLogger("", prefix=False)
    )
    with _Policy(str(folder / "policy"), _Asked) as policy:
        policy.network = network
        threading.Thread(target=policy.serve_forever, daemon=True).start()
        dns.start_thread()
        try:
            yield network
        finally:
            dns.stop()
            dns.server.server_close()
            policy.shutdown()
