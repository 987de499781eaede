"""Child processes that never outlive the lab."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Exited(Exception):
    """The process ended before it was asked to. `tail` is the end of its log."""

    pid: int
    status: int
    tail: str


class Child:
    """One started process, the leader of its own session and process group."""

    pid: int

    def poll(self) -> int | None:
        """The exit status (negative: the signal), None while it runs."""
        raise NotImplementedError

    def wait_listening(self, address: str, port: int, timeout: float) -> None:
        """Wait until the process accepts connections. Raises Exited, or TimeoutError with the
        last error.
        """
        raise NotImplementedError

    def stop(self, timeout: float = 3.0, signal: int = 15) -> int:
        """Ask to end; KILL the whole group when the time is over. Returns the exit status."""
        raise NotImplementedError


def clean_environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without what would change a child's behaviour: proxies, CA bundles, Python
    switches, AWS.
    """
    raise NotImplementedError


def start(
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    user: int | None = None,
    cwd: Path | None = None,
    death_signal: int = 9,
) -> Child:
    """Start a process that gets `death_signal` when this process dies, even by kill -9. Any
    thread may call.
    """
    raise NotImplementedError
