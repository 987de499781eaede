"""Makes the lab's network apply to this Python process, whatever library it uses.

In a VPC the kernel does this; here the few functions through which all of Python reaches the
network are replaced: name look-up, connect, bind, and psycopg2's connect (libpq is C).
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import socket
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from lab.tasks import network

# linux/in.h; the port is chosen when connecting, so that it is not used up by the bind.
IP_BIND_ADDRESS_NO_PORT = 24
_RESOLVER_FILE = "/etc/resolv.conf"
_open = io.open
_getaddrinfo = socket.getaddrinfo
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_bind = socket.socket.bind
_installed = False
# IP_BIND_ADDRESS_NO_PORT (ip(7)): the port is chosen when connecting, so that none runs out.
_BIND_ADDRESS_NO_PORT = 24


def install() -> None:
    """Confine this process. Once is enough; there is no way back."""
    global _installed  # noqa: PLW0603 - the patches are process-wide as well
    if _installed:
        return
    _installed = True
    io.open = builtins.open = _confined_open
    socket.getaddrinfo = _look_up
    socket.gethostbyname = lambda name: network.addresses(name)[0]
    socket.gethostbyname_ex = lambda name: (name, [], network.addresses(name))
    socket.socket.connect = _confined_connect  # type: ignore[assignment,method-assign]
    socket.socket.connect_ex = _confined_connect_ex  # type: ignore[assignment,method-assign]
    socket.socket.bind = _confined_bind  # type: ignore[assignment,method-assign]
    if "psycopg2" in sys.modules:
        _confine_psycopg2(sys.modules["psycopg2"])
    else:
        sys.meta_path.insert(0, _Psycopg2Finder())


def _confined_open(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
    """The VPC's resolver configuration instead of this machine's; everything else as it is."""
    if isinstance(file, str | os.PathLike) and os.fspath(file) == _RESOLVER_FILE:
        text = f"nameserver {network.resolver()[0]}\n"
        return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)
    return _open(file, mode, *rest, **more)


def _look_up(host: Any, port: Any, family: int = 0, *rest: Any, **more: Any) -> list[Any]:
    if host is None:
        return _getaddrinfo(host, port, family, *rest, **more)
    name = host.decode("idna") if isinstance(host, bytes) else str(host)
    found: list[Any] = []
    for address in network.addresses(name):
        found += _getaddrinfo(address, port, family, *rest, **more)
    return found


def _confined_connect(self: socket.socket, address: Any) -> None:
    destination = _destination(self, address)
    _come_from_own_address(self)
    _connect(self, destination)


def _confined_connect_ex(self: socket.socket, address: Any) -> int:
    destination = _destination(self, address)
    _come_from_own_address(self)
    return _connect_ex(self, destination)


def _come_from_own_address(connecting: socket.socket) -> None:
    """Else the kernel takes 127.0.0.1, and whoever is called would see no task but an outsider."""
    if connecting.family == socket.AF_INET and connecting.getsockname()[0] == "0.0.0.0":  # noqa: S104
        connecting.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        _bind(connecting, (network.own_address(), 0))


def _destination(connecting: socket.socket, address: Any) -> Any:
    if connecting.family != socket.AF_INET:
        return address
    if connecting.type & socket.SOCK_DGRAM and address[1] == network.DNS_PORT:
        # Whatever resolver this machine has: in the VPC there is but one.
        return network.resolver()
    if not connecting.type & socket.SOCK_STREAM:
        return address
    host = network.addresses(address[0])[0]
    return network.reach(host, address[1]) or network.nowhere()


def _confined_bind(self: socket.socket, address: Any) -> None:
    if self.family == socket.AF_INET and address[0] in ("", "0.0.0.0", "localhost", "127.0.0.1"):  # noqa: S104
        address = (network.own_address(), address[1])
    _bind(self, address)


class _Psycopg2Finder(importlib.abc.MetaPathFinder):
    """Confines psycopg2 when, and only if, it is imported."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "psycopg2":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Confining(spec.loader)
        return spec


class _Confining(importlib.abc.Loader):
    def __init__(self, real: importlib.abc.Loader) -> None:
        self._real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        _confine_psycopg2(module)


def _confine_psycopg2(module: ModuleType) -> None:
    real = module.connect

    def connect(dsn: str | None = None, *rest: Any, **parameters: Any) -> Any:
        from psycopg2.extensions import make_dsn, parse_dsn

        factories = {
            name: parameters.pop(name)
            for name in ("connection_factory", "cursor_factory", "async_", "async")
            if name in parameters
        }
        given = parse_dsn(make_dsn(dsn, **parameters))
        host, port = given.get("host", "localhost"), int(given.get("port", 5432))
        try:
            address = network.addresses(host)[0]
        except socket.gaierror as error:
            text = f'could not translate host name "{host}" to address: {error.strerror}\n'
            raise module.OperationalError(text) from None
        if network.admitted(address, port):
            return real(make_dsn(**given | {"hostaddr": address}), *rest, **factories)
        hole, hole_port = network.nowhere()
        dropped = given | {"hostaddr": hole, "port": str(hole_port)}
        try:
            return real(make_dsn(**dropped), *rest, **factories)
        except module.OperationalError as error:
            text = str(error).replace(hole, address).replace(f"port {hole_port}", f"port {port}")
            raise module.OperationalError(text) from None

    module.connect = connect  # type: ignore[attr-defined]
