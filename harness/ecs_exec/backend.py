"""The testinfra backend: ``ecs://cluster/service/container``.

testinfra keeps only the authority of an address, so that the three names become one, with colons,
in ``host``; its own ``testinfra.get_host("ecs://…")`` takes both spellings.
"""

from __future__ import annotations

import shlex
import urllib.parse
from typing import Any

import testinfra
from testinfra.backend import BACKENDS
from testinfra.backend.base import BaseBackend, CommandResult

from harness.ecs_exec.client import DEADLINE, EcsExec

SCHEME = "ecs"


class EcsBackend(BaseBackend):  # type: ignore[misc]
    """testinfra over ECS Exec: every command is a session in the service's newest running task."""

    NAME = SCHEME

    def __init__(
        self,
        hostname: str,
        *args: Any,
        task: str | None = None,
        ecs: Any = None,
        timeout: float | str = DEADLINE,
        **kwargs: Any,
    ) -> None:
        """``ecs`` is boto3's client, by default a new one; ``timeout``: seconds per command.

        Raises ValueError if ``hostname`` is not cluster:service[:container].
        """
        names = hostname.split(":")
        if len(names) not in (2, 3) or not all(names):
            raise ValueError(
                f"{hostname}: not cluster:service or cluster:service:container "
                f"(as in {SCHEME}://cluster/service/container)"
            )
        super().__init__(hostname, *args, **kwargs)
        container = names[2] if len(names) == len(("cluster", "service", "container")) else None
        self._timeout = float(timeout)
        self._exec = EcsExec(ecs or _client(), names[0], names[1], container, task=task)

    def run(self, command: str, *args: str, **_kwargs: Any) -> CommandResult:
        """Run one command. Raises EcsExecError if it could not be run to its end."""
        wanted = self.get_command(command, *args)
        answer = self._exec.run(wanted, deadline=self._timeout)
        return self.result(answer.status, wanted.encode(), answer.stdout, answer.stderr)

    def get_sudo_command(self, command: str, sudo_user: str | None) -> str:
        """ECS Exec is root: another user is had with su, which most images have, unlike sudo."""
        if sudo_user is None:
            return command
        return f"su -s /bin/sh -c {shlex.quote(command)} {shlex.quote(sudo_user)}"


def get_host(address: str, **options: Any) -> Any:
    """Return testinfra's host for ``ecs://cluster/service[/container][?timeout=…]``.

    ``options`` are those of EcsBackend. Raises ValueError for another address.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != SCHEME:
        raise ValueError(f"{address}: not an address like {SCHEME}://cluster/service/container")
    names = ":".join(part for part in [parts.netloc, *parts.path.split("/")] if part)
    query = dict(urllib.parse.parse_qsl(parts.query))
    register()
    return testinfra.get_host(names, connection=SCHEME, **{**query, **options})


def register() -> None:
    """Make the backend known to testinfra: ``testinfra.get_host("ecs://cluster:service:…")``."""
    BACKENDS[SCHEME] = f"{EcsBackend.__module__}.{EcsBackend.__qualname__}"


def _client() -> Any:
    import boto3

    return boto3.client("ecs")


register()
