"""Which sessions were ordered by ExecuteCommand: each can be opened once, with its token."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# A session that nobody opens: AWS documents no time, its tokens are short-lived.
VALID_S = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run where: argument vector, environment and folder are the task's."""

    task: str
    command: str
    argv: list[str]
    environment: dict[str, str] = field(repr=False)
    folder: Path
    # What the image has not: names of programs.
    missing: frozenset[str] = frozenset()
    kms_key: str | None = None
    # Whether the task still runs: its sessions end with it.
    runs: Callable[[], bool] = field(default=lambda: True, repr=False)
    session: str = field(default_factory=lambda: f"ecs-execute-command-{secrets.token_hex(9)[:17]}")
    token: str = field(default_factory=lambda: secrets.token_urlsafe(96), repr=False)
    made: float = field(default_factory=time.monotonic)


class Orders:
    """Orders that wait for their client. Every method is safe in threads."""

    def __init__(self, valid_s: float = VALID_S) -> None:
        """An order is forgotten after `valid_s` seconds."""
        self._waiting: dict[str, Order] = {}
        self._lock = threading.Lock()
        self._valid_s = valid_s

    def add(self, order: Order) -> None:
        """Let a client open this session."""
        with self._lock:
            self._forget_old()
            self._waiting[order.session] = order

    def take(self, session: str, token: str) -> Order | None:
        """The order of a session, once and with the right token only; else None."""
        with self._lock:
            self._forget_old()
            order = self._waiting.get(session)
            if order is None or not hmac.compare_digest(order.token.encode(), token.encode()):
                return None
            return self._waiting.pop(session)

    def _forget_old(self) -> None:
        oldest = time.monotonic() - self._valid_s
        for session in [name for name, each in self._waiting.items() if each.made < oldest]:
            del self._waiting[session]
