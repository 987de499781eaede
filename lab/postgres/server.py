"""The running database server of one lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.pki import Identity
from lab.postgres.migrate import migrate_mlflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one lab's server needs. `passwords` maps role → password (roles: mlflow,
    postgres).
    """

    address: str
    passwords: dict[str, str]
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
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        raise NotImplementedError

    def start(self, timeout: float = 10.0) -> None:
        """Start (the first time: on a copy of the migrated cluster) and wait until it accepts
        logins.
        """
        raise NotImplementedError

    def stop(self, timeout: float = 5.0) -> None:
        """Stop the server and keep its data: a client is refused until `start`."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop the server and remove its data and its temporary folders."""
        raise NotImplementedError

    def execute(self, sql: str, database: str = "mlflow_db") -> list[tuple[Any, ...]]:
        """Run SQL as the server's own superuser (`rdsadmin`); rows, or an empty list."""
        raise NotImplementedError

    def set_role_password(self, role: str, password: str) -> None:
        """Change a role's password, as a rotation does; open sessions stay."""
        raise NotImplementedError

    def reload_hba(self, lines: list[str] | None = None) -> None:
        """Replace the host rules (None: the default, which demands SSL as rds.force_ssl does)."""
        raise NotImplementedError

    def set_identity(self, identity: Identity) -> None:
        """Present another server certificate from the next connection on."""
        raise NotImplementedError
