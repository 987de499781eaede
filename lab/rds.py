"""The database server follows its RDS instance: created, stopped, started, password changed."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any

from lab import names
from lab.aws.backends import Backends
from lab.aws.call import Call
from lab.aws.interfaces import Interfaces
from lab.pki import Authority
from lab.postgres import PostgresServer, Settings

_START_WITHIN = 120.0  # the first time ever, the cluster is built and migrated


class DatabaseFollower:
    """Runs a real PostgreSQL on the interface of the platform's RDS instance."""

    def __init__(
        self,
        backends: Backends,
        interfaces: Interfaces,
        authority: Authority,
        *,
        cache: Path,
        folder: Path,
        log: Path,
    ) -> None:
        """Nothing runs before `follow` has seen the instance."""
        self._backends, self._interfaces, self._authority = backends, interfaces, authority
        self._cache, self._folder, self._log = cache, folder, log
        self._following = threading.Lock()
        self._password = self._password_set = ""
        self.server: PostgresServer | None = None

    def note(self, call: Call) -> None:
        """Take the master password from a call: neither AWS nor moto ever tells it again."""
        if call.parameters.get("DBInstanceIdentifier") == names.DATABASE_INSTANCE:
            self._password = call.parameters.get("MasterUserPassword", self._password)

    def follow(self) -> None:
        """Bring the server to what the instance says now; returns when that is done."""
        with self._following:
            instance, address = self._instance()
            if instance is None or address is None:
                self._stop(keep=False)
            elif instance.status == "available":
                self._run(instance, address)
            elif instance.status in ("stopped", "stopping"):
                self._stop(keep=True)

    def close(self) -> None:
        """Stop the server and remove its data."""
        with self._following:
            self._stop(keep=False)

    def _run(self, instance: Any, address: str) -> None:
        wanted = self._password
        if self.server is None:
            self.server = PostgresServer(self._settings(instance, address, wanted))
            self._password_set = wanted
        self.server.start(_START_WITHIN)
        if wanted != self._password_set:
            self.server.set_role_password(names.DATABASE_USER, wanted)
            self._password_set = wanted

    def _settings(self, instance: Any, address: str, password: str) -> Settings:
        return Settings(
            address=address,
            passwords={
                names.DATABASE_USER: password,
                "postgres": secrets.token_urlsafe(24),
            },
            identity=self._authority.issue(instance.address),
            cache_dir=self._cache,
            folder=self._folder,
            log=self._log,
        )

    def _stop(self, *, keep: bool) -> None:
        if self.server is not None and keep:
            self.server.stop()
        elif self.server is not None:
            self.server.close()
            self.server = None

    def _instance(self) -> tuple[Any, str | None]:
        with self._backends.lock:
            found = self._backends.rds.databases.get(names.DATABASE_INSTANCE)
            interface = self._interfaces.of(found.db_instance_arn) if found else None
            return found, interface.address if interface else None
