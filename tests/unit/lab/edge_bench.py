"""What the edge's tests share: a control plane in memory, targets on loopback, a plain client."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from lab.edge.model import (
    Action,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Pace,
    Rule,
    Target,
    TargetGroup,
)
from lab.pki import Identity

PACE = Pace(
    settling=0.02,
    interval=0.05,
    health_timeout=0.2,
    registration=0.1,
    connect_timeout=0.2,
    idle_timeout=5.0,
    draining=0.4,
    reconcile=0.02,
)
GROUP = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/api/0123456789abcdef"
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/registry/0123"
NOT_FOUND = FixedResponse(404, "text/plain", "Not Found")
FORWARD = Forward(((GROUP, 1),))
CHECK = HealthCheck(path="/health", healthy_threshold=2, unhealthy_threshold=2)


@dataclass
class Control:
    """A control plane whose state a test changes."""

    balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    groups: dict[str, TargetGroup] = field(default_factory=dict)
    certificates: dict[str, Identity] = field(default_factory=dict)
    blocked: set[int] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)

    def load_balancers(self) -> list[LoadBalancer]:
        return list(self.balancers.values())

    def load_balancer(self, arn: str) -> LoadBalancer | None:
        return self.balancers.get(arn)

    def target_groups(self) -> list[TargetGroup]:
        return list(self.groups.values())

    def target_group(self, arn: str) -> TargetGroup | None:
        return self.groups.get(arn)

    def allowed(self, source: str, address: str, port: int) -> bool:
        self.sources.add(source)
        return port not in self.blocked

    def certificate(self, reference: str) -> Identity | None:
        return self.certificates.get(reference)

    def listen(
        self,
        address: str,
        *rules: Rule,
        default: Action = NOT_FOUND,
        port: int = 80,
        protocol: Literal["HTTP", "HTTPS"] = "HTTP",
        **more: Any,
    ) -> None:
        """Add a listener (replacing the one on that port) to the load balancer at this address."""
        last = Rule("default", None, (), default)
        listener = Listener(f"{BALANCER}/{port}", port, protocol, (*rules, last), **more)
        known = self.balancers.get(BALANCER) or LoadBalancer(BALANCER, "lb.test", address)
        kept = tuple(each for each in known.listeners if each.port != port)
        self.balancers[BALANCER] = replace(known, listeners=(*kept, listener))

    def register(self, *targets: Target, check: HealthCheck = CHECK) -> None:
        self.groups[GROUP] = TargetGroup(GROUP, targets, check)


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    address: str,
    path: str = "/",
    *,
    port: int = 8080,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: Any = None,
    trust: ssl.SSLContext | None = None,
    host: str = "registry.hokus.ai",
    timeout: float = 3.0,
) -> Reply:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    connection.connect()
    if trust is not None:
        connection.sock = trust.wrap_socket(connection.sock, server_hostname=host)
    try:
        connection.request(method, path, body, {"Host": host, **(headers or {})})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


class Echo(BaseHTTPRequestHandler):
    """A healthy target that answers with what it received."""

    protocol_version = "HTTP/1.1"
    health_status = 200

    def do_GET(self) -> None:
        status = self.health_status if self.path == "/health" else 200
        size = int(self.headers.get("Content-Length", "0"))
        body = self._chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else None
        content = body if body is not None else self.rfile.read(size)
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "from": self.client_address[0],
            "at": self.connection.getsockname()[0],
            "size": len(content),
        }
        answer = json.dumps(seen, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Target", "echo")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def _chunks(self) -> bytes:
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def echo_target(
    address: str, port: int = 8001, handler: type[BaseHTTPRequestHandler] = Echo
) -> Iterator[Target]:
    """A real HTTP server on a loopback address."""
    server = ThreadingHTTPServer((address, port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Target(address, port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw_target(
    address: str, behave: Callable[[socket.socket], object], port: int = 8001
) -> Iterator[Target]:
    """A server that does with each accepted connection what the test says; health checks get a
    200.
    """
    with socket.create_server((address, port)) as listener:
        listener.settimeout(0.05)
        stop = threading.Event()
        thread = threading.Thread(target=_accept, args=(listener, behave, stop))
        thread.start()
        try:
            yield Target(address, port)
        finally:
            stop.set()
            thread.join()


def _accept(
    listener: socket.socket, behave: Callable[[socket.socket], object], stop: threading.Event
) -> None:
    workers = []
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        workers.append(threading.Thread(target=_handle, args=(connection, behave)))
        workers[-1].start()
    for worker in workers:
        worker.join()


def _handle(connection: socket.socket, behave: Callable[[socket.socket], object]) -> None:
    with connection:
        connection.settimeout(3)
        try:
            if connection.recv(4096, socket.MSG_PEEK).startswith(b"GET /health "):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            else:
                behave(connection)
        except OSError:
            return


def until(condition: Callable[[], object], seconds: float = 3.0) -> None:
    """Wait, bounded, for something that happens in another thread."""
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {seen!r}"
        time.sleep(0.005)
