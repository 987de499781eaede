"""Packets that a security group does not admit are dropped: the listening socket itself filters
its SYNs.

A classic BPF program on a listening socket needs no privilege (Linux, socket(7),
SO_ATTACH_FILTER). It sees the packet from the TCP header on, and the IP header at SKF_NET_OFF. An
accepted connection keeps the program of its birth, which admitted it; so, as with AWS's
connection tracking, what is established goes on after a rule is revoked.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Sequence

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_LOAD_WORD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_SOURCE_ADDRESS = 0xFFF00000 + 12
_EVERYTHING = 0xFFFFFFFF


def admit(listener: socket.socket, ingress: Sequence[str]) -> None:
    """Let only these source CIDRs connect from now on; to everybody else the port is silent.

    Raises OSError where the system cannot filter.
    """
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in ingress]
    ours = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    if any(network.prefixlen == 0 for network in ours):
        _detach(listener)
    else:
        _attach(listener, _program(ours))


def _program(networks: Sequence[ipaddress.IPv4Network]) -> bytes:
    """For each network: source & mask == network → take the packet; in the end drop it."""
    code = b""
    for network in networks:
        code += _instruction(_LOAD_WORD, _SOURCE_ADDRESS)
        code += _instruction(_AND, int(network.netmask))
        code += _instruction(_JUMP_IF_EQUAL, int(network.network_address), otherwise=1)
        code += _instruction(_RETURN, _EVERYTHING)
    return code + _instruction(_RETURN, 0)


def _instruction(code: int, value: int, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, 0, otherwise, value)


def _attach(listener: socket.socket, program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(buffer))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)


def _detach(listener: socket.socket) -> None:
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except FileNotFoundError:
        return  # there was none
