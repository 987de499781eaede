"""The running database server of one lab."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one lab's server needs.

    `passwords`: role → password, for the roles `mlflow` and `postgres`. `folder`: the lab's own
    folder, the server's data go under it (or to a temporary folder that it names, see
    `lab.postgres.place`).
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
        """Start, the first time on a copy of the migrated cluster; wait for logins.

        Nothing happens when it runs already. Raises ExitedError with the end of the log, or
        TimeoutError.
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
        """Stop the server and remove its data. May be called more than once."""
        self.stop()
        if self._place is not None:
            self._place.remove()
        self._daemon = self._place = None

    def execute(
        self, statement: str, parameters: Sequence[Any] = (), database: str = DATABASE
    ) -> list[tuple[Any, ...]]:
        """Run SQL as the server's own superuser, outside of a transaction; its rows, if any."""
        with self._cursor(database) as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def set_role_password(self, role: str, password: str) -> None:
        """Change a role's password, as a rotation does; open sessions stay open."""
        with self._cursor(DATABASE) as cursor:
            cursor.execute(
                sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(role)), (password,)
            )

    def reload_hba(self, lines: Sequence[str] = configuration.FORCE_SSL) -> None:
        """Replace the host rules for new sessions (default: SSL, as rds.force_ssl)."""
        self._write("pg_hba.conf", configuration.host_rules(ADMINISTRATOR, lines).encode())
        self._reload()

    def set_identity(self, identity: Identity) -> None:
        """Present another server certificate from the next connection on."""
        self._write("server.crt", identity.chain)
        self._write("server.key", identity.key)
        self._reload()

    def _prepare(self) -> place.Place:
        """The data directory: a copied template, this lab's passwords and settings."""
        given = self.settings
        self._place = home = place.prepare(given.folder)
        source = template(given.cache_dir, home, given.address, given.port, given.migrate)
        shutil.rmtree(home.data, ignore_errors=True)
        place.copy(source, home.data)
        self._write(
            "postgresql.conf", configuration.server(given.address, given.port, tls=True).encode()
        )
        self.reload_hba()
        self.set_identity(given.identity)
        home.own(home.data)
        self._set_passwords(home)
        return home

    def _set_passwords(self, home: place.Place) -> None:
        """Without a server: in single-user mode nobody has to log in, and no port is open yet."""
        passwords = {**self.settings.passwords, ADMINISTRATOR: self._password}
        statements = "".join(
            f"ALTER ROLE {_quoted(role, chr(34))} PASSWORD {_quoted(password, chr(39))};\n"
            for role, password in passwords.items()
        )
        # An error's statement would put the password into the message.
        quiet = ("-c", "log_min_error_statement=panic")
        said = home.run(
            "postgres", "--single", "-D", home.data, *quiet, "postgres", standard_input=statements
        )
        if "ERROR" in said:
            raise RuntimeError(f"the roles' passwords could not be set: {said[-2000:]}")

    def _write(self, name: str, content: bytes) -> None:
        """Write a file of the data directory, readable by the server's user alone."""
        if self._place is None:
            raise RuntimeError("the database server was not started")
        path = self._place.data / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        self._place.own(path)

    def _reload(self) -> None:
        if self._daemon is not None:
            self._daemon.reload()

    @contextmanager
    def _cursor(self, database: str) -> Iterator[psycopg2.extensions.cursor]:
        given = self.settings
        connection = psycopg2.connect(
            host=given.address,
            port=given.port,
            user=ADMINISTRATOR,
            password=self._password,
            dbname=database,
            sslmode="disable",
            connect_timeout=5,
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


def _quoted(text: str, mark: str) -> str:
    """Quote for single-user mode; a line break ends a statement there: ValueError."""
    if "\n" in text or "\0" in text:
        raise ValueError("a role or password of the database cannot hold a line break")
    return f"{mark}{text.replace(mark, mark * 2)}{mark}"
