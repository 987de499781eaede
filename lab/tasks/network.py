"""The lab's network as a task sees it: names by its resolver, connections by the VPC's policy."""

from __future__ import annotations

import functools
import ipaddress
import json
import os
import socket

from dnslib import DNSRecord

from lab.tasks.inside import ADDRESS, POLICY, RESOLVER

ASK_POLICY_WITHIN_S = 5.0
TRY_RESOLVER_FOR_S = 1.0
TRIES = 2
DNS_PORT = 53
# Taken before anything is patched.
_connect = socket.socket.connect
_text = {
    socket.EAI_NONAME: "Name or service not known",
    socket.EAI_NODATA: "No address associated with hostname",
    socket.EAI_AGAIN: "Temporary failure in name resolution",
}


def own_address() -> str:
    """The task's address: what localhost and 0.0.0.0 mean inside it."""
    return os.environ[ADDRESS]


def resolver() -> tuple[str, int]:
    """Where the VPC's resolver listens."""
    host, _, port = os.environ[RESOLVER].rpartition(":")
    return host, int(port)


def is_address(host: str) -> bool:
    """Whether this is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_own(host: str) -> bool:
    """Whether a host means the task itself."""
    return host in ("localhost", "", "::1") or (
        is_address(host) and host.startswith("127.0.0.") and host != own_address()
    )


def addresses(name: str) -> list[str]:
    """The addresses of a name; raises socket.gaierror as glibc words it."""
    if is_own(name):
        return [own_address()]
    if is_address(name):
        return [name]
    reply = _reply(name)
    if reply.header.rcode == 3:
        raise _error(socket.EAI_NONAME)
    if reply.header.rcode != 0:
        raise _error(socket.EAI_AGAIN)
    found = [str(record.rdata) for record in reply.rr if record.rtype == 1]
    if not found:
        raise _error(socket.EAI_NODATA)
    return found


def admitted(address: str, port: int) -> bool:
    """Whether the VPC lets this task open a connection to `address:port`."""
    return reach(address, port) is not None


def reach(address: str, port: int) -> tuple[str, int] | None:
    """Where a connection to `address:port` really goes; None where the VPC drops it.

    The ports of load balancers below 1024 are others in the lab: nobody there is root.
    """
    if address == own_address():
        return address, port
    question = {"from": own_address(), "to": address, "port": port}
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ASK_POLICY_WITHIN_S)
        _connect(asking, os.environ[POLICY])
        asking.sendall(json.dumps(question).encode() + b"\n")
        with asking.makefile() as lines:
            answer = json.loads(lines.readline())
    return (address, answer.get("port", port)) if answer["verdict"] == "allow" else None


@functools.cache
def nowhere() -> tuple[str, int]:
    """An address of this process's own on which connecting times out."""
    from lab.blackhole import Blackhole

    hole = Blackhole(own_address(), 0)
    _kept.append(hole)
    return hole.address, hole.port


_kept: list[object] = []


def _reply(name: str) -> DNSRecord:
    question = DNSRecord.question(name)
    host, port = resolver()
    for _ in range(TRIES):
        try:
            packet = question.send(host, port, timeout=TRY_RESOLVER_FOR_S)
        except OSError:
            continue
        return DNSRecord.parse(packet)
    raise _error(socket.EAI_AGAIN)


def _error(number: int) -> socket.gaierror:
    return socket.gaierror(number, _text[number])
