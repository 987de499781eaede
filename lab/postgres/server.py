"""The running database server of one lab."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg2
from psycopg2 import sql

from lab.pki import Identity
from lab.postgres import configuration, place
from lab.postgres.daemon import Daemon
from lab.postgres.migrate import migrate_mlflow
from lab.postgres.template import ADMINISTRATOR, DATABASE, template
from lab.process import clean_environment

_SINGLE_USER_DEADLINE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one lab's server needs.

    `passwords`: role → password, for the roles `mlflow` and `postgres`. `folder`: the lab's own folder, the
    server's data go under it (or to a temporary folder that it names, see `lab.postgres.place`).
    """

    address: str
    passwords: Mapping[str, str]
    identity: Identity
    cache_dir: Path
    folder: Path
    log: Path
    port: int = 5432
    migrate: Callable[[str], None] = migrate_mlflow


class PostgresServer:
    """Start, stop and change one server. Use as a context manager, or call `start` and `close`."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is started or written before `start`."""
        self.settings = settings
        self._password = secrets.token_urlsafe(24)
        self._place: place.Place | None = None
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._daemon is not None and self._daemon.alive

    def start(self, timeout: float = 10.0) -> None:
        """Start (the first time on a copy of the migrated cluster) and wait until logins are accepted.

        Nothing happens when it runs already. Raises ExitedError with the end of the log, or TimeoutError.
        """
        if self.alive:
            return
        if self._daemon is None:
            self._daemon = Daemon(self._prepare(), self.settings.log)
        self._daemon.start(timeout)

    def stop(self, timeout: float = 5.0) -> None:
        """Stop the server and keep its data: a client is refused until `start`."""
        if self._daemon is not None:
            self._daemon.stop(timeout)

    def close(self) -> None:
        """Stop the server and remove its data and its temporary folders."""
        self.stop()
        self._daemon = None
        self._place = None
        place.remove(self.settings.folder)

    def execute(
        self, statement: str, parameters: Sequence[Any] = (), database: str = DATABASE
    ) -> list[tuple[Any, ...]]:
        """Run SQL as the server's own superuser, outside of a transaction; its rows, if any."""
        with self._cursor(database) as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
