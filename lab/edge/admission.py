"""Sources that a security group does not admit: the socket ignores their packets.

Linux offers two ways, and which of them an ordinary user may go depends on the kernel:

- a classic BPF program on the socket (socket(7), SO_ATTACH_FILTER); recent kernels want
CAP_NET_RAW for TCP. It sees the packet from the TCP header on, and the IP header at SKF_NET_OFF;
- a TCP MD5 key for the sources to be ignored (tcp(7), TCP_MD5SIG_EXT; CONFIG_TCP_MD5SIG): the
kernel drops their segments, as they are not signed.

With both, as with AWS's connection tracking, what is established goes on after a rule is revoked.
"""

from __future__ import annotations

import ctypes
import secrets
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Network, ip_network

LOOPBACK = IPv4Network("127.0.0.0/8")

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_LOAD_WORD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_SOURCE_ADDRESS = 0xFFF00000 + 12
_EVERYTHING = 0xFFFFFFFF

_TCP_MD5SIG_EXT = 32
_KEY_FOR_PREFIX = 1
_KEY_SIZE, _KEY_ROOM, _ADDRESS_ROOM = 16, 80, 128


class Gate:
    """Decides who may connect to one listening socket."""

    def __init__(self, listener: socket.socket) -> None:
        """Everybody may, until told otherwise."""
        self._listener = listener
        self._ignored: set[IPv4Network] = set()

    def admit(self, ingress: Sequence[str]) -> None:
        """Let only these source CIDRs connect from now on; to everybody else the port is silent.

        Raises OSError where the system knows neither way.
        """
        admitted = networks(ingress)
        try:
            self._filter(admitted)
        except PermissionError:
            self._ignore(set(_outside(admitted)))

    def _filter(self, admitted: Sequence[IPv4Network]) -> None:
        if any(LOOPBACK.subnet_of(network) for network in admitted):
            _detach(self._listener)
        else:
            _attach(self._listener, _program(admitted))

    def _ignore(self, sources: set[IPv4Network]) -> None:
        for network in self._ignored - sources:
            self._sign(network, key=b"")
            self._ignored.remove(network)
        for network in sources - self._ignored:
            self._sign(network, key=secrets.token_bytes(_KEY_SIZE))
            self._ignored.add(network)

    def _sign(self, network: IPv4Network, key: bytes) -> None:
        """struct tcp_md5sig: an address, flags, prefix length, key length, interface, key (none:
        forget it).
        """
        source = struct.pack("=HH4s", socket.AF_INET, 0, network.network_address.packed)
        rest = struct.pack("=BBHi", _KEY_FOR_PREFIX, network.prefixlen, len(key), 0)
        value = source.ljust(_ADDRESS_ROOM, b"\0") + rest + key.ljust(_KEY_ROOM, b"\0")
        self._listener.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG_EXT, value)


def networks(ingress: Sequence[str]) -> list[IPv4Network]:
    """The IPv4 ones among some CIDRs."""
    found = (ip_network(cidr, strict=False) for cidr in ingress)
    return [network for network in found if isinstance(network, IPv4Network)]


def _outside(admitted: Sequence[IPv4Network]) -> list[IPv4Network]:
    """What is left of loopback without the admitted networks."""
    left = [LOOPBACK]
    for network in admitted:
        left = [part for each in left for part in _without(each, network)]
    return left


def _without(whole: IPv4Network, part: IPv4Network) -> list[IPv4Network]:
    if whole.subnet_of(part):
        return []
    return list(whole.address_exclude(part)) if part.subnet_of(whole) else [whole]


def _program(admitted: Sequence[IPv4Network]) -> bytes:
    """For each network: source & mask == network → take the packet; in the end drop it."""
    code = b""
    for network in admitted:
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
